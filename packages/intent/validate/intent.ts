/** Intents from outside JSON (controller, database, file): checked, completed with defaults, canonical. */
import { parseEndpoint } from '@vrouter/core/endpoint.ts';
import { formatIp } from '@vrouter/core/ip.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, type Result } from '@vrouter/core/result.ts';
import { gatewayProblem } from '../compile/network.ts';
import {
  type Intent,
  type IntentKind,
  type InterfaceIntent,
  macvlanModes,
  mssClamps,
  type NetworkIntent,
  type RoutePathIntent,
  sourceChecks,
  transportProtocols,
} from '../model/intents.ts';
import { FieldReader } from './fields.ts';
import { type AddressUse, specialAddress } from './special.ts';

/** Bytes of the largest inner packet when nobody says otherwise: 1500 minus IPv6, UDP and WireGuard's 32. */
export const DEFAULT_MTU = 1420;
/** Of a port into an Ethernet. */
export const PORT_MTU = 1500;
export const MTU_MIN = 576;
export const MTU_MAX = 9216;
/** Bytes that every link with IPv6 carries (RFC 8200 section 5). */
export const IPV6_MTU_MIN = 1280;

/** The host address that stands for all of IPv6; of IPv4 it is null. */
export const EVERY_IPV6 = '::';
/** RFC 1035 section 4.2. */
const DNS_PORT = 53;
/** Of a network. */
const SUBNETS_MAX = 64;
/** Of a route. */
const PATHS_MAX = 64;
/** RFC 7348: 24 bits, and the port that IANA gives. */
const VNI_MAX = 0xffffff;
const VXLAN_PORT = 4789;

/** An idle translation may live from a second to a week; more of them than these take more memory than a gateway should give. */
const NAT_SECONDS_MAX = 604_800;
const NAT_SESSIONS_MAX = 1_048_576;

