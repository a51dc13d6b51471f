/**
 * ?dryRun=true: every route below /v1/vrouters that changes something has it, says what would be, refuses what would be refused, and
 * leaves everything as it was. That what it says is what gateways then do: tests/dry-run.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type PreviewReply, previewReply } from '@vrouter/api/rest/preview.ts';
import fc from 'fast-check';
import { type Asked, anyChange, testKey } from '../testing/changes.testing.ts';
import { dumpStore } from '../testing/dump.ts';
import { codeOf, Rest } from '../testing/rest.ts';
import { openDesk, type TestDesk } from '../testing/store.ts';
import { needs } from './roles.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-dry-run-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

async function open() {
  const desk = await openDesk(join(folder, `${files++}.db`));
  const rest = await Rest.over(desk);
  const made = await rest.call('POST', '/v1/vrouters', { name: 'v', networks: ['10.77.0.0/24'] });
  assert.equal(made.status, 201);
  const head = desk.desired.get('v');
  const heard: string[] = [];
  head.subscribe(() => heard.push('woken'));
  desk.events.subscribe((event) => heard.push(event.type));
  return { desk, rest, head, heard };
}

function dry(path: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}dryRun=true`;
}

/** Everything that may not be different after a dry run, in the store and in memory. */
async function whole(desk: TestDesk): Promise<object> {
  const memory = desk.desired.all().map(({ row, hash, bodies, changes, gone }) => ({
    row: { ...row },
    hash,
    bodies: [...bodies],
    changes: [...changes],
    gone,
  }));
  return { store: await dumpStore(desk.db), memory };
}

async function auditRows(desk: TestDesk): Promise<number> {
  return (await desk.db.selectFrom('audit').select('id').execute()).length;
}

const V = '/v1/vrouters/v';
const setUp: readonly Asked[] = [
  { method: 'POST', path: `${V}/peers`, body: { name: 'p', publicKey: testKey(1), allowedIps: ['192.168.1.0/24'] } },
  { method: 'POST', path: `${V}/vrfs`, body: { name: 'blue' } },
  { method: 'POST', path: `${V}/routes`, body: { prefix: '172.16.0.0/16', blackhole: true } },
  { method: 'POST', path: `${V}/host-interfaces`, body: { name: 'host0', addresses: ['10.99.0.1/24'] } },
  { method: 'POST', path: `${V}/ports`, body: { name: 'lan', device: 'eth1', addresses: ['192.168.9.1/24'] } },
  { method: 'POST', path: `${V}/masquerades`, body: { prefix: '10.77.0.0/24' } },
  {
    method: 'POST',
    path: `${V}/published-ports`,
    body: { protocol: 'tcp', hostPort: 80, address: '10.77.0.2', port: 8080 },
  },
  {
    method: 'POST',
    path: `${V}/floating-ips`,
    body: { id: 'mail', address: '192.0.2.9', fixedAddress: '10.77.0.2' },
  },
  { method: 'PATCH', path: `${V}/nat-settings`, body: { udpSeconds: 60 } },
];

/** Of a vrouter without a gateway, whose peer waits for one. */
const rotation = { what: 'psk', peers: [{ peer: 'p', presharedKey: testKey(8) }] };

