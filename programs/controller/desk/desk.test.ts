import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createPeerRequest } from '@vrouter/api/rest/peers.ts';
import { createRouteRequest } from '@vrouter/api/rest/routes.ts';
import { type CreateVrouterRequest, createVrouterRequest, type Vrouter } from '@vrouter/api/rest/vrouters.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import fc from 'fast-check';
import { firstPage, openDesk, type TestDesk, tester } from '../testing/store.ts';
import { changeVrouter } from './change-vrouter.ts';
import { readEndpoint, readEndpointAndPort } from './endpoint.ts';
import { createPeer, listPeers, removePeer, showPeer, wgQuick } from './peers.ts';
import { createRoute, createVrf, listRoutes, listVrfs, removeRoute, removeVrf } from './routes.ts';
import { createVrouter, listVrouters, removeVrouter } from './vrouters.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-desk-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const open = () => openDesk(join(folder, `${files++}.db`));

/** A key that is one as far as its form goes; `n` tells them apart. */
function key(n: number): string {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt32BE(n);
  return bytes.toString('base64');
}

const make = (desk: TestDesk, input: CreateVrouterRequest) =>
  createVrouter(desk, tester, createVrouterRequest.parse(input));
const peer = (desk: TestDesk, name: string, n: number, more: object = {}) =>
  createPeer(desk, tester, 'v', createPeerRequest.parse({ name, publicKey: key(n), ...more }));
const route = (desk: TestDesk, input: object) => createRoute(desk, tester, 'v', createRouteRequest.parse(input));

const vrfs = (desk: TestDesk) => listVrfs(desk, 'v', firstPage).rows.map((row) => row.name);

function is(code: string, field?: string) {
  return (thrown: unknown): boolean => {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.equal(thrown.problem.code, code, thrown.message);
    if (field !== undefined) assert.equal(thrown.problem.field, field);
    return true;
  };
}

