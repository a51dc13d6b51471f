/** Ports, floating addresses and NAT settings: what is stored, what is refused, and that nothing is half done. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type CreateFloatingIpRequest, createFloatingIpRequest } from '@vrouter/api/rest/floating-ips.ts';
import { createHostInterfaceRequest } from '@vrouter/api/rest/host-interfaces.ts';
import { createMasqueradeRequest } from '@vrouter/api/rest/nat.ts';
import { createPeerRequest } from '@vrouter/api/rest/peers.ts';
import { type CreatePortRequest, createPortRequest } from '@vrouter/api/rest/ports.ts';
import { createRouteRequest } from '@vrouter/api/rest/routes.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { firstPage, openDesk, type TestDesk, tester } from '../testing/store.ts';
import { createFloatingIp, listFloatingIps, removeFloatingIp, showFloatingIp } from './floating-ips.ts';
import { createHostInterface, removeHostInterface } from './host-interfaces.ts';
import { createMasquerade, removeMasquerade } from './nat.ts';
import { changeNatSettings, resetNatSettings, showNatSettings } from './nat-settings.ts';
import { createPeer } from './peers.ts';
import { createPort, listPorts, removePort, showPort } from './ports.ts';
import { createRoute, createVrf, removeRoute, removeVrf } from './routes.ts';
import { createVrouter } from './vrouters.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-more-intents-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** A desk with the vrouter `v`, networks 10.77.0.0/24 and fd77::/64. */
async function open(): Promise<TestDesk & { readonly path: string }> {
  const path = join(folder, `${files++}.db`);
  const desk = await openDesk(path);
  await createVrouter(desk, tester, createVrouterRequest.parse({ name: 'v' }));
  return { ...desk, path };
}

const port = (desk: TestDesk, input: CreatePortRequest) =>
  createPort(desk, tester, 'v', createPortRequest.parse(input));
const floating = (desk: TestDesk, input: CreateFloatingIpRequest) =>
  createFloatingIp(desk, tester, 'v', createFloatingIpRequest.parse(input));
const host = (desk: TestDesk, input: object) =>
  createHostInterface(desk, tester, 'v', createHostInterfaceRequest.parse(input));
const route = (desk: TestDesk, input: object) => createRoute(desk, tester, 'v', createRouteRequest.parse(input));
const peer = (desk: TestDesk, name: string, n: number, more: object = {}) =>
  createPeer(
    desk,
    tester,
    'v',
    createPeerRequest.parse({ name, publicKey: Buffer.alloc(32, n).toString('base64'), ...more }),
  );

function is(code: string, field?: string) {
  return (thrown: unknown): boolean => {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.equal(thrown.problem.code, code, thrown.message);
    if (field !== undefined) assert.equal(thrown.problem.field, field);
    return true;
  };
}

test('a port and its addresses are one version, seen by all who ask, and go together', async () => {
  const desk = await open();
  const made = await port(desk, {
    name: 'lan',
    device: 'eth1',
    vlanId: 20,
    mac: '02:00:00:00:00:0A',
    addresses: ['fd88::1/64', '192.168.1.1/24'],
  });
  assert.deepEqual(made, {
    port: {
      vrouter: 'v',
      name: 'lan',
      vrf: 'default',
      mtu: 1500,
      device: 'eth1',
      tap: null,
      mac: '02:00:00:00:00:0a',
      vlanId: 20,
      mssClamp: 'auto',
      sourceCheck: 'off',
      addresses: ['192.168.1.1/24', 'fd88::1/64'],
      problem: null,
      etag: made.port.etag,
    },
    version: 2,
  });
  const head = desk.desired.get('v');
  const keys = ['address/lan/192.168.1.1/24', 'address/lan/fd88::1/64', 'port/lan'];
  const ops = () => head.changes.at(-1)!.ops;
  assert.deepEqual(
    ops().map((op) => [op.key, op.body !== null]),
    keys.map((one) => [one, true]),
  );
  const again = await openDesk(desk.path);
  for (const one of [desk, again]) {
    assert.deepEqual(listPorts(one, 'v', firstPage), { rows: [made.port], next: null });
    assert.deepEqual(showPort(one, 'v', 'lan'), made.port);
  }
  await again.db.destroy();
  assert.deepEqual(await removePort(desk, tester, 'v', 'lan'), { deleted: 'lan', version: 3 });
  assert.deepEqual(
    ops().map((op) => [op.key, op.body !== null]),
    keys.map((one) => [one, false]),
  );
  assert.deepEqual(await desk.db.selectFrom('claims').selectAll().where('owner', '=', 'port/lan').execute(), []);
  await desk.db.destroy();
});

