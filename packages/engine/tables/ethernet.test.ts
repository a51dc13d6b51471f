/** Ethernet links as actions and rows: what is refused, what is opened anew, what is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ARP_LEN, ArpOperation, emitArp } from '@vrouter/wire/arp/arp.ts';
import { ETHERNET_LEN, EtherType, emitEthernet } from '@vrouter/wire/ethernet/ethernet.ts';
import type { Action } from '../control/messages.ts';
import type { MemoryEthernet } from '../ports/ethernet/memory.ts';
import { echoPacket } from '../testing/packets.testing.ts';
import { World } from '../testing/world.testing.ts';
import { linkLocal } from './ethernet.ts';

type LinkSet = Extract<Action, { do: 'link.set' }>;

const OURS = Uint8Array.fromHex('02005e000001');
const SEVEN = Uint8Array.fromHex('020000000007');
const lan: LinkSet = {
  do: 'link.set',
  name: 'lan',
  type: 'port',
  vrf: 'default',
  mtu: 1500,
  adminUp: true,
  device: 'eth1',
  mac: null,
  vlanId: null,
};

function row(world: World) {
  const [found] = world.engine.dump([{ is: 'link', name: 'lan' }]);
  assert.ok(found?.is === 'link');
  return found;
}

async function refused(world: World, action: Action): Promise<string> {
  const [problem] = await world.engine.apply([action]);
  assert.ok(problem != null);
  return `${problem.code} ${problem.field ?? ''}`.trim();
}

function arpReply(from: Uint8Array, sender: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(60);
  const view = new DataView(bytes.buffer);
  emitEthernet(bytes, view, 0, OURS, from, EtherType.arp);
  const [senderIp, targetIp] = [Uint8Array.from(sender), Uint8Array.of(192, 168, 1, 1)];
  const message = { operation: ArpOperation.reply, senderMac: from, senderIp, targetMac: OURS, targetIp };
  emitArp(message, bytes, view, ETHERNET_LEN);
  assert.ok(bytes.length >= ETHERNET_LEN + ARP_LEN);
  return bytes;
}

function frame(from: Uint8Array, packet: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(ETHERNET_LEN + packet.length);
  emitEthernet(bytes, new DataView(bytes.buffer), 0, OURS, from, EtherType.ipv4);
  bytes.set(packet, ETHERNET_LEN);
  return bytes;
}

for (const [title, change, expected] of [
  ['no device', { device: undefined }, 'name.invalid device'],
  ['a device of no name', { device: 'a/b' }, 'name.invalid device'],
  ['an interface that is not there', { device: 'eth9' }, 'interface.notFound device'],
  ['a group as its address', { mac: '01:00:5e:00:00:01' }, 'address.invalid mac'],
  ['VLAN 0', { vlanId: 0 }, 'input.invalid vlanId'],
  ['VLAN 4095', { vlanId: 4095 }, 'input.invalid vlanId'],
  ['a TAP with a VLAN', { type: 'tap', vlanId: 5 }, 'input.invalid vlanId'],
  ['more than the interface takes', { mtu: 9001 }, 'input.invalid mtu'],
  ['a device of a WireGuard link', { type: 'wireguard', mac: undefined, vlanId: undefined }, 'input.invalid type'],
] as const)
  test(`refused: ${title}`, async () => {
    const world = new World();
    world.ethernets.interfaces.set('eth1', OURS);
    const action = Object.fromEntries(
      Object.entries({ ...lan, ...change }).filter(([, value]) => value !== undefined),
    ) as unknown as LinkSet;
    assert.equal(await refused(world, action), expected);
    assert.deepEqual(world.engine.dump([{ is: 'link', name: 'lan' }]), []);
    assert.equal(world.ethernets.ports.size, 0, 'nothing is left open');
  });

test('the row is what was said; the same again changes nothing; another device is opened anew', async () => {
  const world = new World();
  world.ethernets.interfaces.set('eth1', OURS).set('eth2', SEVEN);
  await world.do(lan);
  const { index, operUp, mssClamp, sourceCheck, is, ...told } = row(world);
  assert.deepEqual({ do: 'link.set', ...told }, lan);
  assert.deepEqual([is, operUp, mssClamp, sourceCheck], ['link', true, true, 'off']);
  const port = world.ethernets.ports.get('eth1');
  await world.do(lan);
  assert.equal(world.ethernets.ports.get('eth1'), port);
  await world.do({ ...lan, device: 'eth2', mac: '02:00:5E:00:00:99', vlanId: 5 });
  assert.deepEqual([...world.ethernets.ports.keys()], ['eth2']);
  assert.deepEqual([row(world).device, row(world).mac, row(world).vlanId], ['eth2', '02:00:5e:00:00:99', 5]);
  assert.equal(row(world).index, index);
  assert.equal(await refused(world, { ...lan, device: 'eth9' }), 'interface.notFound device');
  assert.equal(row(world).device, 'eth2', 'what was there stays');
  await world.do({ ...lan, device: 'eth2', adminUp: false });
  assert.deepEqual([world.ethernets.ports.size, row(world).operUp], [0, false]);
  await world.do({ do: 'link.remove', name: 'lan' });
});

test('a TAP keeps the address that was made for it', async () => {
  const world = new World();
  const tap: LinkSet = { ...lan, type: 'tap', device: 'tap0' };
  await world.do(tap);
  const first = world.ethernets.ports.get('tap0')!;
  assert.equal(first.mac[0]! & 3, 2, 'a station’s, locally made');
  const made = first.mac;
  await world.do({ ...tap, mtu: 1400 });
  assert.equal(world.ethernets.ports.get('tap0'), first, 'changed in place');
  assert.equal(first.mtu, 1400);
  assert.equal(await refused(world, { ...tap, mtu: 9001 }), 'input.invalid mtu');
  assert.equal(first.mtu, 1400);
  await world.do({ ...tap, mac: '02:00:5e:00:00:77' }, tap);
  assert.deepEqual(world.ethernets.ports.get('tap0')!.mac, made);
});

test('an interface that somebody takes away makes the link down, so that it is set up again', async () => {
  const world = new World();
  const port = await world.port();
  port.vanish();
  assert.deepEqual([row(world).adminUp, row(world).operUp], [false, false]);
  await world.do(lan);
  assert.deepEqual([row(world).adminUp, row(world).operUp], [true, true]);
  assert.notEqual(world.ethernets.ports.get('eth1'), port);
  assert.equal(world.engine.neighbours(10).ports[0]!.addresses.length, 3, 'the addresses came along');
});

/** The neighbour with 192.168.1.7 asks for an echo by way of the port. */
function asks(port: MemoryEthernet, dst: string): void {
  port.say(frame(SEVEN, echoPacket({ src: '192.168.1.7', dst })));
}

