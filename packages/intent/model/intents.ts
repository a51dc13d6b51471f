/**
 * Intents: what people say. Each has a source, which alone may change or remove it; a reload of one source never touches another's.
 * Read ../README.md for the whole model. Intents travel as JSON (controller to gateway, SQLite, files), so fields are plain values
 * and a secret is its base64 text here; it becomes a Secret in compile, on the way to a plane.
 */

/** Who said it. `wg` is wg(8) through the UAPI socket, `router` the gRPC RouterService. */
export type IntentSource = 'controller' | 'file' | 'cli' | 'wg' | 'router';

/** SYNs in and out have their MSS cut to what the interface's MTU holds (`auto`), or are left as they are. */
export const mssClamps = ['auto', 'off'] as const;
export type MssClamp = (typeof mssClamps)[number];

/** Reverse path check of what comes in (RFC 3704): from where the answer would go (`strict`), from anywhere that has a route (`loose`). */
export const sourceChecks = ['off', 'loose', 'strict'] as const;
export type SourceCheck = (typeof sourceChecks)[number];

/** Who on the same parent sees whom (ip-link(8), macvlan): nobody, by a switch outside, all, or it is the only one. */
export const macvlanModes = ['private', 'vepa', 'bridge', 'passthru'] as const;
export type MacvlanMode = (typeof macvlanModes)[number];

/** What has ports. */
export const transportProtocols = ['tcp', 'udp', 'sctp'] as const;
export type TransportProtocol = (typeof transportProtocols)[number];

/** Key: name. `default` need not be said: it always exists. */
export interface VrfIntent {
  readonly kind: 'vrf';
  readonly name: string;
}

/** An interface on which a gateway meets its peers. Key: name. The private key is the host's own and is never said. */
export interface GatewayInterfaceIntent {
  readonly kind: 'gatewayInterface';
  readonly name: string;
  readonly type: 'wireguard';
  readonly vrf: string;
  readonly listenPort: number;
  readonly mtu: number;
  readonly mssClamp: MssClamp;
  /** Off unless said: WireGuard itself takes from a peer only what its allowed IPs cover. */
  readonly sourceCheck: SourceCheck;
}

/**
 * The way between a VRF and the machine itself: an interface of the host whose other side is the VRF. Key: name. What the VRF sends to
 * the host's addresses goes there; what the host sends to `routes` comes out in the VRF.
 */
export interface HostInterfaceIntent {
  readonly kind: 'hostInterface';
  readonly name: string;
  readonly vrf: string;
  readonly mtu: number;
  readonly mssClamp: MssClamp;
  /** Of what the host sends into the VRF. */
  readonly sourceCheck: SourceCheck;
  /** The host's own, `10.99.0.1/24`; sorted, each once. */
  readonly addresses: readonly string[];
  /** Networks that the host reaches through the VRF; sorted, each once. */
  readonly routes: readonly string[];
}

/**
 * A port into an Ethernet: an interface of the host that is there (`device`), or one that is made for it (`tap`); exactly one of the two.
 * Key: name. Its addresses are intents of their own.
 */
export interface PortIntent {
  readonly kind: 'port';
  readonly name: string;
  readonly vrf: string;
  readonly mtu: number;
  /** The host's name of the interface. */
  readonly device: string | null;
  readonly tap: string | null;
  /** To speak from; null: the interface's own, or one made for the TAP. */
  readonly mac: string | null;
  /** The VLAN whose frames are the port's; null: frames without a tag. */
  readonly vlanId: number | null;
  readonly mssClamp: MssClamp;
  /** Of what comes in by the port. */
  readonly sourceCheck: SourceCheck;
}

/** Key: interface, address. */
export interface AddressIntent {
  readonly kind: 'address';
  readonly interface: string;
  /** `10.77.0.1/24`, `fd77::1/64`. */
  readonly address: string;
}

/** A WireGuard peer; its allowed IPs also become routes in the interface's VRF. Key: interface, publicKey. */
export interface PeerIntent {
  readonly kind: 'peer';
  readonly interface: string;
  /** Base64. */
  readonly publicKey: string;
  readonly name: string;
  /** Base64; null is none. */
  readonly presharedKey: string | null;
  readonly allowedIps: readonly string[];
  /** Where to send before the peer has been heard; null waits for it. */
  readonly endpoint: string | null;
  /** Seconds; 0 is off. */
  readonly persistentKeepalive: number;
}

