/**
 * Our netlink messages and the kernel's WireGuard, which is asked twice what it has: by ours and by `wg`. A program for a guest; says `ok` at
 * the end, any failure is an exit code and a stack.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { formatKey } from '@vrouter/core/bytes.ts';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatPrefix, type Prefix, parsePrefix } from '@vrouter/core/prefix.ts';
import type { Result } from '@vrouter/core/result.ts';
import { Conversation } from '@vrouter/drivers/linux/netlink/conversation.ts';
import { askFamily, parseFamily } from '@vrouter/drivers/linux/netlink/generic.ts';
import { changeLink, createLink } from '@vrouter/drivers/linux/netlink/link.ts';
import {
  askDevice,
  changeDevice,
  type DeviceChange,
  type DeviceRow,
  joinDevice,
  parseDevice,
  WIREGUARD_FAMILY,
} from '@vrouter/drivers/linux/netlink/wireguard.ts';
import { NetlinkProtocol, openNetlink } from '@vrouter/host/netlink/netlink.ts';

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const routing = openNetlink();
const generic = openNetlink({ protocol: NetlinkProtocol.generic });
const links = new Conversation(routing, pause);
const devices = new Conversation(generic, pause);

function must<T>(parsed: Result<T>): T {
  assert.ok(parsed.ok);
  return parsed.value;
}
const prefix = (text: string): Prefix => must(parsePrefix(text, ''));
const host = (text: string): Uint8Array => must(parseIp(text, ''));
const key = (number: number): Uint8Array => createHash('sha256').update(`key ${number}`).digest();

const wg = (...args: readonly string[]): string => execFileSync('wg', args, { encoding: 'utf8' });
/** Rows of `wg show wg0 dump`, by their fields; the first is the device. */
const dumped = (): string[][] =>
  wg('show', 'wg0', 'dump')
    .trim()
    .split('\n')
    .map((line) => line.split('\t'));

assert.deepEqual(await links.change([createLink('wg0', { kind: 'wireguard' }, { mtu: 1420, up: true })]), [null]);
const index = routing.indexOf('wg0');
const family = await devices.get(askFamily(WIREGUARD_FAMILY), 'wireguard', parseFamily);
assert.ok(family !== null);
await assert.rejects(devices.get(askFamily('nobody'), 'nobody', parseFamily), /ENOENT/);

async function change(what: DeviceChange): Promise<void> {
  const requests = changeDevice(family!, index, what);
  assert.deepEqual(
    await devices.change(requests),
    requests.map(() => null),
  );
}
async function look(): Promise<DeviceRow> {
  return joinDevice(await devices.dump(askDevice(family!, index), 'wg0', (message) => parseDevice(message, family!)))!;
}

const { privateKey } = generateKeyPairSync('x25519');
const secret = Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url');
await change({
  privateKey: secret,
  listenPort: 51_820,
  mark: 7,
  peers: [
    {
      publicKey: key(1),
      presharedKey: key(2),
      endpoint: { address: host('192.0.2.7'), port: 4711 },
      keepalive: 25,
      allowedIps: [prefix('10.66.0.2/32'), prefix('fd66::/64')],
    },
    { publicKey: key(3), endpoint: { address: host('2001:db8::7'), port: 4712 }, allowedIps: [prefix('0.0.0.0/0')] },
  ],
});

{
  const device = await look();
  const [head, ...peers] = dumped();
  assert.deepEqual(
    [
      formatKey(device.privateKey!),
      formatKey(device.publicKey!),
      `${device.listenPort}`,
      `0x${device.mark.toString(16)}`,
    ],
    head,
  );
  const rows = device.peers.map((peer) => [
    formatKey(peer.publicKey),
    peer.presharedKey === null ? '(none)' : formatKey(peer.presharedKey),
    peer.endpoint!.address.length === 4
      ? `${formatIp(peer.endpoint!.address)}:${peer.endpoint!.port}`
      : `[${formatIp(peer.endpoint!.address)}]:${peer.endpoint!.port}`,
    peer.allowedIps.map(formatPrefix).join(','),
    `${peer.lastHandshakeUnixMs ?? 0}`,
    `${peer.rxBytes}`,
    `${peer.txBytes}`,
    peer.keepalive === 0 ? 'off' : `${peer.keepalive}`,
  ]);
  assert.deepEqual(rows, peers);
  assert.deepEqual(
    device.peers.map((peer) => peer.allowedIps.map(formatPrefix).sort()),
    [['10.66.0.2/32', 'fd66::/64'], ['0.0.0.0/0']],
  );
}