test('what a port may not be', async () => {
  const desk = await open();
  await createVrf(desk, tester, 'v', 'blue');
  await host(desk, { name: 'host0', addresses: ['10.99.0.1/24'] });
  await peer(desk, 'a', 1, { allowedIps: ['192.168.5.0/24'] });
  await route(desk, { prefix: '192.168.6.0/24', blackhole: true });
  await port(desk, { name: 'lan', device: 'eth1', addresses: ['192.168.1.1/24'] });
  const before = desk.desired.get('v').version;
  const tries: readonly [CreatePortRequest, string, string][] = [
    [{ name: 'lan', device: 'eth2' }, 'intent.exists', 'name'],
    [{ name: 'wg0', device: 'eth2' }, 'intent.conflict', 'name'],
    [{ name: 'host0', device: 'eth2' }, 'intent.conflict', 'name'],
    [{ name: 'a/b', device: 'eth2' }, 'name.invalid', 'name'],
    [{ name: 'p' }, 'input.invalid', 'device'],
    [{ name: 'p', device: 'eth2', tap: 't0' }, 'input.invalid', 'device'],
    [{ name: 'p', tap: 't0', vlanId: 2 }, 'input.invalid', 'vlanId'],
    [{ name: 'p', device: 'eth2', mac: 'x' }, 'address.invalid', 'mac'],
    [{ name: 'p', device: 'eth2', vrf: 'red' }, 'intent.reference', 'vrf'],
    [{ name: 'p', device: 'eth1' }, 'intent.conflict', 'device'],
    [{ name: 'p', tap: 'host0' }, 'intent.conflict', 'tap'],
    [{ name: 'p', device: 'eth2', addresses: ['10.1.0.1/16', 'x'] }, 'prefix.invalid', 'addresses[1]'],
    [{ name: 'p', device: 'eth2', addresses: ['192.168.1.2/24'] }, 'route.exists', 'addresses[0]'],
    [{ name: 'p', device: 'eth2', addresses: ['10.1.0.1/16', '192.168.5.1/24'] }, 'route.exists', 'addresses[1]'],
    [{ name: 'p', device: 'eth2', addresses: ['192.168.6.1/24'] }, 'route.exists', 'addresses[0]'],
    [{ name: 'p', device: 'eth2', addresses: ['10.77.0.9/24'] }, 'route.exists', 'addresses[0]'],
    [{ name: 'p', device: 'eth2', addresses: ['10.99.0.1/32'] }, 'route.exists', 'addresses[0]'],
  ];
  for (const [input, code, field] of tries)
    await assert.rejects(port(desk, input), is(code, field), JSON.stringify(input));
  await assert.rejects(host(desk, { name: 'lan' }), is('intent.conflict', 'name'));
  await assert.rejects(host(desk, { name: 'h', addresses: ['192.168.1.1/32'] }), is('route.exists', 'addresses[0]'));
  await assert.rejects(route(desk, { prefix: '192.168.1.0/24', blackhole: true }), is('route.exists', 'prefix'));
  await assert.rejects(peer(desk, 'b', 2, { allowedIps: ['192.168.1.0/24'] }), is('peer.overlap', 'allowedIps[0]'));
  assert.equal(desk.desired.get('v').version, before);
  // Beside each other: another VLAN, another VRF with the same network.
  await port(desk, { name: 'guests', device: 'eth1', vlanId: 20, vrf: 'blue', addresses: ['192.168.1.1/24'] });
  await assert.rejects(route(desk, { vrf: 'blue', prefix: '192.168.1.0/24', blackhole: true }), is('route.exists'));
  await desk.db.destroy();
});