test('a cable that is out: no route for the sender; in again: addresses are announced, neighbours asked for anew', async () => {
  const world = new World();
  const port = await world.port();
  world.pass(10_000);
  asks(port, '192.168.1.1');
  port.say(arpReply(SEVEN, [192, 168, 1, 7]));
  assert.equal(world.engine.neighbours(10).total, 1);
  port.setCarrier(false);
  assert.equal(row(world).operUp, false);
  port.take();
  world.pass(60_000);
  assert.deepEqual(port.take(), []);
  port.setCarrier(true);
  assert.equal(row(world).operUp, true);
  assert.equal(world.engine.neighbours(10).total, 0);
  assert.equal(port.take().length, 3, 'one announcement, two questions whether addresses are free');
  asks(port, '192.168.1.1');
  port.flap();
  assert.equal(world.engine.neighbours(10).total, 0, 'it was out for a moment');
});

test('who is known is told, at most as many as are asked for', async () => {
  const world = new World();
  const port = await world.port();
  world.pass(10_000);
  asks(port, '192.168.1.1');
  port.say(arpReply(SEVEN, [192, 168, 1, 7]));
  world.pass(4000);
  for (let n = 20; n < 40; n++) port.say(frame(SEVEN, echoPacket({ src: `192.168.1.${n}`, dst: '192.168.1.1' })));
  const { ports, total, neighbours } = world.engine.neighbours(5);
  assert.deepEqual([total, neighbours.length], [21, 5]);
  assert.deepEqual(neighbours[0], {
    link: 'lan',
    address: '192.168.1.7',
    mac: '02:00:00:00:00:07',
    state: 'reachable',
    confirmedSecondsAgo: 4,
  });
  assert.deepEqual(ports[0]!.addresses, [
    { address: 'fe80::5eff:fd00:1/64', state: 'valid', conflicts: 0 },
    { address: '192.168.1.1/24', state: 'valid', conflicts: 0 },
    { address: 'fd88::1/64', state: 'valid', conflicts: 0 },
  ]);
});

