/** What a dry run says is what a gateway then does: the same steps in the same order with the same effects, the same problems. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type GatewayPreview, previewReply } from '@vrouter/api/rest/preview.ts';
import fc from 'fast-check';
import { type Asked, anyChange, testKey } from '../../programs/controller/testing/changes.testing.ts';
import { Rest } from '../../programs/controller/testing/rest.ts';
import { openDesk, type TestDesk } from '../../programs/controller/testing/store.ts';
import { type Done, PlaneGateway } from './gateway.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-truth-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

interface World {
  readonly desk: TestDesk;
  readonly rest: Rest;
  readonly gateway: PlaneGateway;
}

async function withWorld(work: (world: World) => Promise<void>): Promise<void> {
  const desk = await openDesk(join(folder, `${files++}.db`));
  const rest = await Rest.over(desk);
  const made = await rest.call('POST', '/v1/vrouters', { name: 'v', networks: ['10.77.0.0/24'] });
  assert.equal(made.status, 201);
  const gateway = await PlaneGateway.join(desk, 'v');
  try {
    await work({ desk, rest, gateway });
  } finally {
    await gateway.stop();
    await desk.db.destroy();
  }
}

const V = '/v1/vrouters/v';
const post = (path: string, body?: object): Asked => ({ method: 'POST', path: V + path, ...(body && { body }) });
const patch = (path: string, body: object): Asked => ({ method: 'PATCH', path: V + path, body });
const del = (path: string): Asked => ({ method: 'DELETE', path: V + path });

async function make({ rest }: World, { method, path, body }: Asked): Promise<number> {
  return (await rest.call(method, path, body)).status;
}

/** Null: refused. */
async function look({ rest }: World, { method, path, body }: Asked): Promise<GatewayPreview | null> {
  const answer = await rest.call(method, `${path}${path.includes('?') ? '&' : '?'}dryRun=true`, body);
  return answer.status === 200 ? previewReply.parse(answer.json).gateways[0]! : null;
}

function stepsOf({ steps }: Pick<Done, 'steps'>): object[] {
  return steps.map((step) => ({
    op: step.op,
    key: step.key,
    changed: step.op === 'update' ? step.changed : [],
    effect: step.effect,
  }));
}

function shownSteps({ steps }: GatewayPreview): object[] {
  return steps.map(({ op, key, changed, effect }) => ({ op, key, changed, effect }));
}

/** Looks, makes it, and holds the two together. Returns the preview, or null for what is refused. */
async function same(world: World, asked: Asked): Promise<GatewayPreview | null> {
  const preview = await look(world, asked);
  const status = await make(world, asked);
  assert.equal(status < 300, preview !== null, JSON.stringify(asked));
  if (preview === null) return null;
  const done = await world.gateway.poll();
  assert.deepEqual(shownSteps(preview), stepsOf(done), JSON.stringify(asked));
  assert.equal(preview.interlock.held, done.held !== null, JSON.stringify(asked));
  assert.equal(preview.interlock.reason, done.held);
  assert.equal(preview.to, world.desk.desired.get('v').version);
  if (preview.operations.length > 0) {
    const shown = preview.problems.map(({ key, code, message }) => ({ key, code, message }));
    assert.deepEqual(shown, done.problems);
  }
  return preview;
}

const peer = (n: number, more: object = {}): Asked => post('/peers', { name: `p${n}`, publicKey: testKey(n), ...more });
const host = post('/host-interfaces', { name: 'host0', addresses: ['10.99.0.1/24'] });
const lan = post('/ports', { name: 'lan', device: 'eth1', addresses: ['192.168.9.1/24'] });
const blue = post('/vrfs', { name: 'blue' });