const parsers: { readonly [K in IntentKind]: (fields: FieldReader) => Result<Extract<Intent, { kind: K }>> } = {
  vrf: (f) => f.finish({ kind: f.literal('kind', 'vrf'), name: f.name('name') }),

  gatewayInterface: (f) =>
    f.finish({
      kind: f.literal('kind', 'gatewayInterface'),
      name: f.interfaceName('name'),
      type: f.literal('type', 'wireguard'),
      vrf: f.name('vrf', 'default'),
      listenPort: f.integer('listenPort', 0, 65_535),
      mtu: f.integer('mtu', MTU_MIN, MTU_MAX, DEFAULT_MTU),
      mssClamp: f.oneOf('mssClamp', mssClamps, 'auto'),
      sourceCheck: f.oneOf('sourceCheck', sourceChecks, 'off'),
    }),

  hostInterface: (f) => {
    const host = {
      kind: f.literal('kind', 'hostInterface'),
      name: f.interfaceName('name'),
      vrf: f.name('vrf', 'default'),
      mtu: f.integer('mtu', MTU_MIN, MTU_MAX, DEFAULT_MTU),
      mssClamp: f.oneOf('mssClamp', mssClamps, 'auto'),
      sourceCheck: f.oneOf('sourceCheck', sourceChecks, 'off'),
      addresses: f.interfaceAddresses('addresses'),
      routes: f.prefixes('routes'),
    };
    if (host.mtu < IPV6_MTU_MIN && [...host.addresses, ...host.routes].some((prefix) => prefix.includes(':')))
      f.refuse('mtu', `IPv6 addresses and routes need an MTU of ${IPV6_MTU_MIN} or more`);
    return f.finish(host);
  },

  port: (f) => {
    const port = {
      kind: f.literal('kind', 'port'),
      name: f.interfaceName('name'),
      vrf: f.name('vrf', 'default'),
      mtu: f.integer('mtu', MTU_MIN, MTU_MAX, PORT_MTU),
      device: f.interfaceNameOrNull('device'),
      tap: f.interfaceNameOrNull('tap'),
      mac: f.macOrNull('mac'),
      vlanId: f.integerOrNull('vlanId', 1, 4094),
      mssClamp: f.oneOf('mssClamp', mssClamps, 'auto'),
      sourceCheck: f.oneOf('sourceCheck', sourceChecks, 'off'),
    };
    if ((port.device === null) === (port.tap === null))
      f.refuse('device', 'a port is an interface that is there ("device") or one to be made ("tap"): say exactly one');
    if (port.tap !== null && port.vlanId !== null)
      f.refuse('vlanId', 'a TAP has no VLANs: leave it out, or make a TAP for each');
    return f.finish(port);
  },

  address: (f) =>
    f.finish({
      kind: f.literal('kind', 'address'),
      interface: f.interfaceName('interface'),
      address: f.interfaceAddress('address'),
    }),

  peer: (f) =>
    f.finish({
      kind: f.literal('kind', 'peer'),
      interface: f.interfaceName('interface'),
      publicKey: f.key('publicKey'),
      name: f.nameOrEmpty('name'),
      presharedKey: f.keyOrNull('presharedKey'),
      allowedIps: f.prefixes('allowedIps'),
      endpoint: f.endpointOrNull('endpoint'),
      persistentKeepalive: f.integer('persistentKeepalive', 0, 65_535, 0),
    }),

  peerSuccessor: (f) =>
    f.finish({
      kind: f.literal('kind', 'peerSuccessor'),
      interface: f.interfaceName('interface'),
      publicKey: f.key('publicKey'),
      nextPublicKey: f.key('nextPublicKey'),
      presharedKey: f.keyOrNull('presharedKey'),
      rotation: f.name('rotation'),
      open: f.flag('open', true),
    }),

  route: (f) => {
    const route = {
      kind: f.literal('kind', 'route'),
      vrf: f.name('vrf', 'default'),
      prefix: f.prefix('prefix'),
      interface: f.interfaceNameOrNull('interface'),
      nextHop: f.addressOrNull('nextHop'),
      blackhole: f.flag('blackhole', false),
      ...pathsOf(f),
    };
    if ([route.interface !== null, route.blackhole, route.paths !== undefined].filter(Boolean).length !== 1)
      f.refuse(
        'interface',
        'a route goes out of an interface, or of several ("paths"), or is a blackhole: say exactly one',
      );
    for (const [i, { nextHop }] of (route.paths ?? []).entries())
      if (nextHop !== null) oneFamily(f, `paths[${i}].nextHop`, nextHop, route.prefix);
    if (route.nextHop !== null && route.interface === null)
      f.refuse('nextHop', 'a next hop is reached through an interface: name it, or leave the next hop out');
    if (route.nextHop !== null && route.nextHop.includes(':') !== route.prefix.includes(':'))
      f.refuse('nextHop', 'the next hop is of the same address family as the prefix');
    return f.finish(route);
  },

  masquerade: (f) => {
    const masquerade = {
      kind: f.literal('kind', 'masquerade'),
      vrf: f.name('vrf', 'default'),
      prefix: f.prefix('prefix'),
      leaving: f.interfaceNamesOrNull('leaving'),
      addresses: f.addressesOrNull('addresses'),
    };
    masquerade.addresses?.forEach((address, i) => {
      oneFamily(f, `addresses[${i}]`, address, masquerade.prefix);
    });
    return f.finish(masquerade);
  },

  publishedPort: (f) => {
    const network = f.nameOrNull('network');
    const port = {
      kind: f.literal('kind', 'publishedPort'),
      vrf: f.name('vrf', 'default'),
      hostAddress: f.addressOrNull('hostAddress'),
      hostPort: f.integer('hostPort', 1, 65_535),
      protocol: f.oneOf('protocol', transportProtocols),
      address: f.addressOrNull('address') ?? '',
      port: f.integer('port', 1, 65_535),
      count: f.integer('count', 1, 65_535, 1),
      ...(network === null ? {} : { network }),
    };
    if (port.address === '') f.refuse('address', 'name the inside address that the port leads to');
    if (port.hostAddress === '0.0.0.0') port.hostAddress = null;
    // Every own address is one of each family, and there may be a port of both.
    if (port.hostAddress === null && port.address.includes(':')) port.hostAddress = EVERY_IPV6;
    oneFamily(f, 'address', port.address, port.hostAddress ?? '');
    if (port.hostAddress !== null && port.hostAddress !== EVERY_IPV6)
      goodAddress(f, 'hostAddress', port.hostAddress, 'published');
    goodAddress(f, 'address', port.address, 'published');
    if (Math.max(port.hostPort, port.port) + port.count - 1 > 65_535)
      f.refuse('count', 'the last of these ports is above 65535');
    return f.finish(port);
  },

  floatingIp: (f) => {
    const floating = {
      kind: f.literal('kind', 'floatingIp'),
      id: f.name('id'),
      vrf: f.name('vrf', 'default'),
      address: f.addressOrNull('address') ?? '',
      fixedAddress: f.addressOrNull('fixedAddress') ?? '',
    };
    for (const field of ['address', 'fixedAddress'] as const) {
      if (floating[field] === '')
        f.refuse(field, 'name both addresses, the one of this host and the one of the inside');
    }
    oneFamily(f, 'fixedAddress', floating.fixedAddress, floating.address);
    if (floating.address === floating.fixedAddress) f.refuse('fixedAddress', 'an address does not stand for itself');
    return f.finish(floating);
  },

  network: (f) => {
    const network: NetworkIntent = {
      kind: f.literal('kind', 'network'),
      id: f.name('id'),
      name: f.nameOrEmpty('name'),
      attachment: f.oneOf('attachment', ['vlan', 'bridged'] as const),
      interface: f.interfaceName('interface'),
      parent: f.interfaceNameOrNull('parent'),
      vlanId: f.integerOrNull('vlanId', 1, 4094),
      subnets: [
        ...f.objects('subnets', SUBNETS_MAX, (subnet) =>
          subnet.finish({ prefix: subnet.network('prefix'), gateway: subnet.address('gateway') }),
        ),
      ].sort((a, b) => (a.prefix < b.prefix ? -1 : 1)),
      mtu: f.integerOrNull('mtu', MTU_MIN, MTU_MAX),
      nat: f.flag('nat', true),
      internal: f.flag('internal', false),
      dns: f.flag('dns', true),
      domain: f.dnsNameOrNull('domain'),
      dnsServers: f.serversOrNull('dnsServers'),
    };
    refuseMisfits(f, network);
    return f.finish(network);
  },

  interface: (f) => {
    const made: InterfaceIntent = {
      kind: f.literal('kind', 'interface'),
      name: f.interfaceName('name'),
      type: f.oneOf('type', ['bridge', 'veth', 'macvlan', 'vxlan'] as const),
      vrf: f.name('vrf', 'default'),
      mtu: f.integer('mtu', MTU_MIN, MTU_MAX, PORT_MTU),
      mac: f.macOrNull('mac'),
      mssClamp: f.oneOf('mssClamp', mssClamps, 'off'),
      sourceCheck: f.oneOf('sourceCheck', sourceChecks, 'off'),
      bridge: f.interfaceNameOrNull('bridge'),
      parent: f.interfaceNameOrNull('parent'),
      mode: f.oneOfOrNull('mode', macvlanModes),
      peer: f.interfaceNameOrNull('peer'),
      vni: f.integerOrNull('vni', 1, VNI_MAX),
      local: f.addressOrNull('local'),
      remote: f.addressOrNull('remote'),
      udpPort: f.integerOrNull('udpPort', 1, 65_535),
    };
    return f.finish(withTypeDefaults(f, made));
  },

  policyRule: (f) => {
    const rule = {
      kind: f.literal('kind', 'policyRule'),
      vrf: f.name('vrf', 'default'),
      priority: f.integer('priority', 1, 32_765),
      source: f.prefixOrNull('source'),
      destination: f.prefixOrNull('destination'),
      incoming: f.interfaceNameOrNull('incoming'),
      mark: f.objectOrNull('mark', (mark) =>
        mark.finish({
          value: mark.integer('value', 0, 0xffffffff),
          mask: mark.integer('mask', 1, 0xffffffff, 0xffffffff),
        }),
      ),
    };
    const { source, destination, incoming, mark } = rule;
    if (source === null && destination === null && incoming === null && mark === null)
      f.refuse('source', 'a rule is about some traffic: say "source", "destination", "incoming" or "mark"');
    if (source !== null && destination !== null) oneFamily(f, 'destination', destination, source);
    return f.finish(rule);
  },

  dnsName: (f) =>
    f.finish({
      kind: f.literal('kind', 'dnsName'),
      network: f.name('network'),
      name: f.hostName('name'),
      addresses: f.addresses('addresses'),
      aliases: f.hostNames('aliases'),
    }),

  natSettings: (f) => {
    const seconds = (name: string, fallback: number): number => f.integer(name, 1, NAT_SECONDS_MAX, fallback);
    // The RFCs ask for at least 120 s of UDP (4787 REQ-5), 2 h 4 min and 4 min of TCP (5382 REQ-5), 60 s of ICMP (5508 REQ-2).
    const settings = {
      kind: f.literal('kind', 'natSettings'),
      name: f.literal('name', 'default'),
      sessions: f.integer('sessions', 1, NAT_SESSIONS_MAX, 65_536),
      sessionsPerHost: f.integer('sessionsPerHost', 1, NAT_SESSIONS_MAX, 4096),
      udpSeconds: seconds('udpSeconds', 300),
      udpOneWaySeconds: seconds('udpOneWaySeconds', 60),
      tcpEstablishedSeconds: seconds('tcpEstablishedSeconds', 7440),
      tcpTransitorySeconds: seconds('tcpTransitorySeconds', 240),
      icmpSeconds: seconds('icmpSeconds', 60),
    };
    if (settings.udpOneWaySeconds > settings.udpSeconds)
      f.refuse('udpOneWaySeconds', 'UDP heard from one side only lives no longer than UDP heard from both');
    if (settings.tcpTransitorySeconds > settings.tcpEstablishedSeconds)
      f.refuse('tcpTransitorySeconds', 'TCP that opens or closes lives no longer than TCP that is established');
    return f.finish(settings);
  },
};

