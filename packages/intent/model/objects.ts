/**
 * Objects: what planes have. A driver knows these and nothing of what people said. Read ../README.md for the whole model; here are
 * the kinds that code exists for. Every field is of one class, declared in `objectKinds`:
 *   desired    compared with the plane and mended
 *   initial    given at creation, afterwards the plane's own (a peer's endpoint roams)
 *   writeOnly  a Secret; compared by fingerprint, never printed
 *   learned    the plane's own, reported under `learned`, never compared
 * Fields that make the key are none of these: another value is another object.
 */
import type { Secret, SecretFingerprint } from '@vrouter/core/secret.ts';
import type { MacvlanMode, SourceCheck, TransportProtocol } from './intents.ts';

export type FieldClass = 'key' | 'desired' | 'initial' | 'writeOnly';

/** A virtual routing table. Key: name. The name `default` is the table that always exists. */
export interface VrfObject {
  readonly kind: 'vrf';
  readonly name: string;
  /** Number of the table on the plane; allocated once. */
  readonly tableId: number;
}

/**
 * What carries a link's packets: WireGuard peers, the host's own kernel on the other side of a TUN device, or an Ethernet: an interface of
 * the host that is adopted (`port`; with a VLAN, that VLAN of it), or one that is made (`tap`); a bridge to which others belong, a cable
 * to another device of the host (`veth`), a further address on an Ethernet (`macvlan`), an Ethernet over UDP (`vxlan`).
 */
export type LinkType = 'wireguard' | 'tun' | 'port' | 'tap' | 'bridge' | 'veth' | 'macvlan' | 'vxlan';

/** A network interface of the plane. Key: name. */
export interface LinkObject {
  readonly kind: 'link';
  readonly name: string;
  readonly type: LinkType;
  readonly vrf: string;
  /** Bytes of the largest inner packet. */
  readonly mtu: number;
  readonly adminUp: boolean;
  /** SYNs in and out have their MSS cut to what the MTU holds. */
  readonly mssClamp: boolean;
  /** Reverse path check of what comes in (RFC 3704). */
  readonly sourceCheck: SourceCheck;
  /** Of a TUN link, always, else left out: addresses of the host (with prefix length), and networks that it sends into the link. */
  readonly hostAddresses?: readonly string[];
  readonly hostRoutes?: readonly string[];
  /** Of a port or TAP, always, else left out: the host's name of it; whose frames it takes. */
  readonly device?: string;
  /** Of links into Ethernets, always, else left out: another MAC address than the plane's choice. */
  readonly mac?: string | null;
  readonly vlanId?: number | null;
  /** The bridge to which it belongs; left out: none. */
  readonly bridge?: string;
  /** Of a macvlan always, of a VXLAN where it is bound to one: the host's name of what it is on. */
  readonly parent?: string;
  /** Of a macvlan: who on the same parent sees whom. */
  readonly mode?: MacvlanMode;
  /** Of a veth: the host's name of the other end. */
  readonly peer?: string;
  /** Of a VXLAN (RFC 7348): its network, the own address and that of the other end (null: any; a group is fine), the UDP port. */
  readonly vni?: number;
  readonly local?: string | null;
  readonly remote?: string | null;
  readonly udpPort?: number;
}

/** The WireGuard side of a link. Key: link. */
export interface WireguardDeviceObject {
  readonly kind: 'wireguardDevice';
  readonly link: string;
  /** UDP port; 0 is any free one, and stays 0 here (which one it is, is learned). */
  readonly listenPort: number;
  /** 32 bytes, clamped (RFC 7748 section 5), since planes clamp what they keep. */
  readonly privateKey: Secret | SecretFingerprint;
}

/** Key: link, publicKey (base64). */
export interface WireguardPeerObject {
  readonly kind: 'wireguardPeer';
  readonly link: string;
  readonly publicKey: string;
  readonly presharedKey: Secret | SecretFingerprint | null;
  /** Canonical prefixes, sorted. */
  readonly allowedIps: readonly string[];
  readonly endpoint: string | null;
  /** The newest TAI64N label of its initiations that is known from an earlier life of the plane, hex. Nobody says it; left out: none. */
  readonly handshakeTimestamp?: string | null;
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number;
}

