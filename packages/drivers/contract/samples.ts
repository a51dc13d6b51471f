/** Objects for the contract suite: at least one of each kind, and the changes that planes must be able to make in place. */
import { createHash } from 'node:crypto';
import { Secret } from '@vrouter/core/secret.ts';
import { type ObjectKind, type Observed, objectKey, type PlaneObject } from '@vrouter/intent/model/objects.ts';
import { parentsOf } from '@vrouter/intent/model/relations.ts';
import { fieldOf } from '@vrouter/intent/model/same.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';

/** A Secret of 32 bytes that only a number tells apart, clamped as an X25519 private key. */
export function sampleSecret(number: number): Secret {
  const bytes = new Uint8Array(32).fill(number);
  bytes[0]! &= 248;
  bytes[31] = (bytes[31]! & 127) | 64;
  return new Secret(bytes, createHash('sha256').update(bytes).digest('hex'));
}

/** The base64 text of a public key. */
export const samplePeer = (number: number): string => new Uint8Array(32).fill(number).toBase64();

type Of<K extends ObjectKind> = Extract<PlaneObject, { kind: K }>;
const LINK = 'wgc0';

export const vrf = (name = 'contract', tableId = 1501): Of<'vrf'> => ({ kind: 'vrf', name, tableId });

export const link = (over: Partial<Of<'link'>> = {}): Of<'link'> => ({
  kind: 'link',
  name: LINK,
  type: 'wireguard',
  vrf: 'default',
  mtu: 1420,
  adminUp: true,
  mssClamp: true,
  sourceCheck: 'off',
  ...over,
});

/** A link to the host itself. */
export const tunLink = (over: Partial<Of<'link'>> = {}): Of<'link'> =>
  link({
    name: 'hostc0',
    type: 'tun',
    hostAddresses: ['10.65.0.1/24', 'fd65::1/64'],
    hostRoutes: ['10.66.0.0/24'],
    ...over,
  });

/** A link into an Ethernet, by a device that is made for it: each plane can have one. */
export const tapLink = (over: Partial<Of<'link'>> = {}): Of<'link'> =>
  link({ name: 'lanc0', type: 'tap', mtu: 1500, device: 'tapc0', mac: '02:00:5e:00:00:01', vlanId: null, ...over });

export const device = (over: Partial<Of<'wireguardDevice'>> = {}): Of<'wireguardDevice'> => ({
  kind: 'wireguardDevice',
  link: LINK,
  listenPort: 0,
  privateKey: sampleSecret(40),
  ...over,
});

export const peer = (over: Partial<Of<'wireguardPeer'>> = {}): Of<'wireguardPeer'> => ({
  kind: 'wireguardPeer',
  link: LINK,
  publicKey: samplePeer(60),
  presharedKey: sampleSecret(50),
  allowedIps: ['10.66.0.2/32', 'fd66::2/128'],
  endpoint: '127.0.0.1:9',
  persistentKeepalive: 0,
  ...over,
});

export const address = (text = '10.66.0.1/24', on = LINK): Of<'address'> => ({
  kind: 'address',
  link: on,
  address: text,
});

export const route = (prefix = '10.66.0.0/24', over: Partial<Of<'route'>> = {}): Of<'route'> => ({
  kind: 'route',
  vrf: 'default',
  prefix,
  via: { type: 'link', link: LINK, nextHop: null },
  ...over,
});

export const natSettings = (over: Partial<Of<'natSettings'>> = {}): Of<'natSettings'> => ({
  kind: 'natSettings',
  name: 'default',
  sessions: 1000,
  sessionsPerHost: 100,
  udpSeconds: 120,
  udpOneWaySeconds: 30,
  tcpEstablishedSeconds: 7440,
  tcpTransitorySeconds: 240,
  icmpSeconds: 60,
  ...over,
});

export const natPool = (over: Partial<Of<'natPool'>> = {}): Of<'natPool'> => ({
  kind: 'natPool',
  name: 'masquerade/default/10.66.0.0/24',
  addresses: ['198.51.100.7'],
  ports: [1024, 65_535],
  ...over,
});

