/** What a configuration was: versions, their changes, and what lies between two, held against the states as they really were. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type DiffReply, diffReply, type VersionList, versionList, versionReply } from '@vrouter/api/rest/versions.ts';
import type { Intent } from '@vrouter/intent/model/intents.ts';
import fc from 'fast-check';
import { CHANGES_KEPT } from '../store/intents.ts';
import { anyChange, testKey } from '../testing/changes.testing.ts';
import { codeOf, Rest } from '../testing/rest.ts';
import { openDesk, type TestDesk, tester } from '../testing/store.ts';
import { cursorText } from './cursor.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-versions-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

async function open() {
  const path = join(folder, `${files++}.db`);
  const desk = await openDesk(path);
  const rest = await Rest.over(desk);
  assert.equal((await rest.call('POST', '/v1/vrouters', { name: 'v', networks: ['10.77.0.0/24'] })).status, 201);
  return { path, desk, rest, head: desk.desired.get('v') };
}

const V = '/v1/vrouters/v';
type State = ReadonlyMap<string, object>;

/** As it may be shown; written apart from the code that is tested. */
function stateOf(desk: TestDesk): State {
  const shown = ([key, body]: readonly [string, string]): [string, object] => {
    const intent = JSON.parse(body) as Intent & { presharedKey?: string | null };
    if (typeof intent.presharedKey !== 'string') return [key, intent];
    const hex = createHash('sha256').update(Buffer.from(intent.presharedKey, 'base64')).digest('hex');
    return [key, { ...intent, presharedKey: { fingerprint: hex.slice(0, 8) } }];
  };
  return new Map([...desk.desired.get('v').bodies].map(shown));
}

function differences(from: State, to: State): object[] {
  const keys = [...new Set([...from.keys(), ...to.keys()])].sort();
  return keys.flatMap((key) => {
    const [before, now] = [from.get(key) ?? null, to.get(key) ?? null];
    if (JSON.stringify(before) === JSON.stringify(now)) return [];
    return [{ key, op: before === null ? 'add' : now === null ? 'remove' : 'change', before, after: now }];
  });
}

async function diff(rest: Rest, query = ''): Promise<DiffReply> {
  const answer = await rest.call('GET', `${V}/diff${query}`);
  assert.equal(answer.status, 200, answer.text);
  return diffReply.parse(answer.json);
}

/** Some REST change that makes a version each time. */
async function toggle(desk: TestDesk, n: number): Promise<void> {
  await desk.desired.change('v', { ...tester, name: `user${n % 2}`, tokenId: 't' }, `test.${n}`, async (_tx, draft) =>
    draft.put({
      kind: 'peer',
      interface: 'wg0',
      publicKey: testKey(1),
      name: 'p',
      presharedKey: null,
      allowedIps: [`10.77.0.${n % 200}/32`],
      endpoint: null,
      persistentKeepalive: n,
    }),
  );
}

test('between any two versions lies what is other in their states, forwards and back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyChange, { minLength: 5, maxLength: 20 }), async (changes) => {
      const { path, desk, rest, head } = await open();
      const states: State[] = [new Map(), stateOf(desk)];
      for (const { method, path: at, body } of changes) {
        await rest.call(method, at, body);
        if (head.version === states.length) states.push(stateOf(desk));
      }
      const check = async (asked: Rest): Promise<void> => {
        for (let from = 0; from < states.length; from++)
          for (const to of [0, from + 1, states.length - 1].filter((one) => one < states.length)) {
            const reply = await diff(asked, `?from=${from}&to=${to}`);
            assert.deepEqual(reply.changes, differences(states[from]!, states[to]!), `${from} to ${to}`);
          }
      };
      await check(rest);
      const last = states.length - 1;
      assert.deepEqual(await diff(rest), await diff(rest, `?from=${last - 1}&to=${last}`), 'the newest is the default');
      await desk.db.destroy();
      const again = await openDesk(path);
      await check(await Rest.over(again));
      await again.db.destroy();
    }),
    { numRuns: 8 },
  );
});