/** A switch of the kernel that the rest needs. Key: link, name. Planes that have no such switches need none. */
export interface SysctlObject {
  readonly kind: 'sysctl';
  /** Dotted, `%` stands for the link: `net.ipv4.conf.%.route_localnet`. */
  readonly name: string;
  /** Null: of the whole host. */
  readonly link: string | null;
  readonly value: string;
}

/**
 * What goes through a link is kept apart from everything else: what began inside comes back, published ports lead in, and the link
 * reaches the outside unless it is internal. Key: link, which need not be there yet: nothing is open for a moment.
 */
export interface IsolationObject {
  readonly kind: 'isolation';
  readonly link: string;
  /** Nothing in or out of the network but to the gateway itself. */
  readonly internal: boolean;
  /** The gateway's, sorted: other networks' members get no names there. */
  readonly gateways: readonly string[];
}

/** The names of a network. Key: name. */
export interface DnsZoneObject {
  readonly kind: 'dnsZone';
  readonly name: string;
  /** Whoever asks by another link is not answered; the host itself is. */
  readonly link: string;
  /** Addresses of ours on the link, sorted. */
  readonly listen: readonly string[];
  /** `web` is also `web.DOMAIN`. */
  readonly domain: string | null;
  /** Who is asked for other names, `address` or `address:port` (`[v6]:port`), in this order; null: those whom the host asks; none: nobody. */
  readonly upstreams: readonly string[] | null;
}

/** Key: zone, name, type, data. The name that belongs to an address follows from these. */
export interface DnsRecordObject {
  readonly kind: 'dnsRecord';
  readonly zone: string;
  /** Lower case, without a dot at the end. */
  readonly name: string;
  readonly type: 'A' | 'AAAA';
  /** An address. */
  readonly data: string;
}

/** An address of a link, with its prefix length. Key: link, address. */
export interface AddressObject {
  readonly kind: 'address';
  readonly link: string;
  readonly address: string;
}

/** Key: vrf, prefix. */
export interface RouteObject {
  readonly kind: 'route';
  readonly vrf: string;
  readonly prefix: string;
  readonly via: RouteVia;
}

/** One of several ways, with its share of the flows (1 to 255). */
export interface RoutePath {
  readonly link: string;
  readonly nextHop: string | null;
  readonly weight: number;
}

/** Out of a link (with a next hop on links that need one), shared among several ways (RFC 2992; sorted), or dropped on purpose. */
export type RouteVia =
  | { readonly type: 'link'; readonly link: string; readonly nextHop: string | null }
  | { readonly type: 'paths'; readonly paths: readonly RoutePath[] }
  | { readonly type: 'blackhole' };

/** Traffic of a kind is looked up in this VRF. Key: vrf, priority; the least is asked first. Null fields match everything. */
export interface RuleObject {
  readonly kind: 'rule';
  readonly vrf: string;
  /** 1 to 32765. */
  readonly priority: number;
  readonly match: RuleMatch;
}

/** Of one family where a prefix says which, else of both. */
export interface RuleMatch {
  readonly source: string | null;
  readonly destination: string | null;
  /** The link by which it came. */
  readonly incoming: string | null;
  readonly mark: { readonly value: number; readonly mask: number } | null;
}

/** Who has an address on a link, said and never asked for. Key: link, address. */
export interface NeighbourObject {
  readonly kind: 'neighbour';
  readonly link: string;
  readonly address: string;
  readonly mac: string;
}

/** Outside addresses that inside hosts share. Key: name. */
export interface NatPoolObject {
  readonly kind: 'natPool';
  readonly name: string;
  /** Sorted by their text. */
  readonly addresses: readonly string[];
  /** The first and the last port that may be given out. */
  readonly ports: readonly [number, number];
}

/** Addresses (and ports) that become others. Key: name. All addresses of a rule are of one family. */
export interface NatRuleObject {
  readonly kind: 'natRule';
  readonly name: string;
  readonly vrf: string;
  readonly match: NatMatch;
  readonly to: NatTarget;
  /** Whether hosts of the inside reach it too, by its outside address. */
  readonly hairpin: boolean;
}