test('routes by a port have next hops; it stays while something goes by it, and so does its VRF', async () => {
  const desk = await open();
  await createVrf(desk, tester, 'v', 'blue');
  await port(desk, { name: 'lan', device: 'eth1', vrf: 'blue', addresses: ['192.168.1.1/24'] });
  await route(desk, { vrf: 'blue', prefix: '10.5.0.0/16', interface: 'lan', nextHop: '192.168.1.254' });
  await createMasquerade(
    desk,
    tester,
    'v',
    createMasqueradeRequest.parse({ vrf: 'blue', prefix: '10.6.0.0/16', leaving: ['lan'] }),
  );
  await assert.rejects(removePort(desk, tester, 'v', 'lan'), is('intent.reference', 'interface'));
  await removeRoute(desk, tester, 'v', 'blue', '10.5.0.0/16');
  await assert.rejects(removePort(desk, tester, 'v', 'lan'), is('intent.reference', 'interface'));
  await removeMasquerade(desk, tester, 'v', 'blue', '10.6.0.0/16');
  await assert.rejects(removeVrf(desk, tester, 'v', 'blue'), is('intent.reference', 'vrf'));
  await removePort(desk, tester, 'v', 'lan');
  await floating(desk, { id: 'mail', vrf: 'blue', address: '192.0.2.9', fixedAddress: '10.0.0.3' });
  await assert.rejects(removeVrf(desk, tester, 'v', 'blue'), is('intent.reference', 'vrf'));
  await removeFloatingIp(desk, tester, 'v', 'mail');
  await removeVrf(desk, tester, 'v', 'blue');
  await assert.rejects(removePort(desk, tester, 'v', 'lan'), is('intent.notFound'));
  await desk.db.destroy();
});

test('an address of a port in a network of peers is given to none of them', async () => {
  const desk = await open();
  await port(desk, { name: 'lan', tap: 't0', addresses: ['10.77.0.2/32'] });
  assert.equal((await peer(desk, 'a', 1)).peer.addresses[0], '10.77.0.3/32');
  await removePort(desk, tester, 'v', 'lan');
  assert.equal((await peer(desk, 'b', 2)).peer.addresses[0], '10.77.0.2/32');
  await removeHostInterface(desk, tester, 'v', 'lan').catch(is('intent.notFound'));
  await desk.db.destroy();
});

test('what the gateway says against a port or its addresses is shown with it', async () => {
  const desk = await open();
  await port(desk, { name: 'lan', device: 'eth1', addresses: ['192.168.1.1/24'] });
  const { id } = desk.desired.get('v').row;
  const gateway = desk.roster.add(
    {
      id: 'g',
      vrouterId: id,
      wireguardPublicKey: '',
      hostname: '',
      softwareVersion: '',
      plane: null,
      registeredUnixMs: 0,
      revokedUnixMs: null,
      lastPollUnixMs: null,
      storedVersion: null,
      appliedVersion: null,
      tokenId: '',
      csrFingerprint: '',
      joinReply: '',
      told: null,
    },
    null,
  );
  for (const key of ['port/lan', 'link/lan', 'address/lan/192.168.1.1/24']) {
    gateway.errors = [{ key, code: 'intent.refused', message: 'no' }];
    assert.deepEqual(showPort(desk, 'v', 'lan').problem, { code: 'intent.refused', message: 'no' }, key);
  }
  gateway.errors = [
    { key: 'address/lan/192.168.1.1/24', code: 'intent.reference', message: 'there is no lan' },
    { key: 'port/lan', code: 'intent.refused', message: 'no' },
  ];
  assert.equal(showPort(desk, 'v', 'lan').problem?.code, 'intent.refused', 'the cause before what follows from it');
  await desk.db.destroy();
});