export const natRule = (over: Partial<Of<'natRule'>> = {}): Of<'natRule'> => ({
  kind: 'natRule',
  name: 'masquerade/default/10.66.0.0/24',
  vrf: 'default',
  match: { type: 'source', prefix: '10.66.0.0/24', leaving: [LINK] },
  to: { type: 'egress' },
  hairpin: true,
  ...over,
});

export const publishedRule = (over: Partial<Of<'natRule'>> = {}): Of<'natRule'> =>
  natRule({
    name: 'port/default/*/tcp/80',
    match: { type: 'destination', address: null, protocol: 'tcp', ports: [80, 80] },
    to: { type: 'inside', address: '10.66.0.2', port: 8080 },
    ...over,
  });

export const floatingRule = (over: Partial<Of<'natRule'>> = {}): Of<'natRule'> =>
  natRule({
    name: 'floating/default/198.51.100.9',
    match: { type: 'address', address: '198.51.100.9' },
    to: { type: 'host', address: '10.66.0.2' },
    ...over,
  });

export const sysctl = (over: Partial<Of<'sysctl'>> = {}): Of<'sysctl'> => ({
  kind: 'sysctl',
  name: 'net.ipv4.conf.%.route_localnet',
  link: LINK,
  value: '1',
  ...over,
});

export const isolation = (over: Partial<Of<'isolation'>> = {}): Of<'isolation'> => ({
  kind: 'isolation',
  link: LINK,
  internal: false,
  gateways: [],
  ...over,
});

export const dnsZone = (over: Partial<Of<'dnsZone'>> = {}): Of<'dnsZone'> => ({
  kind: 'dnsZone',
  name: 'contract',
  link: LINK,
  listen: ['10.66.0.1'],
  domain: 'contract.example',
  upstreams: [],
  ...over,
});

export const dnsRecord = (over: Partial<Of<'dnsRecord'>> = {}): Of<'dnsRecord'> => ({
  kind: 'dnsRecord',
  zone: 'contract',
  name: 'web',
  type: 'A',
  data: '10.66.0.2',
  ...over,
});

export const bridge = (over: Partial<Of<'link'>> = {}): Of<'link'> =>
  link({ name: 'brc0', type: 'bridge', mtu: 1500, mssClamp: false, mac: null, ...over });

/** Links of the host that only some planes make, each with what it stands on before it. */
export const madeLinks: { readonly [what: string]: readonly [...Of<'link'>[], Of<'link'>] } = {
  bridge: [bridge()],
  veth: [bridge(), bridge({ name: 'vethc0', type: 'veth', peer: 'vethc1', bridge: 'brc0' })],
  macvlan: [
    bridge(),
    bridge({ name: 'macc0', type: 'macvlan', parent: 'brc0', mode: 'private', mac: '02:00:5e:00:00:02' }),
  ],
  vxlan: [
    bridge({
      name: 'vxc0',
      type: 'vxlan',
      vni: 77,
      local: '192.0.2.1',
      remote: '192.0.2.2',
      udpPort: 4790,
      mtu: 1400,
    }),
  ],
  'vxlan over IPv6': [
    bridge({ name: 'vxc0', type: 'vxlan', vni: 78, local: 'fd00::1', remote: null, udpPort: 4789, mtu: 1400 }),
  ],
  'VLAN of a link': [
    bridge(),
    bridge({ name: 'brc0.100', type: 'port', device: 'brc0', vlanId: 100, mtu: 1400, sourceCheck: 'loose' }),
  ],
  'adopted port': [
    bridge(),
    bridge({ name: 'vethc0', type: 'veth', peer: 'vethc1' }),
    bridge({ name: 'lanc1', type: 'port', device: 'vethc1', vlanId: null, mtu: 1400, mac: '02:00:5e:00:00:03' }),
  ],
};