test('who changed what, newest first and by pages', async () => {
  const { desk, rest } = await open();
  for (const [n, name] of ['a', 'b', 'c'].entries()) {
    desk.clock.unixMs += 1000;
    assert.equal((await rest.call('POST', `${V}/peers`, { name, publicKey: testKey(n) })).status, 201);
  }
  await rest.call('PATCH', V, { networks: ['10.77.0.0/24', '10.78.0.0/24'] });
  const { versions } = versionList.parse((await rest.call('GET', `${V}/versions`)).json);
  assert.deepEqual(
    versions.map(({ version, action, actor, changed }) => [version, action, actor, changed]),
    [
      [5, 'vrouter.change', 'tester', 4],
      [4, 'peer.create', 'tester', 1],
      [3, 'peer.create', 'tester', 1],
      [2, 'peer.create', 'tester', 1],
      [1, 'vrouter.create', 'tester', 2],
    ],
  );
  assert.equal(versions[1]!.atUnixMs - versions[2]!.atUnixMs, 1000);
  assert.ok(versions.every(({ tokenId }) => typeof tokenId === 'string'));
  const paged: number[] = [];
  for (let next: string | null | undefined = null; next !== undefined; ) {
    const page: VersionList = versionList.parse(
      (await rest.call('GET', `${V}/versions?limit=2${next === null ? '' : `&cursor=${next}`}`)).json,
    );
    paged.push(...page.versions.map(({ version }) => version));
    next = page.next ?? undefined;
  }
  assert.deepEqual(paged, [5, 4, 3, 2, 1]);
  const one = versionReply.parse((await rest.call('GET', `${V}/versions/3`)).json);
  assert.deepEqual([one.version, one.action, one.changes.length], [3, 'peer.create', 1]);
  assert.deepEqual([one.changes[0]!.op, one.changes[0]!.before], ['add', null]);
  const first = versionReply.parse((await rest.call('GET', `${V}/versions/5?limit=3`)).json);
  const rest5 = versionReply.parse((await rest.call('GET', `${V}/versions/5?limit=3&cursor=${first.next}`)).json);
  assert.deepEqual([...first.changes, ...rest5.changes], (await diff(rest)).changes);
  await desk.db.destroy();
});

test('secrets are fingerprints, in which another one shows', async () => {
  const { desk, rest } = await open();
  const peer = { name: 'p', publicKey: testKey(1), presharedKey: testKey(50) };
  await rest.call('POST', `${V}/peers`, peer);
  await rest.call('PATCH', `${V}/peers/p`, { presharedKey: testKey(51) });
  for (const path of [`${V}/diff`, `${V}/diff?from=0`, `${V}/versions/2`, `${V}/versions/3`]) {
    const { status, text } = await rest.call('GET', path);
    assert.equal(status, 200);
    for (const n of [50, 51]) assert.ok(!text.includes(testKey(n)), path);
  }
  const [change] = (await diff(rest)).changes;
  assert.notDeepEqual(change!.before!.presharedKey, change!.after!.presharedKey);
  await desk.db.destroy();
});

test('what is older than what is kept is refused, and told how far back it goes', async () => {
  const { desk, rest, head } = await open();
  while (head.version < CHANGES_KEPT + 10) await toggle(desk, head.version);
  const earliest = head.version - CHANGES_KEPT;
  assert.ok(CHANGES_KEPT >= 256);
  assert.equal((await diff(rest, `?from=${earliest}`)).changes.length, 1);
  for (const path of [`${V}/diff?from=${earliest - 1}`, `${V}/diff?from=0&to=5`, `${V}/versions/${earliest}`]) {
    const refused = await rest.call('GET', path);
    assert.deepEqual([refused.status, codeOf(refused)], [410, 'version.notKept'], path);
    assert.match(refused.text, new RegExp(`goes back to version ${earliest}"`));
  }
  assert.equal((await rest.call('GET', `${V}/versions/${earliest + 1}`)).status, 200);
  await desk.db.destroy();
});

test('of versions from before the authors were kept, only when they were is told', async () => {
  const { desk, rest, head } = await open();
  for (let n = 0; n < 4; n++) await toggle(desk, n);
  await desk.db
    .updateTable('changes')
    .set({ before: null, actor: null, tokenId: null, action: null })
    .where('version', '<=', 3)
    .execute();
  const { versions } = versionList.parse((await rest.call('GET', `${V}/versions`)).json);
  assert.deepEqual(
    versions.map(({ version, actor }) => [version, actor]),
    [
      [5, 'user1'],
      [4, 'user0'],
      [3, null],
      [2, null],
      [1, null],
    ],
  );
  assert.equal((await diff(rest, '?from=3')).to, head.version);
  assert.equal(codeOf(await rest.call('GET', `${V}/diff?from=2`)), 'version.notKept');
  assert.equal(codeOf(await rest.call('GET', `${V}/versions/3`)), 'version.notKept');
  await desk.db.destroy();
});

test('what there is not', async () => {
  const { desk, rest } = await open();
  for (const [path, code] of [
    ['/v1/vrouters/x/versions', 'vrouter.notFound'],
    ['/v1/vrouters/x/diff', 'vrouter.notFound'],
    [`${V}/versions/2`, 'version.notFound'],
    [`${V}/versions/0`, 'version.notFound'],
    [`${V}/diff?to=2`, 'version.notFound'],
    [`${V}/diff?from=9`, 'version.notFound'],
    [`${V}/diff?from=applied`, 'version.notFound'],
    [`${V}/diff?from=-1`, 'input.invalid'],
    [`${V}/diff?from=x`, 'input.invalid'],
    [`${V}/diff?form=1`, 'input.invalid'],
    [`${V}/versions/x`, 'input.invalid'],
    [`${V}/versions?cursor=${cursorText('versions/v', 'x')}`, 'input.invalid'],
    [`${V}/versions?cursor=${cursorText('versions/w', '1')}`, 'input.invalid'],
  ] as const)
    assert.equal(codeOf(await rest.call('GET', path)), code, path);
  await desk.db.destroy();
});
