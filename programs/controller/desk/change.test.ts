/** Changing vrouters and peers in place: one version, one delta with what changed alone, and nothing of it when nothing is new. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type ChangePeerRequest, changePeerRequest, createPeerRequest } from '@vrouter/api/rest/peers.ts';
import { createRouteRequest } from '@vrouter/api/rest/routes.ts';
import { type ChangeVrouterRequest, changeVrouterRequest, createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import fc from 'fast-check';
import { firstPage, openDesk, type TestDesk, tester } from '../testing/store.ts';
import { changeVrouter } from './change-vrouter.ts';
import { changePeer, createPeer, listPeers, removePeer, showPeer } from './peers.ts';
import { createRoute } from './routes.ts';
import { createVrouter, showVrouter } from './vrouters.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-change-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

async function open(more: object = {}): Promise<TestDesk & { readonly path: string }> {
  const path = join(folder, `${files++}.db`);
  const desk = await openDesk(path);
  const input = { name: 'v', networks: ['10.0.0.0/24', 'fd00::/64'], endpoint: 'vpn.example:51820', ...more };
  await createVrouter(desk, tester, createVrouterRequest.parse(input));
  return { ...desk, path };
}

const key = (n: number): string => Buffer.alloc(32, n).toString('base64');
const keyOf = (n: number): string => `peer/wg0/${key(n)}`;
const peer = (desk: TestDesk, name: string, n: number, more: object = {}) =>
  createPeer(desk, tester, 'v', createPeerRequest.parse({ name, publicKey: key(n), ...more }));
const set = (desk: TestDesk, which: string, input: ChangePeerRequest) =>
  changePeer(desk, tester, 'v', which, changePeerRequest.parse(input));
const change = (desk: TestDesk, input: ChangeVrouterRequest) =>
  changeVrouter(desk, tester, 'v', changeVrouterRequest.parse(input));

/** Keys of the last version's delta. */
function delta(desk: TestDesk): string[] {
  const { changes, hash, version } = desk.desired.get('v');
  const before = changes.at(-2)!;
  assert.deepEqual([before.version + 1, changes.at(-1)!.hash], [version, hash]);
  return desk.desired
    .get('v')
    .opsSince(before.version, before.hash)!
    .map((op) => op.key);
}

function is(code: string, field?: string) {
  return (thrown: unknown): boolean => {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.equal(thrown.problem.code, code, thrown.message);
    if (field !== undefined) assert.equal(thrown.problem.field, field);
    return true;
  };
}

test('everything of a peer in one version that tells of this peer alone, and is there after a restart', async () => {
  const desk = await open();
  await peer(desk, 'a', 1, { allowedIps: ['192.168.1.0/24', '192.168.2.0/24'], endpoint: '192.0.2.1:1' });
  await peer(desk, 'b', 2);
  const before = desk.desired.get('v').version;
  const heard: string[] = [];
  desk.events.subscribe((event) => heard.push(`${event.type} ${event.subject}`));
  const { peer: changed, version } = await set(desk, 'a', {
    name: 'z',
    allowedIps: ['192.168.2.0/24', '192.168.3.0/24', '10.0.0.2/32'],
    endpoint: '192.0.2.2:2',
    persistentKeepalive: 25,
    presharedKey: key(9),
  });
  assert.equal(version, before + 1);
  assert.deepEqual(delta(desk), [keyOf(1)]);
  assert.deepEqual(heard, ['peer.changed z']);
  assert.deepEqual(
    [changed.name, changed.endpoint, changed.persistentKeepalive, changed.hasPresharedKey, changed.addresses],
    ['z', '192.0.2.2:2', 25, true, ['10.0.0.2/32', 'fd00::2/128']],
  );
  assert.deepEqual(changed.allowedIps, ['10.0.0.2/32', '192.168.2.0/24', '192.168.3.0/24', 'fd00::2/128']);
  await assert.rejects(showPeer(desk, 'v', 'a'), is('peer.notFound'));
  const again = await openDesk(desk.path);
  assert.deepEqual((await showPeer(again, 'v', 'z')).peer, changed);
  await again.db.destroy();
  // What it let go of is free, what it has is not, under the new name too; the old name is free.
  await peer(desk, 'a', 3, { allowedIps: ['192.168.1.0/24'] });
  await assert.rejects(peer(desk, 'd', 4, { allowedIps: ['192.168.3.0/24'] }), /"z"/);
  await removePeer(desk, tester, 'v', 'z');
  await peer(desk, 'd', 4, { allowedIps: ['192.168.3.0/24', '192.168.2.0/24'] });
  assert.deepEqual((await showPeer(desk, 'v', 'd')).peer.addresses, ['10.0.0.2/32', 'fd00::2/128']);
  await desk.db.destroy();
});