/** By what is changed: what there is before, the change, its strongest effect, and words that a person finds in it. */
const rows: readonly (readonly [string, readonly Asked[], Asked, GatewayPreview['effect'], RegExp])[] = [
  ['a peer', [], peer(1, { allowedIps: ['192.168.1.0/24'] }), 'none', /peer p1 may connect, with .*192\.168\.1\.0\/24/],
  ['a peer goes', [peer(1)], del('/peers/p1'), 'interrupt', /peer p1 ends: it is cut off at once/],
  [
    'a preshared key',
    [peer(1)],
    patch('/peers/p1', { presharedKey: testKey(9) }),
    'rehandshake',
    /p1 .*from now on.*shakes hands anew/,
  ],
  [
    'another preshared key',
    [peer(1, { presharedKey: testKey(8) })],
    patch('/peers/p1', { presharedKey: testKey(9) }),
    'rehandshake',
    /presharedKey: another/,
  ],
  [
    'the same preshared key',
    [peer(1, { presharedKey: testKey(8) })],
    patch('/peers/p1', { presharedKey: testKey(8) }),
    'none',
    /^$/,
  ],
  ['an endpoint alone is no step', [peer(1)], patch('/peers/p1', { endpoint: '192.0.2.1:9' }), 'none', /^$/],
  ['a name', [peer(1)], patch('/peers/p1', { name: 'q' }), 'none', /^$/],
  [
    'more allowed IPs',
    [peer(1)],
    patch('/peers/p1', { allowedIps: ['192.168.1.0/24'] }),
    'none',
    /allowedIps: \+192\.168\.1\.0\/24/,
  ],
  [
    'fewer allowed IPs',
    [peer(1, { allowedIps: ['192.168.1.0/24'] })],
    patch('/peers/p1', { allowedIps: [] }),
    'interrupt',
    /allowedIps: -192\.168\.1\.0\/24\): packets of and to the addresses that it loses/,
  ],
  ['a blackhole', [], post('/routes', { prefix: '172.16.0.0/12', blackhole: true }), 'none', /leads nowhere/],
  [
    'a route goes',
    [post('/routes', { prefix: '0.0.0.0/0', interface: 'wg0' })],
    del('/routes?vrf=default&prefix=0.0.0.0/0'),
    'interrupt',
    /shorter prefix, or are dropped/,
  ],
  ['a VRF', [], blue, 'none', /VRF blue is made/],
  ['a VRF goes', [blue], del('/vrfs/blue'), 'interrupt', /VRF blue ends/],
  ['a host interface', [], host, 'none', /interface host0 comes up in default/],
  ['a host interface goes', [host], del('/host-interfaces/host0'), 'interrupt', /what goes over it is cut off/],
  ['a port', [], lan, 'none', /address 192\.168\.9\.1\/24 of lan is answered on/],
  ['a port goes', [lan], del('/ports/lan'), 'interrupt', /interface lan ends/],
  [
    'a masquerade',
    [],
    post('/masquerades', { prefix: '10.77.0.0/24' }),
    'none',
    /packets of 10\.77\.0\.0\/24 get the address they leave by/,
  ],
  [
    'a masquerade goes',
    [post('/masquerades', { prefix: '10.77.0.0/24' })],
    del('/masquerades/default/10.77.0.0%2F24'),
    'interrupt',
    /its translations end/,
  ],
  [
    'a published port',
    [peer(1)],
    post('/published-ports', { protocol: 'tcp', hostPort: 80, address: '10.77.0.2', port: 8080 }),
    'none',
    /tcp\/\*:80 becomes 10\.77\.0\.2:8080/,
  ],
  [
    'a floating address',
    [peer(1)],
    post('/floating-ips', { id: 'mail', address: '192.0.2.9', fixedAddress: '10.77.0.2' }),
    'none',
    /192\.0\.2\.9 becomes 10\.77\.0\.2/,
  ],
  ['limits of NAT', [], patch('/nat-settings', { udpSeconds: 60 }), 'none', /limits of translations/],
  ['the MTU', [peer(1)], patch('', { mtu: 1300 }), 'none', /mtu: 1420 -> 1300/],
  ['the listen port', [peer(1)], patch('', { listenPort: 51999 }), 'rehandshake', /its peers shake hands anew/],
  [
    'a stricter source check',
    [peer(1)],
    patch('', { sourceCheck: 'strict' }),
    'interrupt',
    /sourceCheck: off -> strict/,
  ],
  [
    'a network',
    [peer(1), peer(2)],
    patch('', { networks: ['10.77.0.0/24', '10.78.0.0/24'] }),
    'none',
    /peer p2 changes \(allowedIps: \+10\.78\.0\.3\/32\)/,
  ],
];

for (const [name, before, change, effect, words] of rows)
  test(name, async () => {
    await withWorld(async (world) => {
      for (const asked of before) assert.ok((await make(world, asked)) < 300, JSON.stringify(asked));
      await world.gateway.poll();
      const preview = await same(world, change);
      assert.equal(preview!.effect, effect);
      assert.match(preview!.steps.map(({ text }) => text).join('\n'), words);
      assert.equal(preview!.storedVersion, preview!.from);
    });
  });