/** What is asked for on the LAN, and whether the port says who has it. */
function answers(world: World, port: MemoryEthernet, target: readonly number[]): boolean {
  port.take();
  const bytes = arpReply(SEVEN, [192, 168, 1, 7]);
  bytes[ETHERNET_LEN + 7] = ArpOperation.request;
  bytes.set(target, ETHERNET_LEN + 24);
  port.say(bytes);
  world.pass(0);
  return port.take().some((said) => said[12] === 8 && said[13] === 6 && said[ETHERNET_LEN + 7] === ArpOperation.reply);
}

test('outside addresses of NAT in the networks of a port are answered for, announced, and go with their rules', async () => {
  const world = new World();
  const port = await world.port();
  world.pass(10_000);
  port.take();
  const told = (): string[] =>
    world.engine
      .neighbours(0)
      .ports[0]!.addresses.map(({ address }) => address)
      .filter((text) => /^[0-9.]+\/32$/.test(text))
      .sort();
  const rule = { vrf: 'default', hairpin: true } as const;
  const publish = { do: 'publish.set', protocol: 'tcp', firstPort: 80, lastPort: 80, toPort: 80, ...rule } as const;
  await world.do(
    { do: 'vrf.set', name: 'blue', tableId: 7 },
    { do: 'natPool.set', name: 'p', addresses: ['192.168.1.60', '192.168.9.1'], firstPort: 1024, lastPort: 65_535 },
    { do: 'masquerade.set', name: 'out', prefix: '10.77.0.0/24', leaving: ['lan'], pool: 'p', ...rule },
    { do: 'floating.set', name: 'f', vrf: 'default', address: '192.168.1.50', toAddress: '10.77.0.2' },
    { do: 'floating.set', name: 'elsewhere', vrf: 'blue', address: '192.168.1.51', toAddress: '10.77.0.2' },
    { ...publish, name: 'new', address: '192.168.1.70', toAddress: '10.77.0.3' },
    { ...publish, name: 'own', address: '192.168.1.1', toAddress: '10.77.0.3' },
    { ...publish, name: 'itself', firstPort: 8080, lastPort: 8080, address: '192.168.1.80', toAddress: '192.168.1.80' },
    { ...publish, name: 'all', address: null, toAddress: '10.77.0.4' },
  );
  assert.deepEqual(told(), ['192.168.1.50/32', '192.168.1.60/32', '192.168.1.70/32']);
  world.pass(5000);
  assert.equal(port.take().length, 6, 'each is announced twice');
  for (const last of [1, 50, 60, 70]) assert.ok(answers(world, port, [192, 168, 1, last]), `.${last}`);
  for (const last of [51, 52, 80]) assert.ok(!answers(world, port, [192, 168, 1, last]), `.${last}`);
  assert.ok(!answers(world, port, [192, 168, 9, 1]));
  // Networks come and go under the rules.
  await world.do({ do: 'address.add', link: 'lan', address: '192.168.9.9/24' });
  assert.ok(answers(world, port, [192, 168, 9, 1]));
  await world.do({ do: 'address.add', link: 'lan', address: '192.168.1.50/24' });
  assert.deepEqual(told(), ['192.168.1.60/32', '192.168.1.70/32', '192.168.9.1/32']);
  await world.do({ do: 'address.remove', link: 'lan', address: '192.168.1.50/24' });
  assert.ok(answers(world, port, [192, 168, 1, 50]));
  await world.do(
    { do: 'link.set', ...row(world), adminUp: false } as Action,
    { do: 'link.set', ...row(world) } as Action,
  );
  const anew = world.ethernets.ports.get('eth1')!;
  world.pass(5000);
  assert.ok(answers(world, anew, [192, 168, 1, 50]), 'after it was down');
  await world.do({ do: 'natRule.remove', name: 'f' }, { do: 'natRule.remove', name: 'new' });
  assert.deepEqual(told(), ['192.168.1.60/32', '192.168.9.1/32']);
  assert.ok(!answers(world, anew, [192, 168, 1, 50]));
  await world.do(
    ...['out', 'elsewhere', 'own', 'itself', 'all'].map((name): Action => ({ do: 'natRule.remove', name })),
  );
  assert.deepEqual(told(), []);
  assert.ok(answers(world, anew, [192, 168, 1, 1]), 'what is its own stays');
});

test('a link-local address has its MAC address in it, and is not the one that a kernel would take', () => {
  assert.equal(linkLocal(OURS).toHex(), 'fe8000000000000000005efffd000001');
});