test('what is left out stays, null takes away, and nothing new makes no version and no event', async () => {
  const desk = await open();
  const more = {
    allowedIps: ['192.168.1.0/24'],
    endpoint: '192.0.2.1:1',
    presharedKey: key(8),
    persistentKeepalive: 5,
  };
  const { peer: made } = await peer(desk, 'a', 1, more);
  let events = 0;
  desk.events.subscribe(() => events++);
  const { version } = desk.desired.get('v');
  for (const same of [{}, { name: 'a' }, { ...more }, { allowedIps: ['10.0.0.2/32', '192.168.1.0/24'] }]) {
    const answer = await set(desk, 'a', same);
    assert.deepEqual([answer.version, answer.peer, events], [version, made, 0]);
  }
  const { peer: bare } = await set(desk, key(1), { endpoint: null, presharedKey: null, allowedIps: [] });
  assert.deepEqual([bare.endpoint, bare.hasPresharedKey, bare.persistentKeepalive], [null, false, 5]);
  assert.deepEqual(bare.allowedIps, ['10.0.0.2/32', 'fd00::2/128']);
  assert.equal(desk.desired.get('v').version, version + 1);
  await desk.db.destroy();
});

test('what a peer may not become; nothing is half done', async () => {
  const desk = await open();
  await peer(desk, 'a', 1, { allowedIps: ['192.168.1.0/24'] });
  await peer(desk, 'b', 2, { allowedIps: ['192.168.2.0/24'] });
  await createRoute(desk, tester, 'v', createRouteRequest.parse({ prefix: '172.16.0.0/12', blackhole: true }));
  const claims = () => desk.db.selectFrom('claims').selectAll().orderBy('prefix').execute();
  const before = [desk.desired.get('v').version, (await listPeers(desk, 'v', firstPage)).rows, await claims()];
  const tries: readonly [ChangePeerRequest, string, string][] = [
    [{ name: 'b' }, 'peer.exists', 'name'],
    [{ name: '../b' }, 'name.invalid', 'name'],
    [{ presharedKey: 'x' }, 'key.invalid', 'presharedKey'],
    [{ endpoint: 'x' }, 'address.invalid', 'endpoint'],
    [{ name: 'c', allowedIps: ['10.9.0.0/16', '192.168.2.0/24'] }, 'peer.overlap', 'allowedIps[1]'],
    [{ name: 'c', allowedIps: ['10.0.0.3/32'] }, 'peer.overlap', 'allowedIps[0]'],
    [{ name: 'c', allowedIps: ['10.0.0.0/24'] }, 'peer.overlap', 'allowedIps[0]'],
    [{ name: 'c', allowedIps: ['192.168.1.0/24', '172.16.0.0/12'] }, 'route.exists', 'allowedIps[1]'],
    [{ allowedIps: ['192.168.1.1/24'] }, 'prefix.invalid', 'allowedIps[0]'],
  ];
  for (const [input, code, field] of tries) await assert.rejects(set(desk, 'a', input), is(code, field));
  await assert.rejects(set(desk, 'nobody', {}), is('peer.notFound'));
  assert.deepEqual(
    [desk.desired.get('v').version, (await listPeers(desk, 'v', firstPage)).rows, await claims()],
    before,
  );
  await desk.db.destroy();
});

