/** Intents from outside JSON (controller, database, file): checked, completed with defaults, canonical. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, type Result } from '@vrouter/core/result.ts';
import { type Intent, type IntentKind, mssClamps, sourceChecks } from '../model/intents.ts';
import { FieldReader } from './fields.ts';

/** Bytes of the largest inner packet when nobody says otherwise: 1500 minus IPv6, UDP and WireGuard's 32. */
export const DEFAULT_MTU = 1420;
/** Of a port into an Ethernet. */
export const PORT_MTU = 1500;
export const MTU_MIN = 576;
export const MTU_MAX = 9216;
/** Bytes that every link with IPv6 carries (RFC 8200 section 5). */
export const IPV6_MTU_MIN = 1280;

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
    };
    if ((route.interface === null) !== route.blackhole)
      f.refuse('interface', 'a route goes out of an interface or is a blackhole: say exactly one of the two');
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
    refuseIpv6(f, 'prefix', masquerade.prefix);
    masquerade.addresses?.forEach((address, i) => {
      refuseIpv6(f, `addresses[${i}]`, address);
    });
    return f.finish(masquerade);
  },

  publishedPort: (f) => {
    const port = {
      kind: f.literal('kind', 'publishedPort'),
      vrf: f.name('vrf', 'default'),
      hostAddress: f.addressOrNull('hostAddress'),
      hostPort: f.integer('hostPort', 1, 65_535),
      protocol: f.oneOf('protocol', ['tcp', 'udp'] as const),
      address: f.addressOrNull('address') ?? '',
      port: f.integer('port', 1, 65_535),
      count: f.integer('count', 1, 65_535, 1),
    };
    if (port.address === '') f.refuse('address', 'name the inside address that the port leads to');
    refuseIpv6(f, 'hostAddress', port.hostAddress ?? '');
    refuseIpv6(f, 'address', port.address);
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
      refuseIpv6(f, field, floating[field]);
    }
    if (floating.address === floating.fixedAddress) f.refuse('fixedAddress', 'an address does not stand for itself');
    return f.finish(floating);
  },

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

function refuseIpv6(fields: FieldReader, field: string, address: string): void {
  if (address.includes(':')) fields.refuse(field, 'only IPv4 is translated: give an IPv4 address');
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