test('whatever is changed, in whatever order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyChange, { minLength: 4, maxLength: 20 }), async (changes) => {
      await withWorld(async (world) => {
        for (const asked of changes) await same(world, asked);
      });
    }),
    { numRuns: 25 },
  );
});

const many = (count: number): Asked =>
  post('/ports', {
    name: 'lan',
    device: 'eth1',
    addresses: Array.from({ length: count }, (_, i) => `192.168.${i}.1/24`),
  });

test('the interlock counts what a gateway that was away has missed as well, and a confirmation shows all that it lets go', async () => {
  await withWorld(async (world) => {
    const prefix = (i: number): string => `172.16.${i}.0/24`;
    for (let i = 0; i < 20; i++)
      assert.equal(await make(world, post('/routes', { prefix: prefix(i), blackhole: true })), 201);
    await world.gateway.poll();
    const verdicts: boolean[] = [];
    for (let i = 0; i < 11; i++) {
      const asked = del(`/routes?vrf=default&prefix=${prefix(i)}`);
      const preview = await look(world, asked);
      verdicts.push(preview!.interlock.held);
      assert.deepEqual([preview!.counts.steps, preview!.stepsFrom], [1, preview!.from]);
      assert.equal(await make(world, asked), 200);
    }
    assert.deepEqual(verdicts, [...Array.from({ length: 9 }, () => false), true, true]);
    const waiting = await world.gateway.poll();
    assert.equal(waiting.held, 'the controller would remove 11 of 20 routes');
    const more = await look(world, post('/routes', { prefix: prefix(30), blackhole: true }));
    assert.deepEqual(more!.interlock, { held: true, reason: waiting.held });
    const confirming = await look(world, post('/confirm-shrink'));
    assert.deepEqual([confirming!.counts.steps, confirming!.interlock.held], [11, false]);
    assert.equal(confirming!.stepsFrom, world.gateway.version);
    assert.equal(await make(world, post('/confirm-shrink')), 200);
    assert.deepEqual(shownSteps(confirming!), stepsOf(await world.gateway.poll()));
  });
});

test('a gateway with a state that the store has lost takes nothing before it is confirmed', async () => {
  await withWorld(async (world) => {
    const gateway = world.desk.roster.of(world.desk.desired.get('v').row.id)!;
    gateway.lost = true;
    gateway.row.storedVersion = 7;
    const { interlock } = (await look(world, peer(1)))!;
    assert.deepEqual(interlock, { held: true, reason: 'the gateway has a later state, which the store has lost' });
    const confirming = await look(world, post('/confirm-shrink'));
    assert.deepEqual(
      [confirming!.interlock.held, confirming!.stepsFrom],
      [false, null],
      'what it would do cannot be told',
    );
  });
});

test('a revoked gateway goes on with what it has', async () => {
  await withWorld(async (world) => {
    const asked = post('/revoke');
    const preview = await look(world, asked);
    assert.deepEqual([preview!.from, preview!.to, preview!.steps], [1, 1, []]);
    assert.match(preview!.notes.join('\n'), /refused from then on; it goes on forwarding/);
    assert.deepEqual((await world.gateway.poll()).held, null, 'it was not revoked');
    assert.equal(await make(world, asked), 200);
    await assert.rejects(world.gateway.poll(), /not known here any more/);
    assert.equal(await look(world, asked), null);
  });
});

test('the interlock holds what removes a fifth of a kind, and at least ten', async () => {
  for (const [count, held] of [
    [9, false],
    [10, true],
  ] as const)
    await withWorld(async (world) => {
      await make(world, many(count));
      await world.gateway.poll();
      if (!held) return void assert.equal((await same(world, del('/ports/lan')))!.interlock.held, false);
      // What would be done is said all the same: it is what a confirmation lets go.
      const preview = await look(world, del('/ports/lan'));
      assert.deepEqual(preview!.interlock, { held: true, reason: 'the controller would remove 10 of 11 addresses' });
      assert.equal(await make(world, del('/ports/lan')), 200);
      const waiting = await world.gateway.poll();
      assert.deepEqual([waiting.held, waiting.steps], [preview!.interlock.reason, []]);
      assert.equal(await make(world, post('/confirm-shrink')), 200);
      assert.deepEqual(shownSteps(preview!), stepsOf(await world.gateway.poll()));
    });
});