test('whatever is renamed and moved about, claims are those of the peers', async () => {
  const prefixes = ['192.168.0.0/24', '192.168.1.0/24', '192.168.2.0/24', '10.0.0.5/32'];
  const step = fc.record({
    which: fc.nat(2),
    name: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { nil: undefined }),
    allowedIps: fc.option(fc.subarray(prefixes), { nil: undefined }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
      const desk = await open();
      for (const n of [1, 2, 3]) await peer(desk, ['a', 'b', 'c'][n - 1]!, n);
      for (const { which, name, allowedIps } of steps) {
        const input = { ...(name && { name }), ...(allowedIps && { allowedIps }) };
        await set(desk, key(which + 1), input).catch((thrown) => assert.ok(thrown instanceof ProblemError, thrown));
      }
      const { rows } = await listPeers(desk, 'v', firstPage);
      const wanted = rows.flatMap((row) => row.allowedIps.map((prefix) => `${row.name} ${prefix}`)).sort();
      const held = await desk.db.selectFrom('claims').selectAll().where('owner', '!=', '').execute();
      assert.deepEqual(held.map(({ owner, prefix }) => `${owner} ${prefix}`).sort(), wanted);
      await desk.db.destroy();
    }),
    { numRuns: 20 },
  );
});

test('port, MTU and guards of a vrouter in one version; peers hear of port and MTU', async () => {
  const desk = await open();
  await peer(desk, 'a', 1);
  const { vrouter, version } = await change(desk, {
    listenPort: 5000,
    mtu: 1380,
    mssClamp: 'off',
    sourceCheck: 'loose',
  });
  assert.equal(version, 3);
  assert.deepEqual(delta(desk), ['gatewayInterface/wg0']);
  assert.deepEqual([vrouter.listenPort, vrouter.mtu, vrouter.endpoint], [5000, 1380, 'vpn.example:5000']);
  const { gateway } = await showPeer(desk, 'v', 'a');
  assert.deepEqual([gateway.mtu, gateway.endpoint], [1380, 'vpn.example:5000']);
  const intent = desk.desired.get('v').intent('gatewayInterface', 'gatewayInterface/wg0')!;
  assert.deepEqual([intent.listenPort, intent.mtu, intent.mssClamp, intent.sourceCheck], [5000, 1380, 'off', 'loose']);
  const again = await openDesk(desk.path);
  assert.deepEqual(await showVrouter(again, 'v'), vrouter);
  await again.db.destroy();
  assert.equal((await change(desk, { listenPort: 5000, mtu: 1380 })).version, 3, 'nothing new');
  await desk.db.destroy();
});

for (const [what, made, input, endpoint, versions] of [
  ['an endpoint alone', 'h:51820', { endpoint: 'g.example:7' }, 'g.example:7', 0],
  ['an endpoint without a port has the one that is listened on', 'h:1', { endpoint: 'g.example' }, 'g.example:1', 0],
  ['a port behind a NAT', 'h:7', { listenPort: 5000 }, 'h:5000', 1],
  ['both', 'h:51820', { listenPort: 5000, endpoint: 'g.example:7' }, 'g.example:7', 1],
  [
    'both, the endpoint without a port',
    'h:51820',
    { listenPort: 5000, endpoint: '2001:db8::1' },
    '[2001:db8::1]:5000',
    1,
  ],
] as const)
  test(`where peers connect to: ${what}`, async () => {
    const desk = await open({ endpoint: made });
    let events = 0;
    desk.events.subscribe(() => events++);
    const { vrouter, version } = await change(desk, input);
    assert.deepEqual([vrouter.endpoint, version, events], [endpoint, 1 + versions, 1]);
    await desk.db.destroy();
  });