test('floating addresses are pairs', async () => {
  const desk = await open();
  const made = await floating(desk, { id: 'mail', address: '192.0.2.9', fixedAddress: '10.77.0.3' });
  assert.equal(made.version, 2);
  assert.deepEqual(listFloatingIps(desk, 'v', firstPage).rows, [made.floatingIp]);
  const tries: readonly [CreateFloatingIpRequest, string, string][] = [
    [{ id: 'mail', address: '192.0.2.8', fixedAddress: '10.77.0.4' }, 'intent.exists', 'id'],
    [{ id: 'a b', address: '192.0.2.8', fixedAddress: '10.77.0.4' }, 'name.invalid', 'id'],
    [{ id: 'x', address: '192.0.2.9', fixedAddress: '10.77.0.4' }, 'intent.conflict', 'address'],
    [{ id: 'x', address: '192.0.2.8', fixedAddress: '10.77.0.3' }, 'intent.conflict', 'fixedAddress'],
    [{ id: 'x', address: '10.77.0.3', fixedAddress: '10.77.0.4' }, 'intent.conflict', 'address'],
    [{ id: 'x', address: '192.0.2.8', fixedAddress: '192.0.2.8' }, 'input.invalid', 'fixedAddress'],
    [{ id: 'x', address: 'fd00::1', fixedAddress: '10.77.0.4' }, 'input.invalid', 'fixedAddress'],
    [{ id: 'x', address: 'fd00::1', fixedAddress: 'fd77::4' }, 'intent.unsupported', 'address'],
    [{ id: 'x', address: '192.0.2', fixedAddress: '10.77.0.4' }, 'address.invalid', 'address'],
    [{ id: 'x', vrf: 'red', address: '192.0.2.8', fixedAddress: '10.77.0.4' }, 'intent.reference', 'vrf'],
  ];
  for (const [input, code, field] of tries) await assert.rejects(floating(desk, input), is(code, field));
  await createVrf(desk, tester, 'v', 'blue');
  await floating(desk, { id: 'x', vrf: 'blue', address: '192.0.2.9', fixedAddress: '10.77.0.3' });
  const again = await openDesk(desk.path);
  assert.deepEqual(showFloatingIp(again, 'v', 'mail'), made.floatingIp);
  await again.db.destroy();
  assert.deepEqual(await removeFloatingIp(desk, tester, 'v', 'mail'), { deleted: 'mail', version: 5 });
  await assert.rejects(removeFloatingIp(desk, tester, 'v', 'mail'), is('intent.notFound'));
  await desk.db.destroy();
});

test('NAT settings: the usual ones, some of them changed, the usual ones again', async () => {
  const desk = await open();
  const usual = showNatSettings(desk, 'v');
  assert.deepEqual([usual.said, usual.sessions, usual.udpSeconds], [false, 65_536, 300]);
  const first = await changeNatSettings(desk, tester, 'v', { sessionsPerHost: 1000, udpSeconds: 120 });
  assert.deepEqual(
    [first.version, first.natSettings.said, first.natSettings.sessionsPerHost, first.natSettings.icmpSeconds],
    [2, true, 1000, 60],
  );
  const second = await changeNatSettings(desk, tester, 'v', { icmpSeconds: 30 });
  assert.deepEqual([second.natSettings.udpSeconds, second.natSettings.icmpSeconds], [120, 30]);
  assert.equal((await changeNatSettings(desk, tester, 'v', { icmpSeconds: 30 })).version, 3, 'nothing new');
  await assert.rejects(
    changeNatSettings(desk, tester, 'v', { udpOneWaySeconds: 121 }),
    is('input.invalid', 'udpOneWaySeconds'),
  );
  const again = await openDesk(desk.path);
  assert.deepEqual(showNatSettings(again, 'v'), second.natSettings);
  await again.db.destroy();
  const reset = await resetNatSettings(desk, tester, 'v');
  assert.deepEqual([reset.version, reset.natSettings], [4, usual]);
  assert.equal((await resetNatSettings(desk, tester, 'v')).version, 4, 'nothing new');
  await desk.db.destroy();
});