/** Sources of a prefix that leave by some links (sorted; null: all but the one they came by), or ports of an address of our own. */
export type NatMatch =
  | { readonly type: 'source'; readonly prefix: string; readonly leaving: readonly string[] | null }
  | {
      readonly type: 'destination';
      /** Null is every own address. */
      readonly address: string | null;
      readonly protocol: TransportProtocol;
      readonly ports: readonly [number, number];
    }
  /** An address of our own as a whole, whatever the protocol; both ways. */
  | { readonly type: 'address'; readonly address: string };

/** The address of the link they leave by, a pool, an inside address and the port that the first port becomes, or an inside host as a whole. */
export type NatTarget =
  | { readonly type: 'egress' }
  | { readonly type: 'pool'; readonly pool: string }
  | { readonly type: 'inside'; readonly address: string; readonly port: number }
  | { readonly type: 'host'; readonly address: string };

/** Limits of all translations of the plane, and how long idle ones live. Key: name, `default`. Without it the plane's own hold. */
export interface NatSettingsObject {
  readonly kind: 'natSettings';
  readonly name: 'default';
  readonly sessions: number;
  readonly sessionsPerHost: number;
  readonly udpSeconds: number;
  readonly udpOneWaySeconds: number;
  readonly tcpEstablishedSeconds: number;
  readonly tcpTransitorySeconds: number;
  readonly icmpSeconds: number;
}

export type PlaneObject =
  | SysctlObject
  | IsolationObject
  | DnsZoneObject
  | DnsRecordObject
  | VrfObject
  | LinkObject
  | WireguardDeviceObject
  | WireguardPeerObject
  | AddressObject
  | RouteObject
  | RuleObject
  | NeighbourObject
  | NatSettingsObject
  | NatPoolObject
  | NatRuleObject;

export type ObjectKind = PlaneObject['kind'];

/** `kind/part/part`: unique on a plane, stable, readable. Parts that may contain a slash (prefixes, keys) come last. */
export type ObjectKey = string & { readonly __key: 'object' };

/** What a plane tells of an object: its fields as they are, secrets as fingerprints, and what the plane has learnt. */
export interface Observed<O extends PlaneObject = PlaneObject> {
  readonly key: ObjectKey;
  readonly object: O;
  readonly learned: Learned;
}

/** Learned fields by name; which a kind has is declared in `objectKinds`. */
export type Learned = { readonly [field: string]: string | number | boolean | null };

export interface ObjectKindSpec<O extends PlaneObject> {
  /** Creation goes from low to high, deletion from high to low. */
  readonly rank: number;
  readonly fields: { readonly [F in Exclude<keyof O, 'kind'>]: FieldClass };
  /** Desired fields that no plane can change in place: another value means delete and create, with everything that stands on it. */
  readonly fixed: readonly (keyof O & string)[];
  readonly learned: readonly string[];
}

