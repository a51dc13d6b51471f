/** Idempotency-Key: what is asked for twice is made once and answered twice. What a crash does to it is in ../once-killed.test.ts. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { CreateTokenReply } from '@vrouter/api/rest/join-tokens.ts';
import type { CreatePeerReply } from '@vrouter/api/rest/peers.ts';
import type { CreateVrouterReply } from '@vrouter/api/rest/vrouters.ts';
import { forgetAnswers } from '../store/answers.ts';
import { codeOf, Rest } from '../testing/rest.ts';
import { openDesk, type TestDesk } from '../testing/store.ts';
import { ANSWER_MEMORY_MS } from './once.ts';
import { seal, unseal } from './sealed.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-once-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

async function open() {
  const path = join(folder, `${files++}.db`);
  const desk = await openDesk(path);
  const rest = await Rest.over(desk);
  const made = await rest.call('POST', '/v1/vrouters', { name: 'v' });
  assert.equal(made.status, 201);
  return { path, desk, rest };
}

const peer = (name: string, n = 1) => ({ name, publicKey: Buffer.alloc(32, n).toString('base64') });
const under = (key: string) => ({ 'idempotency-key': key });

/** A good body for each path that makes something. */
const bodies: { readonly [path: string]: object } = {
  '/v1/users': { name: 'kim' },
  '/v1/api-tokens': { user: 'tester', name: 'laptop' },
  '/v1/vrouters': { name: 'w' },
  '/v1/vrouters/{name}/tokens': { ttlSeconds: 600 },
  '/v1/vrouters/{name}/peers': { ...peer('a'), presharedKey: Buffer.alloc(32, 7).toString('base64') },
  '/v1/vrouters/{name}/rotations': {
    what: 'psk',
    peers: [{ peer: 'a', presharedKey: Buffer.alloc(32, 8).toString('base64') }],
  },
  '/v1/vrouters/{name}/routes': { prefix: '10.5.0.0/16', blackhole: true },
  '/v1/vrouters/{name}/vrfs': { name: 'blue' },
  '/v1/vrouters/{name}/host-interfaces': { name: 'host0', addresses: ['10.99.0.1/24'] },
  '/v1/vrouters/{name}/ports': { name: 'lan', device: 'eth1', addresses: ['192.168.1.1/24'] },
  '/v1/vrouters/{name}/masquerades': { prefix: '10.77.0.0/24' },
  '/v1/vrouters/{name}/published-ports': { protocol: 'tcp', hostPort: 80, address: '10.77.0.2', port: 8080 },
  '/v1/vrouters/{name}/floating-ips': { id: 'mail', address: '192.0.2.9', fixedAddress: '10.77.0.3' },
};

test('everything that makes something makes it once and answers again, after a restart too', async () => {
  const { path, desk, rest } = await open();
  const { paths } = (await rest.call('GET', '/openapi.json')).json as {
    paths: Record<string, Record<string, { responses: object; parameters?: { in: string; name: string }[] }>>;
  };
  // A login takes a token of a provider, as in ../login/rest.test.ts, which has this of it.
  const creating = Object.entries(paths).filter(
    ([one, { post }]) => one !== '/v1/login' && post !== undefined && '201' in post.responses,
  );
  assert.deepEqual(creating.map(([one]) => one).sort(), Object.keys(bodies).sort());
  const firsts = new Map<string, unknown>();
  for (const [one, { post }] of creating) {
    assert.ok(
      post!.parameters?.some((row) => row.in === 'header' && row.name === 'idempotency-key'),
      one,
    );
    const url = one.replace('{name}', 'v');
    const answer = await rest.call('POST', url, bodies[one], under('k'));
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.headers['idempotency-replayed'], undefined);
    firsts.set(one, [answer.status, answer.text, answer.headers.etag]);
  }
  const versions = () => desk.desired.all().map((head) => [head.row.name, head.version]);
  const before = versions();
  for (const life of ['the same', 'the next']) {
    const alive =
      life === 'the same'
        ? { desk, rest }
        : await (async () => {
            await desk.db.destroy();
            const again = await openDesk(path, desk.clock);
            return { desk: again, rest: await Rest.over(again) };
          })();
    for (const [one] of creating) {
      const again = await alive.rest.call('POST', one.replace('{name}', 'v'), bodies[one], under('k'));
      assert.deepEqual([again.status, again.text, again.headers.etag], firsts.get(one), `${one} in ${life} life`);
      assert.equal(again.headers['idempotency-replayed'], 'true');
    }
    assert.deepEqual(
      alive.desk.desired.all().map((head) => [head.row.name, head.version]),
      before,
    );
    assert.equal(
      (await alive.desk.db.selectFrom('tokens').selectAll().execute()).length,
      3,
      'of v, of w, and one more',
    );
    if (life === 'the next') await alive.desk.db.destroy();
  }
});