/**
 * A peer is to have another key, preshared key or both, and nobody knows when its device will. Key: interface, publicKey, which are those
 * of the peer. Both keys shake hands; the allowed IPs, which one key alone can have, stay with the old one until the new one is heard,
 * and then are the new one's. An intent of its own, not fields of the peer: a gateway that does not know it goes on with the old key.
 */
export interface PeerSuccessorIntent {
  readonly kind: 'peerSuccessor';
  readonly interface: string;
  /** The peer's, base64. */
  readonly publicKey: string;
  /** Base64; the same as `publicKey` when only the preshared key is another. */
  readonly nextPublicKey: string;
  /** That comes with the next key, base64; null is none. */
  readonly presharedKey: string | null;
  /** Tells one succession of a key from the next: it is what is reported, and remembered, as done. */
  readonly rotation: string;
  /** False: it is taken back; who has not been heard yet is not taken any more. */
  readonly open: boolean;
}

/** One of several ways, with its share of the flows. */
export interface RoutePathIntent {
  readonly interface: string;
  readonly nextHop: string | null;
  readonly weight: number;
}

/** Key: vrf, prefix. Exactly one of `interface`, `paths`, or `blackhole: true`. */
export interface RouteIntent {
  readonly kind: 'route';
  readonly vrf: string;
  readonly prefix: string;
  readonly interface: string | null;
  readonly nextHop: string | null;
  readonly blackhole: boolean;
  /** Flows are shared among these, at least two, sorted; left out: there is one way. */
  readonly paths?: readonly RoutePathIntent[];
}

/** A device of the host that is made: a bridge, a cable to another device, a further address on an Ethernet, an Ethernet over UDP. Key: name. */
export interface InterfaceIntent {
  readonly kind: 'interface';
  readonly name: string;
  readonly type: 'bridge' | 'veth' | 'macvlan' | 'vxlan';
  readonly vrf: string;
  readonly mtu: number;
  readonly mac: string | null;
  readonly mssClamp: MssClamp;
  readonly sourceCheck: SourceCheck;
  /** The bridge to which it belongs. */
  readonly bridge: string | null;
  /** Of a macvlan, and of a VXLAN that is bound to one: an interface of the host. */
  readonly parent: string | null;
  /** Of a macvlan. */
  readonly mode: MacvlanMode | null;
  /** Of a veth: name of the other end. */
  readonly peer: string | null;
  /** Of a VXLAN. */
  readonly vni: number | null;
  readonly local: string | null;
  readonly remote: string | null;
  readonly udpPort: number | null;
}

/** Traffic of a kind is looked up in this VRF's table. Key: vrf, priority. */
export interface PolicyRuleIntent {
  readonly kind: 'policyRule';
  readonly vrf: string;
  readonly priority: number;
  readonly source: string | null;
  readonly destination: string | null;
  readonly incoming: string | null;
  readonly mark: { readonly value: number; readonly mask: number } | null;
}

/** Sources of a prefix leave under another address: the way out for peers. Key: vrf, prefix. */
export interface MasqueradeIntent {
  readonly kind: 'masquerade';
  readonly vrf: string;
  readonly prefix: string;
  /** Interfaces, sorted; null: every one but that by which a packet came in. */
  readonly leaving: readonly string[] | null;
  /** Sorted; null: the address of the interface that it leaves by. */
  readonly addresses: readonly string[] | null;
}

/** Ports of an address of this host that lead to an inside one of its family. Key: vrf, hostAddress, protocol, hostPort. */
export interface PublishedPortIntent {
  readonly kind: 'publishedPort';
  readonly vrf: string;
  /** Null: every own address. */
  readonly hostAddress: string | null;
  readonly hostPort: number;
  readonly protocol: TransportProtocol;
  readonly address: string;
  readonly port: number;
  /** How many ports, from `hostPort` and from `port` on. */
  readonly count: number;
  /** Id of the network that it leads into, without which it waits; left out: whatever is there. */
  readonly network?: string;
}

/** An address of this host that stands for an inside one as a whole, both ways, whatever the protocol. Key: id. IPv4. */
export interface FloatingIpIntent {
  readonly kind: 'floatingIp';
  readonly id: string;
  /** Where both addresses are. */
  readonly vrf: string;
  readonly address: string;
  readonly fixedAddress: string;
}

/** A subnet of a network, with the address of the gateway in it. */
export interface Subnet {
  readonly prefix: string;
  readonly gateway: string;
}