export const objectKinds: { readonly [K in ObjectKind]: ObjectKindSpec<Extract<PlaneObject, { kind: K }>> } = {
  vrf: { rank: 0, fields: { name: 'key', tableId: 'desired' }, fixed: ['tableId'], learned: [] },
  isolation: {
    rank: 0,
    fields: { link: 'key', internal: 'desired', gateways: 'desired' },
    fixed: [],
    learned: ['packets', 'bytes'],
  },
  sysctl: { rank: 2, fields: { link: 'key', name: 'key', value: 'desired' }, fixed: [], learned: [] },
  link: {
    rank: 1,
    fields: {
      name: 'key',
      type: 'desired',
      vrf: 'desired',
      mtu: 'desired',
      adminUp: 'desired',
      mssClamp: 'desired',
      sourceCheck: 'desired',
      hostAddresses: 'desired',
      hostRoutes: 'desired',
      device: 'desired',
      mac: 'desired',
      vlanId: 'desired',
      bridge: 'desired',
      parent: 'desired',
      mode: 'desired',
      peer: 'desired',
      vni: 'desired',
      local: 'desired',
      remote: 'desired',
      udpPort: 'desired',
    },
    fixed: ['type', 'device', 'vlanId', 'parent', 'mode', 'peer', 'vni', 'local', 'remote', 'udpPort'],
    learned: ['index', 'operUp', 'mac', 'superPackets'],
  },
  wireguardDevice: {
    rank: 2,
    fields: { link: 'key', listenPort: 'desired', privateKey: 'writeOnly' },
    fixed: [],
    learned: ['publicKey', 'localPort'],
  },
  address: { rank: 3, fields: { link: 'key', address: 'key' }, fixed: [], learned: [] },
  wireguardPeer: {
    rank: 4,
    fields: {
      link: 'key',
      publicKey: 'key',
      presharedKey: 'writeOnly',
      allowedIps: 'desired',
      endpoint: 'initial',
      handshakeTimestamp: 'initial',
      persistentKeepalive: 'desired',
    },
    fixed: [],
    learned: [
      'endpoint',
      'handshakeTimestamp',
      'lastHandshakeUnixMs',
      'pathMtu',
      'rxBytes',
      'txBytes',
      'rxPackets',
      'txPackets',
    ],
  },
  route: { rank: 5, fields: { vrf: 'key', prefix: 'key', via: 'desired' }, fixed: [], learned: [] },
  dnsZone: {
    rank: 4,
    fields: { name: 'key', link: 'desired', listen: 'desired', domain: 'desired', upstreams: 'desired' },
    fixed: ['link'],
    learned: ['queries', 'failures'],
  },
  dnsRecord: {
    rank: 5,
    fields: { zone: 'key', name: 'key', type: 'key', data: 'key' },
    fixed: [],
    learned: [],
  },
  neighbour: { rank: 4, fields: { link: 'key', address: 'key', mac: 'desired' }, fixed: [], learned: [] },
  rule: { rank: 5, fields: { vrf: 'key', priority: 'key', match: 'desired' }, fixed: [], learned: [] },
  natSettings: {
    rank: 6,
    fields: {
      name: 'key',
      sessions: 'desired',
      sessionsPerHost: 'desired',
      udpSeconds: 'desired',
      udpOneWaySeconds: 'desired',
      tcpEstablishedSeconds: 'desired',
      tcpTransitorySeconds: 'desired',
      icmpSeconds: 'desired',
    },
    fixed: [],
    learned: [],
  },
  natPool: {
    rank: 6,
    fields: { name: 'key', addresses: 'desired', ports: 'desired' },
    fixed: [],
    learned: ['sessions', 'exhausted'],
  },
  natRule: {
    rank: 7,
    fields: { name: 'key', vrf: 'desired', match: 'desired', to: 'desired', hairpin: 'desired' },
    fixed: ['vrf'],
    learned: ['packets', 'bytes', 'sessions'],
  },
};

/** The key of an object: its kind and key fields, in the order in which the kind declares them. */
export function objectKey(object: PlaneObject): ObjectKey {
  switch (object.kind) {
    case 'vrf':
    case 'link':
    case 'natSettings':
    case 'natPool':
    case 'natRule':
    case 'dnsZone':
      return `${object.kind}/${object.name}` as ObjectKey;
    case 'isolation':
    case 'wireguardDevice':
      return `${object.kind}/${object.link}` as ObjectKey;
    case 'sysctl':
      return `sysctl/${object.link ?? '*'}/${object.name}` as ObjectKey;
    case 'rule':
      return `rule/${object.vrf}/${object.priority}` as ObjectKey;
    case 'neighbour':
      return `neighbour/${object.link}/${object.address}` as ObjectKey;
    case 'dnsRecord':
      return `dnsRecord/${object.zone}/${object.name}/${object.type}/${object.data}` as ObjectKey;
    case 'wireguardPeer':
      return `wireguardPeer/${object.link}/${object.publicKey}` as ObjectKey;
    case 'address':
      return `address/${object.link}/${object.address}` as ObjectKey;
    case 'route':
      return `route/${object.vrf}/${object.prefix}` as ObjectKey;
  }
}