test('another body is refused, another path or key is another thing', async () => {
  const { desk, rest } = await open();
  const url = '/v1/vrouters/v/peers';
  assert.equal((await rest.call('POST', url, peer('a', 1), under('k'))).status, 201);
  const reused = await rest.call('POST', url, peer('b', 2), under('k'));
  assert.deepEqual([reused.status, codeOf(reused)], [422, 'request.keyReused']);
  assert.equal((await rest.call('POST', '/v1/vrouters', { name: 'a' }, under('k'))).status, 201);
  const other = await rest.call('POST', url, peer('a', 1), under('l'));
  assert.deepEqual([other.status, codeOf(other)], [409, 'peer.exists']);
  // The same thing, said in another order and with a default spelt out.
  const same = { persistentKeepalive: 0, publicKey: peer('a').publicKey, name: 'a' };
  assert.equal((await rest.call('POST', url, same, under('k'))).status, 201);
  assert.equal((await desk.db.selectFrom('peers').selectAll().execute()).length, 1);
  await desk.db.destroy();
});

test('what was refused was not done, so the key is still good', async () => {
  const { desk, rest } = await open();
  const url = '/v1/vrouters/v/peers';
  await rest.call('POST', url, peer('a', 1));
  assert.equal((await rest.call('POST', url, peer('a', 2), under('k'))).status, 409);
  assert.equal((await rest.call('DELETE', `${url}/a`)).status, 200);
  assert.equal((await rest.call('POST', url, peer('a', 2), under('k'))).status, 201);
  // And what was made and removed since is not made again.
  assert.equal((await rest.call('DELETE', `${url}/a`)).status, 200);
  const again = await rest.call('POST', url, peer('a', 2), under('k'));
  assert.deepEqual([again.status, (again.json as CreatePeerReply).peer.name], [201, 'a']);
  assert.deepEqual(await desk.db.selectFrom('peers').selectAll().execute(), []);
  await desk.db.destroy();
});

/** A desk like this one, whose first change waits at the door. */
function gated(desk: TestDesk) {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const desired = new Proxy(desk.desired, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return name !== 'answer'
        ? member.bind(target)
        : async (...args: unknown[]) => {
            reached.resolve();
            await gate.promise;
            return member.apply(target, args);
          };
    },
  });
  return { desk: { ...desk, desired }, reached: reached.promise, open: gate.resolve };
}

test('a second request while the first is worked on is told to come back', async () => {
  const { desk } = await open();
  const door = gated(desk);
  const rest = await Rest.over(door.desk);
  const url = '/v1/vrouters/v/peers';
  const first = rest.call('POST', url, peer('a'), under('k'));
  await door.reached;
  for (const body of [peer('a'), peer('b', 2)]) {
    const second = await rest.call('POST', url, body, under('k'));
    assert.deepEqual([second.status, codeOf(second)], [409, 'request.inFlight']);
  }
  door.open();
  const done = await first;
  assert.equal(done.status, 201);
  assert.equal((await rest.call('POST', url, peer('a'), under('k'))).text, done.text);
  await desk.db.destroy();
});

test('two controllers on one store that are asked at once make it once', async () => {
  const { desk, rest } = await open();
  const door = gated(desk);
  const slow = await Rest.over(door.desk);
  const url = '/v1/vrouters/v/tokens';
  const waiting = slow.call('POST', url, {}, under('k'));
  await door.reached;
  const made = await rest.call('POST', url, {}, under('k'));
  assert.equal(made.status, 201);
  door.open();
  const refused = await waiting;
  assert.deepEqual([refused.status, codeOf(refused)], [409, 'request.inFlight']);
  assert.equal((await slow.call('POST', url, {}, under('k'))).text, made.text);
  assert.equal((await desk.db.selectFrom('tokens').selectAll().execute()).length, 2, 'one with the vrouter, one more');
  await desk.db.destroy();
});