export const rule = (over: Partial<Of<'rule'>> = {}): Of<'rule'> => ({
  kind: 'rule',
  vrf: 'default',
  priority: 1201,
  match: { source: '10.66.0.0/24', destination: null, incoming: LINK, mark: { value: 7, mask: 15 } },
  ...over,
});

export const neighbour = (over: Partial<Of<'neighbour'>> = {}): Of<'neighbour'> => ({
  kind: 'neighbour',
  link: 'lanc0',
  address: '10.67.0.9',
  mac: '02:00:5e:00:00:09',
  ...over,
});

/** Every kind, with what it stands on before it. */
export const samples: { readonly [K in ObjectKind]: readonly [...PlaneObject[], Of<K>] } = {
  vrf: [vrf()],
  sysctl: [link(), sysctl()],
  isolation: [isolation()],
  dnsZone: [link(), address(), dnsZone()],
  dnsRecord: [link(), address(), dnsZone(), dnsRecord()],
  link: [link()],
  wireguardDevice: [link(), device()],
  address: [link(), address()],
  wireguardPeer: [link(), device(), peer()],
  route: [link(), route()],
  rule: [link(), rule()],
  neighbour: [tapLink(), address('10.67.0.1/24', 'lanc0'), neighbour()],
  natSettings: [natSettings()],
  natPool: [natPool()],
  natRule: [link(), natRule()],
};

export interface SampleUpdate {
  readonly name: string;
  /** What must be there first; the last one is changed. */
  readonly before: readonly [...PlaneObject[], PlaneObject];
  readonly after: PlaneObject;
  readonly changed: readonly string[];
}