test('an endpoint with a port of its own stays when the port changes', async () => {
  const desk = await open({ endpoint: 'h:7', listenPort: 51820 });
  assert.equal((await change(desk, { listenPort: 5000 })).vrouter.endpoint, 'h:7');
  await assert.rejects(change(desk, { endpoint: 'a b' }), is('address.invalid', 'endpoint'));
  await desk.db.destroy();
});

test('a network more: gateway and every peer get an address of it, in one version', async () => {
  const desk = await open();
  for (const n of [1, 2, 3]) await peer(desk, `p${n}`, n, n === 2 ? { allowedIps: ['10.8.0.2/32'] } : {});
  const networks = ['fd00::/64', '10.0.0.0/24', '10.8.0.0/29'];
  const { vrouter, version } = await change(desk, { networks });
  assert.equal(version, 5);
  assert.deepEqual(vrouter.networks, ['10.0.0.0/24', 'fd00::/64', '10.8.0.0/29'], 'in the order in which they came');
  assert.deepEqual(vrouter.addresses.at(-1), '10.8.0.1/29');
  assert.deepEqual(delta(desk).sort(), ['address/wg0/10.8.0.1/29', keyOf(1), keyOf(2), keyOf(3)].sort());
  const { rows } = await listPeers(desk, 'v', firstPage);
  assert.deepEqual(
    rows.map((row) => row.addresses.at(-1)),
    ['10.8.0.3/32', '10.8.0.4/32', '10.8.0.5/32'],
    'what is spoken for is passed over',
  );
  for (const row of rows) for (const address of row.addresses) assert.ok(row.allowedIps.includes(address));
  assert.equal((await change(desk, { networks })).version, 5, 'nothing new');
  assert.deepEqual((await peer(desk, 'p4', 4)).peer.addresses, ['10.0.0.5/32', 'fd00::5/128', '10.8.0.6/32']);
  await removePeer(desk, tester, 'v', 'p1');
  assert.deepEqual((await peer(desk, 'p5', 5)).peer.addresses, ['10.0.0.2/32', 'fd00::2/128', '10.8.0.3/32']);
  const again = await openDesk(desk.path);
  assert.deepEqual((await listPeers(again, 'v', firstPage)).rows, (await listPeers(desk, 'v', firstPage)).rows);
  await again.db.destroy();
  await desk.db.destroy();
});

test('networks that cannot be; nothing is half done', async () => {
  const desk = await open();
  await peer(desk, 'a', 1, { allowedIps: ['10.9.0.0/24'] });
  await peer(desk, 'b', 2);
  await createRoute(desk, tester, 'v', createRouteRequest.parse({ prefix: '10.7.0.0/24', blackhole: true }));
  const there = ['10.0.0.0/24', 'fd00::/64'];
  const before = [desk.desired.get('v').version, (await showVrouter(desk, 'v')).etag];
  const tries: readonly [string[], string, string][] = [
    [['10.0.0.0/24'], 'input.invalid', 'networks'],
    [[...there, '10.0.0.0/16'], 'network.overlap', 'networks[2]'],
    [[...there, '10.1.0.1/16'], 'prefix.invalid', 'networks[2]'],
    [[...there, '10.9.0.0/24'], 'peer.overlap', 'networks[2]'],
    [[...there, '10.7.0.0/24'], 'route.exists', 'networks[2]'],
    [[...there, '10.8.0.0/30'], 'pool.exhausted', 'networks'],
  ];
  for (const [networks, code, field] of tries)
    await assert.rejects(change(desk, { networks, mtu: 1300, endpoint: 'other' }), is(code, field), networks.join());
  const now = await showVrouter(desk, 'v');
  assert.deepEqual([desk.desired.get('v').version, now.etag], before);
  assert.deepEqual([now.mtu, now.endpoint, now.networks], [1420, 'vpn.example:51820', there]);
  await desk.db.destroy();
});