/** Several ways, in the order of their texts. */
function pathsOf(f: FieldReader): { paths?: readonly RoutePathIntent[] } {
  const paths = f.objects('paths', PATHS_MAX, (path) =>
    path.finish({
      interface: path.interfaceName('interface'),
      nextHop: path.addressOrNull('nextHop'),
      weight: path.integer('weight', 1, 255, 1),
    }),
  );
  if (paths.length === 0) return {};
  const text = ({ interface: name, nextHop }: RoutePathIntent): string => `${name} ${nextHop ?? ''}`;
  if (paths.length < 2) f.refuse('paths', 'several ways are at least two: say one as "interface" and "nextHop"');
  if (new Set(paths.map(text)).size < paths.length) f.refuse('paths', 'each way stands there once: give it a weight');
  return { paths: [...paths].sort((a, b) => (text(a) < text(b) ? -1 : 1)) };
}

/** Fields that a type of interface must have, may have, and what they are when nobody says. */
const interfaceFields: {
  readonly [T in InterfaceIntent['type']]: {
    readonly [F in 'parent' | 'mode' | 'peer' | 'vni' | 'local' | 'remote' | 'udpPort']?: 'needed' | 'free';
  };
} = {
  bridge: {},
  veth: { peer: 'needed' },
  macvlan: { parent: 'needed', mode: 'free' },
  vxlan: { vni: 'needed', local: 'free', remote: 'free', udpPort: 'free', parent: 'free' },
};