/** By route: a request that does something after `setUp`, the code of the refusal when it comes twice, and how many operations it has. */
const rows: {
  readonly [route: string]: {
    readonly path: string;
    readonly body?: object;
    readonly ops: number;
    readonly again?: string;
  };
} = {
  'POST /v1/vrouters': { path: '/v1/vrouters', body: { name: 'w' }, ops: 3, again: 'vrouter.exists' },
  'PATCH /v1/vrouters/:name': { path: V, body: { mtu: 1300 }, ops: 1 },
  'DELETE /v1/vrouters/:name': { path: V, ops: 0, again: 'vrouter.notFound' },
  'POST /v1/vrouters/:name/tokens': { path: `${V}/tokens`, ops: 0 },
  'DELETE /v1/vrouters/:name/tokens/:id': { path: `${V}/tokens/{token}`, ops: 0 },
  'POST /v1/vrouters/:name/confirm-shrink': { path: `${V}/confirm-shrink`, ops: 0 },
  'POST /v1/vrouters/:name/peers': {
    path: `${V}/peers`,
    body: { name: 'q', publicKey: testKey(2), presharedKey: testKey(3) },
    ops: 1,
    again: 'peer.exists',
  },
  'PATCH /v1/vrouters/:name/peers/:peer': { path: `${V}/peers/p`, body: { presharedKey: testKey(3) }, ops: 1 },
  'DELETE /v1/vrouters/:name/peers/:peer': { path: `${V}/peers/p`, ops: 1, again: 'peer.notFound' },
  'POST /v1/vrouters/:name/rotations': { path: `${V}/rotations`, body: rotation, ops: 0, again: 'rotation.open' },
  'POST /v1/vrouters/:name/rotations/:id/cancel': { path: `${V}/rotations/{id}/cancel`, body: {}, ops: 0 },
  'POST /v1/vrouters/:name/rotations/:id/force': { path: `${V}/rotations/{id}/force`, body: {}, ops: 1 },
  'POST /v1/vrouters/:name/routes': {
    path: `${V}/routes`,
    body: { prefix: '172.17.0.0/16', interface: 'wg0' },
    ops: 1,
    again: 'route.exists',
  },
  'DELETE /v1/vrouters/:name/routes': {
    path: `${V}/routes?vrf=default&prefix=172.16.0.0/16`,
    ops: 1,
    again: 'route.notFound',
  },
  'POST /v1/vrouters/:name/vrfs': { path: `${V}/vrfs`, body: { name: 'red' }, ops: 1, again: 'intent.exists' },
  'DELETE /v1/vrouters/:name/vrfs/:vrf': { path: `${V}/vrfs/blue`, ops: 1, again: 'intent.notFound' },
  'POST /v1/vrouters/:name/host-interfaces': {
    path: `${V}/host-interfaces`,
    body: { name: 'host1', addresses: ['10.98.0.1/24'] },
    ops: 1,
    again: 'intent.exists',
  },
  'DELETE /v1/vrouters/:name/host-interfaces/:interface': {
    path: `${V}/host-interfaces/host0`,
    ops: 1,
    again: 'intent.notFound',
  },
  'POST /v1/vrouters/:name/ports': {
    path: `${V}/ports`,
    body: { name: 'wan', device: 'eth2', addresses: ['198.51.100.1/24'] },
    ops: 2,
    again: 'intent.exists',
  },
  'DELETE /v1/vrouters/:name/ports/:port': { path: `${V}/ports/lan`, ops: 2, again: 'intent.notFound' },
  'POST /v1/vrouters/:name/masquerades': {
    path: `${V}/masquerades`,
    body: { prefix: '10.1.0.0/16' },
    ops: 1,
    again: 'intent.exists',
  },
  'DELETE /v1/vrouters/:name/masquerades/:vrf/:prefix': {
    path: `${V}/masquerades/default/10.77.0.0%2F24`,
    ops: 1,
    again: 'intent.notFound',
  },
  'POST /v1/vrouters/:name/published-ports': {
    path: `${V}/published-ports`,
    body: { protocol: 'udp', hostPort: 53, address: '10.77.0.2', port: 53 },
    ops: 1,
    again: 'intent.exists',
  },
  'DELETE /v1/vrouters/:name/published-ports/:vrf/:hostAddress/:protocol/:hostPort': {
    path: `${V}/published-ports/default/*/tcp/80`,
    ops: 1,
    again: 'intent.notFound',
  },
  'POST /v1/vrouters/:name/floating-ips': {
    path: `${V}/floating-ips`,
    body: { id: 'www', address: '192.0.2.8', fixedAddress: '10.77.0.3' },
    ops: 1,
    again: 'intent.exists',
  },
  'DELETE /v1/vrouters/:name/floating-ips/:id': { path: `${V}/floating-ips/mail`, ops: 1, again: 'intent.notFound' },
  'PATCH /v1/vrouters/:name/nat-settings': { path: `${V}/nat-settings`, body: { udpSeconds: 90 }, ops: 1 },
  'DELETE /v1/vrouters/:name/nat-settings': { path: `${V}/nat-settings`, ops: 1 },
};

/** It needs a gateway: tests/dry-run has one. */
const ELSEWHERE = ['POST /v1/vrouters/:name/revoke'];

test('every route that changes something below /v1/vrouters is looked at here', () => {
  const changing = Object.keys(needs).filter((route) => /^(POST|PATCH|DELETE) \/v1\/vrouters(\/|$)/.test(route));
  assert.deepEqual(changing.sort(), [...Object.keys(rows), ...ELSEWHERE].sort());
});

for (const [route, { path: template, body, ops, again }] of Object.entries(rows))
  test(`${route}: says what the change then is, and is none`, async () => {
    const { desk, rest, head, heard } = await open();
    const method = route.split(' ')[0]!;
    for (const asked of setUp) {
      const answer = await rest.call(asked.method, asked.path, asked.body);
      assert.ok(answer.status < 300, answer.text);
    }
    const path = await filled(rest, template);
    heard.length = 0;
    const before = await whole(desk);
    const answer = await rest.call(method, dry(path), body);
    assert.equal(answer.status, 200, answer.text);
    const { gateways } = previewReply.parse(answer.json);
    assert.deepEqual(await whole(desk), before);
    assert.deepEqual(heard, []);
    assert.equal(answer.headers.etag, undefined);

    const [preview] = gateways;
    assert.equal(preview!.operations.length, ops);
    const from = preview!.from;
    const real = await rest.call(method, path, body);
    assert.ok(real.status < 300, real.text);
    if (preview!.to === null) assert.equal(head.gone, true);
    else {
      const made = desk.desired.get(preview!.vrouter);
      assert.equal(made.version, preview!.to);
      const done = made.version === from ? [] : made.changes.at(-1)!.ops;
      assert.deepEqual(
        preview!.operations,
        done.map((op) => ({ op: op.body === null ? 'remove' : 'upsert', key: op.key })),
      );
    }
    if (again !== undefined) {
      const left = await whole(desk);
      const refused = await rest.call(method, dry(path), body);
      assert.deepEqual(await whole(desk), left);
      const reallyRefused = await rest.call(method, path, body);
      assert.deepEqual([refused.status, refused.json], [reallyRefused.status, reallyRefused.json]);
      assert.equal(codeOf(refused), again);
    }
    await desk.db.destroy();
  });