// One peer changed, the other stays; a prefix moves; one is removed; one that is not there is not made.
await change({ peers: [{ publicKey: key(3), allowedIps: [prefix('10.66.0.2/32')], keepalive: 5 }] });
await change({ peers: [{ publicKey: key(9), updateOnly: true, keepalive: 5 }] });
{
  const device = await look();
  assert.deepEqual(
    device.peers.map((peer) => peer.allowedIps.map(formatPrefix).sort()),
    [['fd66::/64'], ['0.0.0.0/0', '10.66.0.2/32']],
  );
  assert.deepEqual([device.listenPort, formatKey(device.privateKey!)], [51_820, formatKey(secret)]);
}
await change({ peers: [{ publicKey: key(1), remove: true }] });
await change({
  peers: [{ publicKey: key(3), presharedKey: new Uint8Array(32), replaceAllowedIps: true, allowedIps: [] }],
});
assert.deepEqual(
  (await look()).peers.map((peer) => [peer.allowedIps.length, peer.presharedKey]),
  [[0, null]],
);

// More than a message holds: 2,000 peers, and one with 3,000 prefixes.
const several = Array.from({ length: 2000 }, (_, i) => ({
  publicKey: key(1000 + i),
  allowedIps: [prefix(`10.${70 + (i >> 8)}.${i & 255}.0/24`)],
}));
const prefixes = Array.from({ length: 3000 }, (_, i) => prefix(`172.${16 + (i >> 8)}.${i & 255}.0/24`));
await change({ replacePeers: true, peers: [...several, { publicKey: key(1), allowedIps: prefixes }] });
{
  const { peers } = await look();
  assert.equal(peers.length, 2001);
  const large = peers.find((peer) => formatKey(peer.publicKey) === formatKey(key(1)))!;
  assert.deepEqual(large.allowedIps.map(formatPrefix).sort(), prefixes.map(formatPrefix).sort());
  assert.equal(wg('show', 'wg0', 'peers').trim().split('\n').length, 2001);
}

// Two devices shake hands and one counts what came: the kernel's clock and counters are read as they are.
{
  const other = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  assert.deepEqual(await links.change([createLink('wg1', { kind: 'wireguard' }, { mtu: 1420, up: true })]), [null]);
  const there = { publicKey: (await look()).publicKey!, endpoint: { address: host('127.0.0.1'), port: 51_820 } };
  const peers = [{ ...there, keepalive: 1, allowedIps: [prefix('10.99.0.0/24')] }];
  await change({ replacePeers: true, peers: [{ publicKey: Buffer.from(other.x!, 'base64url'), allowedIps: [] }] });
  const requests = changeDevice(family, routing.indexOf('wg1'), {
    privateKey: Buffer.from(other.d!, 'base64url'),
    peers,
  });
  assert.deepEqual(await devices.change(requests), [null]);
  let met: DeviceRow['peers'][number] | undefined;
  for (let tries = 0; tries < 200 && met?.lastHandshakeUnixMs == null; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    met = (await look()).peers[0];
  }
  assert.ok(Math.abs(met!.lastHandshakeUnixMs! - Date.now()) < 10_000, 'a handshake just now');
  assert.ok(met!.rxBytes > 0 && met!.txBytes > 0 && met!.endpoint !== null);
}

assert.deepEqual(await links.change([changeLink(index, { up: false })]), [null]);
await assert.rejects(
  devices.dump(askDevice(family, 4711), 'wg9', (message) => parseDevice(message, family)),
  /ENODEV/,
);
routing.close();
generic.close();
console.log('ok');
