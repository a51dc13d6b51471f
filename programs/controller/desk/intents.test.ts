/** Host interfaces, masquerades and published ports: what is stored, what is refused, and that nothing is half done. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CreateHostInterfaceRequest, createHostInterfaceRequest } from '@vrouter/api/rest/host-interfaces.ts';
import {
  type CreateMasqueradeRequest,
  type CreatePublishedPortRequest,
  createMasqueradeRequest,
  createPublishedPortRequest,
} from '@vrouter/api/rest/nat.ts';
import { createPeerRequest } from '@vrouter/api/rest/peers.ts';
import { createRouteRequest } from '@vrouter/api/rest/routes.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { firstPage, openDesk, type TestDesk, tester } from '../testing/store.ts';
import { createHostInterface, listHostInterfaces, removeHostInterface, showHostInterface } from './host-interfaces.ts';
import {
  createMasquerade,
  createPublishedPort,
  listMasquerades,
  listPublishedPorts,
  removeMasquerade,
  removePublishedPort,
  showMasquerade,
  showPublishedPort,
} from './nat.ts';
import { createPeer } from './peers.ts';
import { createRoute, createVrf, removeRoute, removeVrf } from './routes.ts';
import { createVrouter } from './vrouters.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-desk-intents-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** A desk with the vrouter `v`, networks 10.77.0.0/24 and fd77::/64. */
async function open(): Promise<TestDesk & { readonly path: string }> {
  const path = join(folder, `${files++}.db`);
  const desk = await openDesk(path);
  await createVrouter(desk, tester, createVrouterRequest.parse({ name: 'v' }));
  return { ...desk, path };
}

const host = (desk: TestDesk, input: CreateHostInterfaceRequest) =>
  createHostInterface(desk, tester, 'v', createHostInterfaceRequest.parse(input));
const masquerade = (desk: TestDesk, input: CreateMasqueradeRequest) =>
  createMasquerade(desk, tester, 'v', createMasqueradeRequest.parse(input));
const publish = (desk: TestDesk, input: Partial<CreatePublishedPortRequest>) =>
  createPublishedPort(
    desk,
    tester,
    'v',
    createPublishedPortRequest.parse({ protocol: 'tcp', hostPort: 80, address: '10.77.0.2', port: 8080, ...input }),
  );
const route = (desk: TestDesk, input: object) => createRoute(desk, tester, 'v', createRouteRequest.parse(input));
const peer = (desk: TestDesk, name: string, n: number) =>
  createPeer(desk, tester, 'v', createPeerRequest.parse({ name, publicKey: Buffer.alloc(32, n).toString('base64') }));
const port = { vrf: 'default', hostAddress: '*', protocol: 'tcp', hostPort: '80' };

function is(code: string, field?: string) {
  return (thrown: unknown): boolean => {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.equal(thrown.problem.code, code, thrown.message);
    if (field !== undefined) assert.equal(thrown.problem.field, field);
    return true;
  };
}