/** `freePort` is a UDP port that nobody has. */
export function sampleUpdates(freePort: number): readonly SampleUpdate[] {
  const under = [link(), device()];
  return [
    { name: 'mtu', before: [link()], after: link({ mtu: 1280 }), changed: ['mtu'] },
    { name: 'adminUp', before: [link()], after: link({ adminUp: false }), changed: ['adminUp'] },
    { name: 'no MSS clamp', before: [link()], after: link({ mssClamp: false }), changed: ['mssClamp'] },
    { name: 'an MSS clamp', before: [link({ mssClamp: false })], after: link(), changed: ['mssClamp'] },
    {
      name: 'a source check',
      before: [link()],
      after: link({ sourceCheck: 'strict' }),
      changed: ['sourceCheck'],
    },
    {
      name: 'a looser source check, with the clamp',
      before: [link({ sourceCheck: 'strict' })],
      after: link({ sourceCheck: 'loose', mssClamp: false }),
      changed: ['mssClamp', 'sourceCheck'],
    },
    { name: 'vrf of a link', before: [vrf(), link()], after: link({ vrf: 'contract' }), changed: ['vrf'] },
    {
      name: 'listenPort',
      before: [link(), device()],
      after: device({ listenPort: freePort }),
      changed: ['listenPort'],
    },
    {
      name: 'privateKey',
      before: [link(), device()],
      after: device({ privateKey: sampleSecret(41) }),
      changed: ['privateKey'],
    },
    {
      name: 'presharedKey',
      before: [...under, peer()],
      after: peer({ presharedKey: sampleSecret(51) }),
      changed: ['presharedKey'],
    },
    {
      name: 'no presharedKey',
      before: [...under, peer()],
      after: peer({ presharedKey: null }),
      changed: ['presharedKey'],
    },
    {
      name: 'a first presharedKey',
      before: [...under, peer({ presharedKey: null })],
      after: peer(),
      changed: ['presharedKey'],
    },
    {
      name: 'allowedIps',
      before: [...under, peer()],
      after: peer({ allowedIps: ['10.66.0.0/25', '10.66.0.2/32', '192.0.2.0/24'] }),
      changed: ['allowedIps'],
    },
    { name: 'no allowedIps', before: [...under, peer()], after: peer({ allowedIps: [] }), changed: ['allowedIps'] },
    {
      name: 'persistentKeepalive',
      before: [...under, peer({ endpoint: null })],
      after: peer({ endpoint: null, persistentKeepalive: 25 }),
      changed: ['persistentKeepalive'],
    },
    {
      name: 'a route into the hole',
      before: [link(), route()],
      after: route('10.66.0.0/24', { via: { type: 'blackhole' } }),
      changed: ['via'],
    },
    {
      name: 'a kernel switch',
      before: [link(), sysctl()],
      after: sysctl({ value: '0' }),
      changed: ['value'],
    },
    {
      name: 'an isolated link that becomes internal',
      before: [isolation()],
      after: isolation({ internal: true }),
      changed: ['internal'],
    },
    {
      name: 'the domain and the servers of a zone',
      before: [link(), address(), dnsZone()],
      after: dnsZone({ domain: null, upstreams: ['192.0.2.53', '[2001:db8::53]:5353'] }),
      changed: ['domain', 'upstreams'],
    },
    {
      name: 'what a rule is about',
      before: [link(), rule()],
      after: rule({ match: { source: null, destination: null, incoming: null, mark: { value: 9, mask: 0xffffffff } } }),
      changed: ['match'],
    },
    {
      name: 'who a neighbour is',
      before: [tapLink(), neighbour()],
      after: neighbour({ mac: '02:00:5e:00:00:0a' }),
      changed: ['mac'],
    },
    {
      name: 'limits and lives of NAT',
      before: [natSettings()],
      after: natSettings({ sessions: 2000, udpSeconds: 300, icmpSeconds: 30 }),
      changed: ['sessions', 'udpSeconds', 'icmpSeconds'],
    },
    {
      name: 'addresses of a NAT pool',
      before: [natPool()],
      after: natPool({ addresses: ['198.51.100.8', '198.51.100.9'] }),
      changed: ['addresses'],
    },
    {
      name: 'a masquerade by a pool',
      before: [natPool(), link(), natRule()],
      after: natRule({ to: { type: 'pool', pool: natPool().name } }),
      changed: ['to'],
    },
    {
      name: 'a masquerade by any link',
      before: [link(), natRule()],
      after: natRule({ match: { type: 'source', prefix: '10.66.0.0/25', leaving: null } }),
      changed: ['match'],
    },
    {
      name: 'whose a floating address is',
      before: [floatingRule()],
      after: floatingRule({ to: { type: 'host', address: '10.66.0.3' } }),
      changed: ['to'],
    },
    {
      name: 'where a published port leads',
      before: [publishedRule()],
      after: publishedRule({ to: { type: 'inside', address: '10.66.0.3', port: 80 }, hairpin: false }),
      changed: ['to', 'hairpin'],
    },
  ];
}

export const create = (object: PlaneObject): Step => ({ op: 'create', key: objectKey(object), object, effect: 'none' });
export const remove = (before: PlaneObject): Step => ({
  op: 'delete',
  key: objectKey(before),
  before,
  effect: 'interrupt',
});

/** Objects that stand on none that is missing from the plane's own kinds. */
export function supported(objects: readonly PlaneObject[], kinds: readonly ObjectKind[]): boolean {
  const keys = new Set<string>(objects.map(objectKey));
  return objects.every(
    (object) => kinds.includes(object.kind) && parentsOf(object).every((key) => keys.has(key) || key === 'vrf/default'),
  );
}

/** The text of all that a plane tells, with every way to write a secret's bytes that must not be in it. */
export function leaks(told: readonly (Observed | null)[], secrets: readonly Secret[]): readonly string[] {
  const text = JSON.stringify(told);
  const ways = (bytes: Uint8Array): readonly string[] => [bytes.toBase64(), bytes.toHex(), [...bytes].join(',')];
  return secrets
    .flatMap((secret) => ways(secret.reveal()))
    .filter((way) => text.toLowerCase().includes(way.toLowerCase()));
}

/** A field as the suite compares it. */
export const fieldSeen = (seen: Observed | null | undefined, field: string): unknown =>
  seen == null ? undefined : fieldOf(seen.object, field);