function withTypeDefaults(f: FieldReader, made: InterfaceIntent): InterfaceIntent {
  const has = interfaceFields[made.type];
  for (const field of ['parent', 'mode', 'peer', 'vni', 'local', 'remote', 'udpPort'] as const) {
    if (made[field] === null && has[field] === 'needed') f.refuse(field, `a ${made.type} needs "${field}"`);
    if (made[field] !== null && has[field] === undefined)
      f.refuse(field, `a ${made.type} has no "${field}": leave it out`);
  }
  if (made.bridge !== null && made.vrf !== 'default')
    f.refuse('bridge', 'what belongs to a bridge is in no VRF of its own: leave "vrf" out');
  if (made.local !== null && made.remote !== null) oneFamily(f, 'remote', made.remote, made.local);
  if (made.type === 'macvlan') return { ...made, mode: made.mode ?? 'bridge' };
  return made.type === 'vxlan' ? { ...made, udpPort: made.udpPort ?? VXLAN_PORT } : made;
}

function oneFamily(fields: FieldReader, field: string, address: string, other: string): void {
  if (address.includes(':') !== other.includes(':'))
    fields.refuse(field, 'addresses are translated into those of their own family: both are IPv4, or both IPv6');
}

function goodAddress(fields: FieldReader, field: string, address: string, use: AddressUse): void {
  const wrong = specialAddress(address, use, field);
  if (wrong !== null) fields.refuse(field, wrong.message, wrong.code);
}