test('a vrouter gets the first address of each network and a join string', async () => {
  const desk = await open();
  const { vrouter, join: joining } = await make(desk, {
    name: 'v',
    networks: ['10.1.0.0/16', '2001:db8::/64', '192.0.2.4/31'],
  });
  assert.deepEqual(vrouter.addresses, ['10.1.0.1/16', '2001:db8::1/64', '192.0.2.4/31']);
  assert.equal(vrouter.endpoint, '127.0.0.1:51820');
  assert.equal(vrouter.status.version, 1);
  assert.match(joining.string, /^https:\/\/127\.0\.0\.1:8443\/#vrj_[a-z0-9]{8}_[A-Za-z0-9_-]{43}~[0-9a-f]{64}$/);
  assert.equal(joining.expiresUnixMs, desk.clock.unixMs + 3_600_000);
  assert.deepEqual(
    (await listVrouters(desk, firstPage)).rows.map((row) => row.name),
    ['v'],
  );
  await desk.db.destroy();
});

for (const [name, input, code, field] of [
  ['a bad name', { name: '-x' }, 'name.invalid', 'name'],
  ['host bits', { name: 'v', networks: ['10.0.0.1/24'] }, 'prefix.invalid', 'networks[0]'],
  [
    'overlapping networks',
    { name: 'v', networks: ['10.0.0.0/8', 'fd00::/8', '10.9.0.0/16'] },
    'network.overlap',
    'networks[2]',
  ],
  ['a bad endpoint', { name: 'v', endpoint: 'a b' }, 'address.invalid', 'endpoint'],
  ['every address', { name: 'v', networks: ['0.0.0.0/0'] }, 'prefix.invalid', 'networks[0]'],
  ['every IPv6 address', { name: 'v', networks: ['10.0.0.0/8', '::/0'] }, 'prefix.invalid', 'networks[1]'],
  ['no room for a peer', { name: 'v', networks: ['10.0.0.1/32'] }, 'prefix.invalid', 'networks[0]'],
  ['no room for an IPv6 peer', { name: 'v', networks: ['fd00::1/128'] }, 'prefix.invalid', 'networks[0]'],
  ['a multicast network', { name: 'v', networks: ['239.0.0.0/24'] }, 'prefix.invalid', 'networks[0]'],
  ['an IPv6 multicast network', { name: 'v', networks: ['ff15::/64'] }, 'prefix.invalid', 'networks[0]'],
  ['a loopback network', { name: 'v', networks: ['127.0.0.0/24'] }, 'prefix.invalid', 'networks[0]'],
  ['a link-local network', { name: 'v', networks: ['169.254.0.0/24'] }, 'prefix.invalid', 'networks[0]'],
  ['an IPv6 link-local network', { name: 'v', networks: ['fe80::/64'] }, 'prefix.invalid', 'networks[0]'],
  ['a mapped network', { name: 'v', networks: ['::ffff:10.0.0.0/120'] }, 'prefix.invalid', 'networks[0]'],
  ['"this" network', { name: 'v', networks: ['0.1.0.0/16'] }, 'prefix.invalid', 'networks[0]'],
  ['a network with loopback in it', { name: 'v', networks: ['126.0.0.0/7'] }, 'prefix.invalid', 'networks[0]'],
] as const)
  test(`no vrouter with ${name}`, async () => {
    const desk = await open();
    await assert.rejects(
      make(desk, { ...input, networks: 'networks' in input ? [...input.networks] : undefined }),
      is(code, field),
    );
    assert.deepEqual((await listVrouters(desk, firstPage)).rows, []);
    await desk.db.destroy();
  });

test('peers get the lowest free address, whatever came and went', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9), { maxLength: 40 }), async (numbers) => {
      const desk = await open();
      await make(desk, { name: 'v', networks: ['10.0.0.0/28', 'fd00::/120'] });
      const there = new Map<number, number>();
      for (const n of numbers) {
        if (there.has(n)) {
          await removePeer(desk, tester, 'v', n % 2 === 0 ? `p${n}` : key(n));
          there.delete(n);
          continue;
        }
        let lowest = 2;
        while ([...there.values()].includes(lowest)) lowest++;
        const made = await peer(desk, `p${n}`, n);
        assert.deepEqual(made.peer.addresses, [`10.0.0.${lowest}/32`, `fd00::${lowest.toString(16)}/128`]);
        there.set(n, lowest);
      }
      assert.equal((await listPeers(desk, 'v', firstPage)).rows.length, there.size);
      await desk.db.destroy();
    }),
    { numRuns: 15 },
  );
});

test('a network that is full says so and nothing is half done', async () => {
  const desk = await open();
  await make(desk, { name: 'v', networks: ['fd00::/64', '10.0.0.0/30'] });
  await peer(desk, 'a', 1);
  await assert.rejects(peer(desk, 'b', 2), is('pool.exhausted'));
  assert.equal((await listPeers(desk, 'v', firstPage)).rows.length, 1);
  await removePeer(desk, tester, 'v', 'a');
  const again = await peer(desk, 'b', 2);
  assert.deepEqual(again.peer.addresses, ['fd00::2/128', '10.0.0.2/32']);
  await desk.db.destroy();
});