/** A network of containers or VMs, of which this host is the gateway. Key: id. */
export interface NetworkIntent {
  readonly kind: 'network';
  readonly id: string;
  /** For people; '' is none. */
  readonly name: string;
  /** Whoever is in a VLAN of an interface of the host (`parent`, `vlanId`), or at a bridge of the network's own. */
  readonly attachment: 'vlan' | 'bridged';
  /** The gateway's own interface in it: `eth0.100`, `br-blue`. */
  readonly interface: string;
  readonly parent: string | null;
  readonly vlanId: number | null;
  /** In the order of their prefixes. */
  readonly subnets: readonly Subnet[];
  /** Null: what the parent has; of a bridge 1500. */
  readonly mtu: number | null;
  /** Its sources leave under the host's address. */
  readonly nat: boolean;
  /** Nothing in or out but to the gateway itself. */
  readonly internal: boolean;
  /** The gateway answers names: those of the network, and those of the outside unless it is internal. */
  readonly dns: boolean;
  readonly domain: string | null;
  /** Who is asked for names of the outside; null: those whom the host asks. */
  readonly dnsServers: readonly string[] | null;
}

/** A name in a network. Key: network, name. */
export interface DnsNameIntent {
  readonly kind: 'dnsName';
  readonly network: string;
  readonly name: string;
  /** Sorted. */
  readonly addresses: readonly string[];
  /** Other names of the same; sorted. */
  readonly aliases: readonly string[];
}

/** How many translations there may be, and how long an idle one lives. Key: name, of which there is only `default`. */
export interface NatSettingsIntent {
  readonly kind: 'natSettings';
  readonly name: 'default';
  /** At most, of all hosts and of one inside host. */
  readonly sessions: number;
  readonly sessionsPerHost: number;
  /** UDP heard from both sides, and from one alone. */
  readonly udpSeconds: number;
  readonly udpOneWaySeconds: number;
  /** TCP, and TCP partly open or closing. */
  readonly tcpEstablishedSeconds: number;
  readonly tcpTransitorySeconds: number;
  readonly icmpSeconds: number;
}

export type Intent =
  | VrfIntent
  | GatewayInterfaceIntent
  | HostInterfaceIntent
  | PortIntent
  | AddressIntent
  | PeerIntent
  | PeerSuccessorIntent
  | RouteIntent
  | MasqueradeIntent
  | PublishedPortIntent
  | FloatingIpIntent
  | NatSettingsIntent
  | NetworkIntent
  | DnsNameIntent
  | InterfaceIntent
  | PolicyRuleIntent;
export type IntentKind = Intent['kind'];

/** `kind/part/part`, as for objects. */
export type IntentKey = string & { readonly __key: 'intent' };

export interface SourcedIntent {
  readonly source: IntentSource;
  readonly intent: Intent;
}

export function intentKey(intent: Intent): IntentKey {
  switch (intent.kind) {
    case 'vrf':
    case 'gatewayInterface':
    case 'hostInterface':
    case 'natSettings':
    case 'port':
    case 'interface':
      return `${intent.kind}/${intent.name}` as IntentKey;
    case 'address':
      return `address/${intent.interface}/${intent.address}` as IntentKey;
    case 'peer':
      return `peer/${intent.interface}/${intent.publicKey}` as IntentKey;
    case 'peerSuccessor':
      return successorKey(intent.interface, intent.publicKey);
    case 'route':
      return `route/${intent.vrf}/${intent.prefix}` as IntentKey;
    case 'floatingIp':
    case 'network':
      return `${intent.kind}/${intent.id}` as IntentKey;
    case 'policyRule':
      return `policyRule/${intent.vrf}/${intent.priority}` as IntentKey;
    case 'dnsName':
      return `dnsName/${intent.network}/${intent.name}` as IntentKey;
    case 'masquerade':
      return `masquerade/${intent.vrf}/${intent.prefix}` as IntentKey;
    case 'publishedPort': {
      const { vrf, hostAddress, protocol, hostPort } = intent;
      return `publishedPort/${vrf}/${hostAddress ?? '*'}/${protocol}/${hostPort}` as IntentKey;
    }
  }
}

/** Key of the intent that gives this peer another key. */
export function successorKey(interfaceName: string, publicKey: string): IntentKey {
  return `peerSuccessor/${interfaceName}/${publicKey}` as IntentKey;
}
