/** Any JSON at the door: it is refused with a problem or becomes an intent that parses to itself, compiles and plans. */
import { asciiBytes } from '@vrouter/core/bytes.ts';
import { diffAll } from '../diff/diff.ts';
import { Desired } from '../index/desired.ts';
import { type ObjectKind, objectKinds } from '../model/objects.ts';
import { sameValue } from '../model/same.ts';
import { formatPlan } from '../plan/format.ts';
import { plan } from '../plan/plan.ts';
import { testKey, testOutside } from '../testing/outside.ts';
import { parseIntent } from './intent.ts';

export const name = 'intent/validate';

export const seeds: readonly Uint8Array[] = [
  { kind: 'vrf', name: 'blue' },
  {
    kind: 'gatewayInterface',
    name: 'wg0',
    type: 'wireguard',
    vrf: 'default',
    listenPort: 51820,
    mtu: 1420,
    mssClamp: 'auto',
    sourceCheck: 'off',
  },
  { kind: 'floatingIp', id: 'f1', address: '198.51.100.9', fixedAddress: '10.77.0.2' },
  { kind: 'natSettings', sessions: 1000, udpSeconds: 120, tcpTransitorySeconds: 240 },
  { kind: 'hostInterface', name: 'host0', addresses: ['10.99.0.1/24', 'fd99::1'], routes: ['10.77.0.0/24'] },
  { kind: 'port', name: 'lan', device: 'eth1', mac: '02:00:5E:00:00:01', vlanId: 5 },
  { kind: 'port', name: 'lan', tap: 'lan0', mtu: 9000 },
  { kind: 'address', interface: 'wg0', address: 'fd77::1/64' },
  { kind: 'peer', interface: 'wg0', publicKey: testKey(1), allowedIps: ['10.0.0.2', 'fd77::/64'], endpoint: '[::1]:5' },
  { kind: 'peerSuccessor', interface: 'wg0', publicKey: testKey(1), nextPublicKey: testKey(2), rotation: 'r1' },
  { kind: 'route', vrf: 'default', prefix: '10.0.0.0/8', interface: 'wg0', nextHop: '10.0.0.1' },
  { kind: 'route', prefix: '::/0', blackhole: true },
  { kind: 'masquerade', prefix: '10.0.0.0/8', leaving: ['wg0'], addresses: ['192.0.2.1', '192.0.2.2'] },
  { kind: 'publishedPort', hostAddress: '192.0.2.1', hostPort: 80, protocol: 'tcp', address: '10.0.0.2', port: 8080 },
  { kind: 'publishedPort', hostPort: 80, protocol: 'sctp', address: 'fd00::2', port: 8080, network: 'vlan-100' },
  {
    kind: 'network',
    id: 'vlan-100',
    attachment: 'vlan',
    interface: 'eth0.100',
    parent: 'eth0',
    vlanId: 100,
    subnets: [
      { prefix: '172.18.0.0/16', gateway: '172.18.0.1' },
      { prefix: 'fd18::/64', gateway: 'fd18::1' },
    ],
    domain: 'blue.example',
    dnsServers: ['192.0.2.53', '[2001:db8::1]:53'],
  },
  { kind: 'interface', name: 'vx0', type: 'vxlan', vni: 7, local: '192.0.2.1', remote: 'fd00::1' },
  { kind: 'interface', name: 'mac0', type: 'macvlan', parent: 'eth0', mode: 'vepa', bridge: 'br0' },
  { kind: 'policyRule', priority: 100, source: '10.0.0.0/8', mark: { value: 1, mask: 255 } },
  {
    kind: 'route',
    prefix: '10.0.0.0/8',
    paths: [
      { interface: 'wg0', nextHop: '10.0.0.1' },
      { interface: 'wg0', weight: 2 },
    ],
  },
  { kind: 'dnsName', network: 'vlan-100', name: 'web', addresses: ['172.18.0.2', 'fd18::2'], aliases: ['www'] },
].map((intent) => asciiBytes(JSON.stringify(intent)));

export function fuzzOne(bytes: Uint8Array): void {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = text;
  }
  const parsed = parseIntent(json);
  if (!parsed.ok) return;
  const again = parseIntent(parsed.value);
  if (!again.ok || !sameValue(again.value, parsed.value)) throw new Error(`${text} is not canonical after parsing`);
  const desired = new Desired(testOutside(), Object.keys(objectKinds) as ObjectKind[]);
  desired.put('file', {
    kind: 'gatewayInterface',
    name: 'wg0',
    type: 'wireguard',
    vrf: 'default',
    listenPort: 1,
    mtu: 1420,
    mssClamp: 'auto',
    sourceCheck: 'off',
  });
  desired.put('controller', parsed.value);
  formatPlan(plan(diffAll(desired.all(), [])));
  desired.problems();
}