test('what a peer may not be', async () => {
  const desk = await open();
  await make(desk, { name: 'v' });
  await peer(desk, 'a', 1, { allowedIps: ['192.168.1.0/24'] });
  await route(desk, { prefix: '172.16.0.0/12', interface: 'wg0' });
  const tries: readonly [() => Promise<unknown>, string, string][] = [
    [() => peer(desk, 'a', 2), 'peer.exists', 'name'],
    [() => peer(desk, 'b', 1), 'peer.exists', 'publicKey'],
    [() => peer(desk, '../b', 2), 'name.invalid', 'name'],
    [() => peer(desk, 'b', 2, { publicKey: 'x' }), 'key.invalid', 'publicKey'],
    [() => peer(desk, 'b', 2, { presharedKey: 'x' }), 'key.invalid', 'presharedKey'],
    [() => peer(desk, 'b', 2, { endpoint: 'example' }), 'address.invalid', 'endpoint'],
    [() => peer(desk, 'b', 2, { allowedIps: ['10.0.0.0/8', '192.168.1.7/24'] }), 'prefix.invalid', 'allowedIps[1]'],
    [() => peer(desk, 'b', 2, { allowedIps: ['0.0.0.0/0', '224.0.0.0/4'] }), 'prefix.invalid', 'allowedIps[1]'],
    [() => peer(desk, 'b', 2, { allowedIps: ['::1'] }), 'prefix.invalid', 'allowedIps[0]'],
    [() => peer(desk, 'b', 2, { allowedIps: ['10.9.0.0/16', '192.168.1.0/24'] }), 'peer.overlap', 'allowedIps[1]'],
    [() => peer(desk, 'b', 2, { allowedIps: ['10.77.0.2/32'] }), 'peer.overlap', 'allowedIps[0]'],
    [() => peer(desk, 'b', 2, { allowedIps: ['10.77.0.1/32'] }), 'peer.overlap', 'allowedIps[0]'],
    [() => peer(desk, 'b', 2, { allowedIps: ['10.77.0.0/24'] }), 'peer.overlap', 'allowedIps[0]'],
    [() => peer(desk, 'b', 2, { allowedIps: ['172.16.0.0/12'] }), 'route.exists', 'allowedIps[0]'],
  ];
  for (const [attempt, code, field] of tries) await assert.rejects(attempt, is(code, field));
  await assert.rejects(
    peer(desk, 'b', 2, { allowedIps: ['192.168.1.0/24'] }),
    (thrown) => thrown instanceof ProblemError && thrown.message.includes('"a"'),
  );
  assert.equal((await listPeers(desk, 'v', firstPage)).rows.length, 1);
  const nested = await peer(desk, 'b', 2, { allowedIps: ['192.168.1.128/25', '10.77.0.3/32'] });
  assert.deepEqual(
    nested.peer.addresses,
    ['10.77.0.4/32', 'fd77::3/128'],
    'an address that is spoken for is passed over',
  );
  await desk.db.destroy();
});

test('a wg-quick file is all but the private key', async () => {
  const desk = await open();
  await make(desk, { name: 'v', endpoint: 'vpn.example:4500', mtu: 1380 });
  await peer(desk, 'a', 1, { presharedKey: key(9) });
  const text = wgQuick(await showPeer(desk, 'v', key(1)));
  for (const line of [
    'PrivateKey = <yours>',
    'Address = 10.77.0.2/32, fd77::2/128',
    'MTU = 1380',
    'AllowedIPs = 10.77.0.0/24, fd77::/64',
    'Endpoint = vpn.example:4500',
  ])
    assert.ok(text.split('\n').includes(line), text);
  assert.ok(!text.includes(key(9)), 'a preshared key is not told again');
  await assert.rejects(showPeer(desk, 'v', 'nobody'), is('peer.notFound'));
  await desk.db.destroy();
});