test('each is one version with its intent, seen by all who ask, and there after a restart', async () => {
  const desk = await open();
  const made = await host(desk, { name: 'host0', addresses: ['fd99::1/64', '10.99.0.1/24'], sourceCheck: 'strict' });
  assert.deepEqual(made, {
    hostInterface: {
      vrouter: 'v',
      name: 'host0',
      vrf: 'default',
      mtu: 1420,
      mssClamp: 'auto',
      sourceCheck: 'strict',
      addresses: ['10.99.0.1/24', 'fd99::1/64'],
      routes: [],
      problem: null,
      etag: made.hostInterface.etag,
    },
    version: 2,
  });
  const way = await masquerade(desk, { prefix: '10.77.0.0/24', leaving: ['wg0', 'host0'], addresses: ['192.0.2.7'] });
  assert.deepEqual([way.version, way.masquerade.leaving], [3, ['host0', 'wg0']]);
  const published = await publish(desk, { count: 3 });
  assert.deepEqual([published.version, published.publishedPort.hostAddress], [4, null]);
  const again = await openDesk(desk.path);
  for (const one of [desk, again]) {
    assert.deepEqual(listHostInterfaces(one, 'v', firstPage).rows, [made.hostInterface]);
    assert.deepEqual(showHostInterface(one, 'v', 'host0'), made.hostInterface);
    assert.deepEqual(listMasquerades(one, 'v', firstPage).rows, [way.masquerade]);
    assert.deepEqual(showMasquerade(one, 'v', 'default', '10.77.0.0/24'), way.masquerade);
    assert.deepEqual(listPublishedPorts(one, 'v', firstPage).rows, [published.publishedPort]);
    assert.deepEqual(showPublishedPort(one, 'v', port), published.publishedPort);
  }
  await again.db.destroy();
  const head = desk.desired.get('v');
  const ops = head.opsSince(3, head.changes[2]!.hash);
  assert.deepEqual(
    ops?.map((op) => [op.key, JSON.parse(op.body!).count]),
    [['publishedPort/default/*/tcp/80', 3]],
  );
  assert.deepEqual(await removePublishedPort(desk, tester, 'v', port), { deleted: 'default tcp/80-82', version: 5 });
  await removeMasquerade(desk, tester, 'v', 'default', '10.77.0.0/24');
  assert.deepEqual(await removeHostInterface(desk, tester, 'v', 'host0'), { deleted: 'host0', version: 7 });
  const actions = (await desk.db.selectFrom('audit').select(['action', 'outcome']).orderBy('id').execute()).slice(-6);
  assert.deepEqual(
    actions.map(({ action, outcome }) => `${action} ${outcome}`),
    ['hostInterface', 'masquerade', 'publishedPort']
      .map((kind) => `${kind}.create done`)
      .concat(['publishedPort', 'masquerade', 'hostInterface'].map((kind) => `${kind}.delete done`)),
  );
  await desk.db.destroy();
});

test('what is refused makes no version', async () => {
  const desk = await open();
  await createVrf(desk, tester, 'v', 'blue');
  await peer(desk, 'a', 1);
  await host(desk, { name: 'host0', addresses: ['10.99.0.1/24'] });
  await masquerade(desk, { prefix: '10.77.0.0/24' });
  await publish(desk, { hostPort: 7000, count: 100 });
  await route(desk, { prefix: '10.98.0.1/32', blackhole: true });
  const before = desk.desired.get('v').version;
  const tries: readonly [() => Promise<unknown>, string, string?][] = [
    [() => host(desk, { name: 'host0' }), 'intent.exists', 'name'],
    [() => host(desk, { name: 'wg0' }), 'intent.conflict', 'name'],
    [() => host(desk, { name: 'a/b' }), 'name.invalid', 'name'],
    [() => host(desk, { name: 'h', vrf: 'red' }), 'intent.reference', 'vrf'],
    [() => host(desk, { name: 'h', addresses: ['10.99.0.1'.concat('/33')] }), 'prefix.invalid', 'addresses[0]'],
    [() => host(desk, { name: 'h', addresses: ['10.99.0.1/16'] }), 'route.exists', 'addresses[0]'],
    [() => host(desk, { name: 'h', addresses: ['10.1.0.1/16', '10.77.0.1/24'] }), 'route.exists', 'addresses[1]'],
    [() => host(desk, { name: 'h', addresses: ['10.77.0.2/24'] }), 'route.exists', 'addresses[0]'],
    [() => host(desk, { name: 'h', addresses: ['10.98.0.1/24'] }), 'route.exists', 'addresses[0]'],
    [() => host(desk, { name: 'h', addresses: ['10.1.0.1/16', '10.1.0.1/24'] }), 'route.exists', 'addresses[1]'],
    [() => host(desk, { name: 'h', routes: ['10.1.0.1/16'] }), 'prefix.invalid', 'routes[0]'],
    [() => route(desk, { prefix: '10.99.0.1/32', interface: 'wg0' }), 'route.exists', 'prefix'],
    [
      () => route(desk, { prefix: '10.5.0.0/16', interface: 'host0', nextHop: '10.99.0.1' }),
      'input.invalid',
      'nextHop',
    ],
    [() => masquerade(desk, { prefix: '10.77.0.0/24' }), 'intent.exists', 'prefix'],
    [() => masquerade(desk, { prefix: 'fd77::/64' }), 'intent.unsupported', 'prefix'],
    [() => masquerade(desk, { prefix: '10.0.0.0/8', vrf: 'red' }), 'intent.reference', 'vrf'],
    [() => masquerade(desk, { prefix: '10.0.0.0/8', leaving: ['eth0', 'wg0'] }), 'interface.notFound', 'leaving[0]'],
    [() => masquerade(desk, { prefix: '10.0.0.0/8', addresses: ['x'] }), 'address.invalid', 'addresses[0]'],
    [() => publish(desk, { hostPort: 7000 }), 'intent.exists', 'hostPort'],
    [() => publish(desk, { hostPort: 7099 }), 'intent.conflict', 'hostPort'],
    [() => publish(desk, { hostPort: 6990, count: 11 }), 'intent.conflict', 'hostPort'],
    [() => publish(desk, { vrf: 'red' }), 'intent.reference', 'vrf'],
    [() => publish(desk, { hostPort: 65_535, count: 2 }), 'input.invalid', 'count'],
    [() => publish(desk, { address: 'fd77::2' }), 'intent.unsupported', 'address'],
    [() => publish(desk, { protocol: 'sctp' }), 'intent.unsupported', 'protocol'],
    [() => publish(desk, { hostAddress: '192.0.2.1', address: 'fd77::2' }), 'input.invalid', 'address'],
    [() => removeHostInterface(desk, tester, 'v', 'host1'), 'intent.notFound'],
    [() => removeHostInterface(desk, tester, 'v', 'wg0'), 'intent.notFound'],
    [() => removeMasquerade(desk, tester, 'v', 'blue', '10.77.0.0/24'), 'intent.notFound'],
    [() => removeMasquerade(desk, tester, 'v', 'default', 'x'), 'prefix.invalid', 'prefix'],
    [() => removePublishedPort(desk, tester, 'v', port), 'intent.notFound'],
    [() => removePublishedPort(desk, tester, 'v', { ...port, hostAddress: 'x' }), 'address.invalid', 'hostAddress'],
    [() => removePublishedPort(desk, tester, 'w', port), 'vrouter.notFound', 'name'],
  ];
  for (const [attempt, code, field] of tries) await assert.rejects(attempt, is(code, field));
  assert.equal(desk.desired.get('v').version, before);
  assert.deepEqual(
    (await desk.db.selectFrom('claims').select('prefix').where('owner', 'like', '%/%').execute()).length,
    1,
  );
  // Beside each other, all of them: another address, another protocol, another VRF, the first port free.
  await publish(desk, { hostPort: 7000, hostAddress: '192.0.2.7' });
  await publish(desk, { hostPort: 7000, protocol: 'udp' });
  await publish(desk, { hostPort: 7000, vrf: 'blue' });
  await publish(desk, { hostPort: 7100 });
  await host(desk, { name: 'host1', vrf: 'blue', addresses: ['10.99.0.1/24', '10.77.0.2/32'] });
  await desk.db.destroy();
});