/** Another link of the host, a VLAN of it, subnets: what goes together. */
function refuseMisfits(
  f: FieldReader,
  { attachment, parent, vlanId, subnets, internal, dnsServers, dns }: NetworkIntent,
): void {
  if (attachment === 'vlan' && (parent === null || vlanId === null))
    f.refuse(
      parent === null ? 'parent' : 'vlanId',
      'a VLAN is one of an interface of the host: say "parent" and "vlanId"',
    );
  if (attachment === 'bridged' && (parent !== null || vlanId !== null))
    f.refuse(parent === null ? 'vlanId' : 'parent', 'a bridge of its own has no parent and no VLAN: leave both out');
  if (subnets.length === 0) f.refuse('subnets', 'a network has at least one subnet');
  for (const [i, subnet] of subnets.entries()) {
    const wrong = gatewayProblem(subnet, `subnets[${i}].gateway`);
    if (wrong !== null) f.refuse(wrong.field!, wrong.message, wrong.code);
  }
  if (internal && dnsServers !== null && dnsServers.length > 0)
    f.refuse('dnsServers', 'an internal network gets no answers from outside: leave the servers out');
  for (const [i, server] of (dnsServers ?? []).entries()) {
    const field = `dnsServers[${i}]`;
    const { address, port } = serverOf(server);
    goodAddress(f, field, address, 'server');
    if (port === DNS_PORT && subnets.some(({ gateway }) => gateway === address))
      f.refuse(field, `${address} is the gateway of this network, which would ask itself: name another server`);
  }
  if (!dns && dnsServers !== null) f.refuse('dnsServers', 'nobody asks them while "dns" is false');
}

/** Of canonical text, with a port or without. */
function serverOf(text: string): { readonly address: string; readonly port: number } {
  const endpoint = parseEndpoint(text);
  if (!endpoint.ok) return { address: text, port: DNS_PORT };
  return { address: formatIp(endpoint.value.address), port: endpoint.value.port };
}

/**
 * Checks one intent and brings it into the one form that equal intents share: canonical addresses, prefixes sorted and each once,
 * defaults filled in. The problem's `field` names what is wrong (`allowedIps[2]`); its code is `input.invalid` or the field's own
 * (`prefix.invalid`, `key.invalid`, `name.invalid`, `address.invalid`).
 */
export function parseIntent(json: unknown): Result<Intent> {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return err(problem('input.invalid', 'an intent is a JSON object with a "kind"'));
  const kind: unknown = 'kind' in json ? json.kind : undefined;
  if (!isKind(kind)) return err(unknownKind());
  return parsers[kind](new FieldReader(json as { readonly [name: string]: unknown }));
}

function isKind(kind: unknown): kind is IntentKind {
  return typeof kind === 'string' && Object.hasOwn(parsers, kind);
}

function unknownKind(): Problem {
  return problem('input.invalid', `"kind" is one of ${Object.keys(parsers).join(', ')}`, 'kind');
}