test('routes and VRFs', async () => {
  const desk = await open();
  await make(desk, { name: 'v' });
  await peer(desk, 'a', 1, { allowedIps: ['192.168.1.0/24'] });
  await createVrf(desk, tester, 'v', 'blue');
  assert.deepEqual(vrfs(desk), ['default', 'blue']);
  await route(desk, { vrf: 'blue', prefix: '10.77.0.0/24', interface: 'wg0' });
  await route(desk, { prefix: '203.0.113.0/24', blackhole: true });
  assert.deepEqual(
    listRoutes(desk, 'v', firstPage).rows.map((row) => `${row.vrf} ${row.prefix}`),
    ['blue 10.77.0.0/24', 'default 203.0.113.0/24'],
  );
  const noNextHop = route(desk, { prefix: '10.0.0.0/8', interface: 'wg0', nextHop: '10.77.0.2' });
  await assert.rejects(noNextHop, is('input.invalid', 'nextHop'));
  await assert.rejects(noNextHop, /allowed IPs/);
  const multicast = route(desk, { prefix: '224.0.0.0/4', interface: 'wg0' });
  await assert.rejects(multicast, is('prefix.invalid', 'prefix'));
  const tries: readonly [() => Promise<unknown>, string][] = [
    [() => createVrf(desk, tester, 'v', 'blue'), 'intent.exists'],
    [() => createVrf(desk, tester, 'v', 'default'), 'intent.exists'],
    [() => route(desk, { vrf: 'red', prefix: '10.0.0.0/8', interface: 'wg0' }), 'intent.reference'],
    [() => route(desk, { prefix: '10.0.0.0/8', interface: 'eth0' }), 'interface.notFound'],
    [() => route(desk, { prefix: '203.0.113.0/24', interface: 'wg0' }), 'route.exists'],
    [() => route(desk, { prefix: '192.168.1.0/24', interface: 'wg0' }), 'route.exists'],
    [() => route(desk, { prefix: '10.0.0.0/8' }), 'input.invalid'],
    [() => route(desk, { prefix: '10.0.0.0/8', interface: 'wg0', nextHop: 'fd77::2' }), 'input.invalid'],
    [() => removeRoute(desk, tester, 'v', 'default', '10.99.0.0/16'), 'route.notFound'],
    [() => removeVrf(desk, tester, 'v', 'blue'), 'intent.reference'],
    [() => removeVrf(desk, tester, 'v', 'default'), 'intent.notFound'],
  ];
  for (const [attempt, code] of tries) await assert.rejects(attempt, is(code));
  await removeRoute(desk, tester, 'v', 'blue', '10.77.0.0/24');
  await removeVrf(desk, tester, 'v', 'blue');
  assert.deepEqual(vrfs(desk), ['default']);
  await desk.db.destroy();
});

test('MSS clamp and source check of the interface are as said, else what people expect', async () => {
  const desk = await open();
  const guards = ({ mssClamp, sourceCheck }: Vrouter) => [mssClamp, sourceCheck];
  assert.deepEqual(guards((await make(desk, { name: 'v' })).vrouter), ['auto', 'off']);
  await make(desk, { name: 'w', mssClamp: 'off', sourceCheck: 'loose' });
  assert.deepEqual((await listVrouters(desk, firstPage)).rows.map(guards), [
    ['auto', 'off'],
    ['off', 'loose'],
  ]);
  const intent = desk.desired.get('w').intent('gatewayInterface', 'gatewayInterface/wg0');
  assert.deepEqual([intent?.mssClamp, intent?.sourceCheck], ['off', 'loose']);
  const changed = await changeVrouter(desk, tester, 'w', { sourceCheck: 'strict' });
  assert.deepEqual([changed.version, ...guards(changed.vrouter)], [2, 'off', 'strict']);
  const { listenPort, mtu, vrf } = intent!;
  const after = desk.desired.get('w').intent('gatewayInterface', 'gatewayInterface/wg0')!;
  assert.deepEqual([after.listenPort, after.mtu, after.vrf, after.mssClamp], [listenPort, mtu, vrf, 'off']);
  assert.equal(
    (await changeVrouter(desk, tester, 'w', { sourceCheck: 'strict' })).version,
    2,
    'nothing new, no version',
  );
  await assert.rejects(changeVrouter(desk, tester, 'x', { mssClamp: 'off' }), is('vrouter.notFound', 'name'));
  await desk.db.destroy();
});