test('an address of the machine is given to no peer, and is free again when the interface goes', async () => {
  const desk = await open();
  await host(desk, { name: 'host0', addresses: ['10.77.0.2/32', 'fd77::2/128'] });
  assert.deepEqual((await peer(desk, 'a', 1)).peer.addresses, ['10.77.0.3/32', 'fd77::3/128']);
  await removeHostInterface(desk, tester, 'v', 'host0');
  assert.deepEqual((await peer(desk, 'b', 2)).peer.addresses, ['10.77.0.2/32', 'fd77::2/128']);
  await desk.db.destroy();
});

test('nothing that is used goes', async () => {
  const desk = await open();
  await createVrf(desk, tester, 'v', 'blue');
  await host(desk, { name: 'host0', vrf: 'blue', addresses: ['10.99.0.1/24'] });
  await route(desk, { prefix: '10.5.0.0/16', interface: 'host0' });
  await assert.rejects(removeHostInterface(desk, tester, 'v', 'host0'), is('intent.reference', 'interface'));
  await removeRoute(desk, tester, 'v', 'default', '10.5.0.0/16');
  await masquerade(desk, { vrf: 'blue', prefix: '10.0.0.0/8', leaving: ['host0'] });
  await assert.rejects(removeHostInterface(desk, tester, 'v', 'host0'), is('intent.reference', 'interface'));
  await publish(desk, { vrf: 'blue' });
  const stays = () => assert.rejects(removeVrf(desk, tester, 'v', 'blue'), is('intent.reference', 'vrf'));
  await stays();
  await removePublishedPort(desk, tester, 'v', { ...port, vrf: 'blue' });
  await stays();
  await removeMasquerade(desk, tester, 'v', 'blue', '10.0.0.0/8');
  await stays();
  await removeHostInterface(desk, tester, 'v', 'host0');
  await removeVrf(desk, tester, 'v', 'blue');
  await desk.db.destroy();
});