test('many at once: one is made, and whoever is answered hears the same', async () => {
  const { desk, rest } = await open();
  const calls = Array.from({ length: 20 }, () => rest.call('POST', '/v1/vrouters/v/tokens', {}, under('k')));
  const answers = await Promise.all(calls);
  const made = answers.filter(({ status }) => status === 201);
  assert.ok(made.length > 0);
  assert.equal(new Set(made.map(({ text }) => text)).size, 1);
  for (const answer of answers) if (answer.status !== 201) assert.equal(codeOf(answer), 'request.inFlight');
  assert.equal((await desk.db.selectFrom('tokens').selectAll().execute()).length, 2, 'one with the vrouter, one more');
  await desk.db.destroy();
});

test('after a day the key is fresh again, and the old answer goes', async () => {
  const { desk, rest } = await open();
  const ask = async () =>
    ((await rest.call('POST', '/v1/vrouters/v/tokens', {}, under('k'))).json as CreateTokenReply).join;
  const first = await ask();
  desk.clock.unixMs += ANSWER_MEMORY_MS;
  assert.deepEqual(await ask(), first);
  desk.clock.unixMs += 1;
  const second = await ask();
  assert.notDeepEqual(second, first);
  assert.deepEqual(await ask(), second);
  await forgetAnswers(desk.db, desk.clock.unixMs);
  assert.equal((await desk.db.selectFrom('answers').selectAll().execute()).length, 1, 'those that are still good stay');
  await forgetAnswers(desk.db, desk.clock.unixMs + 1);
  assert.deepEqual(await desk.db.selectFrom('answers').selectAll().execute(), []);
  await desk.db.destroy();
});

test('neither keys nor secrets of answers lie in the store', async () => {
  const { path, desk, rest } = await open();
  const key = 'a-key-that-is-nowhere-else';
  const { join: joining } = (await rest.call('POST', '/v1/vrouters', { name: 'w' }, under(key)))
    .json as CreateVrouterReply;
  const secret = /vrj_[a-z0-9]+_([A-Za-z0-9_-]{43})/.exec(joining.string)![1]!;
  const again = (await rest.call('POST', '/v1/vrouters', { name: 'w' }, under(key))).json as CreateVrouterReply;
  assert.equal(again.join.string, joining.string);
  for (const file of readdirSync(folder).filter((name) => name.startsWith(path.slice(folder.length + 1)))) {
    const bytes = readFileSync(join(folder, file));
    assert.ok(!bytes.includes(secret) && !bytes.includes(key), file);
  }
  await desk.db.destroy();
});

for (const [what, key] of [
  ['an empty one', ''],
  ['a space', 'a b'],
  ['a letter that is none of ASCII', 'ä'],
  ['one of 129 characters', 'x'.repeat(129)],
] as const)
  test(`no key: ${what}`, async () => {
    const { desk, rest } = await open();
    const answer = await rest.call('POST', '/v1/vrouters/v/peers', peer('a'), under(key));
    assert.deepEqual([answer.status, codeOf(answer)], [400, 'input.invalid']);
    assert.equal((answer.json as { error: { field: string } }).error.field, 'idempotency-key');
    assert.equal((await rest.call('POST', '/v1/vrouters/v/peers', peer('a'), under('x'.repeat(128)))).status, 201);
    await desk.db.destroy();
  });

test('what was sealed opens with its secret and in its place alone', () => {
  const sealed = seal('k', 's', 'text ü');
  assert.equal(unseal('k', 's', sealed), 'text ü');
  assert.notEqual(seal('k', 's', 'text ü'), sealed);
  assert.throws(() => unseal('l', 's', sealed));
  assert.throws(() => unseal('k', 't', sealed));
  assert.throws(() => unseal('k', 's', `${sealed.slice(0, 20)}AAAA${sealed.slice(24)}`));
  assert.throws(() => unseal('k', 's', ''));
});