test('a vrouter in a VRF of its own: networks, peers and routes are there', async () => {
  const desk = await open();
  const { vrouter } = await make(desk, { name: 'v', vrf: 'blue' });
  assert.equal(vrouter.vrf, 'blue');
  assert.deepEqual(vrfs(desk), ['default', 'blue']);
  await peer(desk, 'a', 1, { allowedIps: ['192.168.1.0/24'] });
  await route(desk, { prefix: '192.168.1.0/24', blackhole: true });
  await assert.rejects(route(desk, { vrf: 'blue', prefix: '192.168.1.0/24', blackhole: true }), is('route.exists'));
  await route(desk, { vrf: 'blue', prefix: '192.168.2.0/24', blackhole: true });
  await assert.rejects(peer(desk, 'b', 2, { allowedIps: ['192.168.2.0/24'] }), is('route.exists', 'allowedIps[0]'));
  await removeRoute(desk, tester, 'v', 'blue', '192.168.2.0/24');
  await assert.rejects(removeVrf(desk, tester, 'v', 'blue'), is('intent.reference', 'vrf'));
  await assert.rejects(make(desk, { name: 'w', vrf: '../x' }), is('name.invalid', 'vrf'));
  await desk.db.destroy();
});

for (const [endpoint, port, expected] of [
  ['vpn.example', undefined, ['vpn.example:51820', 51_820]],
  ['vpn.example:21820', undefined, ['vpn.example:21820', 21_820]],
  ['[2001:db8::1]:9', undefined, ['[2001:db8::1]:9', 9]],
  ['2001:db8::1', undefined, ['[2001:db8::1]:51820', 51_820]],
  ['vpn.example', 5000, ['vpn.example:5000', 5000]],
  ['vpn.example:443', 5000, ['vpn.example:443', 5000]],
] as const)
  test(`endpoint ${endpoint} and listenPort ${port ?? 'not given'}`, () => {
    const read = readEndpointAndPort(endpoint, port);
    assert.deepEqual([read.endpoint, read.listenPort], expected);
  });

test('MTUs are those that a gateway takes', () => {
  for (const mtu of [1279, 9217, 65_535]) assert.throws(() => createVrouterRequest.parse({ name: 'v', mtu }));
  for (const mtu of [1280, 9216]) assert.equal(createVrouterRequest.parse({ name: 'v', mtu }).mtu, mtu);
});

test('a vrouter that is gone leaves nothing behind, and its name is free', async () => {
  const desk = await open();
  await make(desk, { name: 'v' });
  await peer(desk, 'a', 1);
  await removeVrouter(desk, tester, 'v');
  for (const table of ['networks', 'claims', 'peers', 'tokens', 'intents', 'changes'] as const)
    assert.deepEqual(await desk.db.selectFrom(table).selectAll().execute(), [], table);
  await assert.rejects(peer(desk, 'a', 1), is('vrouter.notFound'));
  await make(desk, { name: 'v' });
  const actions = (await desk.db.selectFrom('audit').select('action').execute()).map((row) => row.action);
  assert.ok(actions.includes('vrouter.delete'));
  await desk.db.destroy();
});

for (const [text, expected] of [
  ['vpn.example', 'vpn.example:51820'],
  ['vpn.example:1', 'vpn.example:1'],
  ['192.0.2.1', '192.0.2.1:51820'],
  ['2001:db8::1', '[2001:db8::1]:51820'],
  ['[2001:db8::1]', '[2001:db8::1]:51820'],
  ['[2001:db8::1]:9', '[2001:db8::1]:9'],
  ['', null],
  ['host:0', null],
  ['host:65536', null],
  ['192.0.2.256', null],
  ['[192.0.2.1]:5', null],
  ['a b', null],
  ['x\nPostUp = reboot', null],
  ['-x.example', null],
] as const)
  test(`endpoint ${JSON.stringify(text)}`, () => {
    if (expected === null) assert.throws(() => readEndpoint(text, 51820), is('address.invalid', 'endpoint'));
    else assert.equal(readEndpoint(text, 51820), expected);
  });