async function filled(rest: Rest, template: string): Promise<string> {
  if (template.includes('{id}')) return template.replace('{id}', await begun(rest));
  if (!template.includes('{token}')) return template;
  const { tokens } = (await rest.call('GET', `${V}/tokens`)).json as { readonly tokens: readonly { id: string }[] };
  return template.replace('{token}', tokens[0]!.id);
}

async function begun(rest: Rest): Promise<string> {
  const answer = await rest.call('POST', `${V}/rotations`, rotation);
  assert.equal(answer.status, 201, answer.text);
  return (answer.json as { readonly rotation: { readonly id: string } }).rotation.id;
}

test('whatever is asked for, a dry run leaves no trace, and the change is then as it said', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyChange, { minLength: 1, maxLength: 8 }), async (changes) => {
      const { desk, rest, head, heard } = await open();
      for (const { method, path, body } of changes) {
        heard.length = 0;
        const before = await whole(desk);
        const looked = await rest.call(method, dry(path), body);
        assert.deepEqual(await whole(desk), before);
        assert.deepEqual(heard, []);
        const noted = await auditRows(desk);
        const done = await rest.call(method, path, body);
        if (done.status >= 300) {
          assert.deepEqual([looked.status, looked.json], [done.status, done.json]);
          // A refusal is noted behind its answer.
          while ((await auditRows(desk)) === noted) await delay(1);
        } else assert.equal((looked.json as PreviewReply).gateways[0]!.to, head.version);
      }
      await desk.db.destroy();
    }),
    { numRuns: 20 },
  );
});

test('an Idempotency-Key is not used up, nor is the answer of before given again', async () => {
  const { desk, rest } = await open();
  const key = { 'idempotency-key': 'k' };
  const peer = { name: 'p', publicKey: testKey(1) };
  assert.equal((await rest.call('POST', dry(`${V}/peers`), peer, key)).status, 200);
  assert.equal((await rest.call('POST', `${V}/peers`, peer, key)).status, 201);
  assert.equal((await rest.call('POST', `${V}/peers`, peer, key)).headers['idempotency-replayed'], 'true');
  assert.equal(codeOf(await rest.call('POST', dry(`${V}/peers`), peer, key)), 'peer.exists');
  await desk.db.destroy();
});

test('If-Match is looked at', async () => {
  const { desk, rest } = await open();
  const stale = { 'if-match': '"no-such"' };
  assert.equal(codeOf(await rest.call('PATCH', dry(V), { mtu: 1300 }, stale)), 'request.outdated');
  const { etag } = (await rest.call('GET', V)).json as { etag: string };
  assert.equal((await rest.call('PATCH', dry(V), { mtu: 1300 }, { 'if-match': `"${etag}"` })).status, 200);
  await desk.db.destroy();
});

test('a misspelt query is refused, not taken for a change', async () => {
  const { desk, rest, head } = await open();
  for (const query of ['dryrun=true', 'dryRun=yes', 'dryRun=', 'dryRun=true&dryRun=true'])
    assert.equal(codeOf(await rest.call('PATCH', `${V}?${query}`, { mtu: 1300 })), 'input.invalid', query);
  assert.equal(head.version, 1);
  assert.equal((await rest.call('PATCH', `${V}?dryRun=false`, { mtu: 1300 })).status, 200);
  assert.equal(head.version, 2);
  await desk.db.destroy();
});

test('secrets are in no preview', async () => {
  const { desk, rest } = await open();
  const secret = testKey(99);
  const body = { name: 'p', publicKey: testKey(1), presharedKey: secret };
  const { text } = await rest.call('POST', dry(`${V}/peers`), body);
  assert.ok(text.includes(testKey(1)) && !text.includes(secret.slice(0, 20)), text);
  await desk.db.destroy();
});

test('the documentation says it', async () => {
  const { desk, rest } = await open();
  const { paths } = (await rest.call('GET', '/openapi.json')).json as {
    paths: { [path: string]: { [method: string]: { parameters?: { name: string }[]; responses: object } } };
  };
  const { post } = paths['/v1/vrouters/{name}/peers']!;
  assert.ok(post!.parameters!.some(({ name }) => name === 'dryRun'));
  assert.deepEqual(Object.keys(post!.responses), ['200', '201', '4XX']);
  await desk.db.destroy();
});
