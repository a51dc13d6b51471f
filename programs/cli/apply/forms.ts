/** The one form of every field, as the controller keeps it, so that equal things have equal fields however they were written. */
import { parseKey } from '@vrouter/core/bytes.ts';
import { parseEndpoint } from '@vrouter/core/endpoint.ts';
import { parseHostPort } from '@vrouter/core/host-port.ts';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import type { Json } from '@vrouter/core/json.ts';
import { formatMac, parseMac } from '@vrouter/core/mac.ts';
import { parseInterfaceName, parseName } from '@vrouter/core/names.ts';
import { formatPrefix, parseInterfaceAddress, parsePrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';
import type { Fields, Kind } from './things.ts';

/** Throws ProblemError with the path of what is wrong. */
type Form = (value: Json, field: string) => Json;

const same: Form = (value) => value;
const text =
  <T>(parse: (text: string, field: string) => Result<T>, format: (value: T, text: string) => string): Form =>
  (value, field) => {
    const parsed = parse(String(value), field);
    if (!parsed.ok) throw new ProblemError(parsed.error);
    return format(parsed.value, String(value));
  };
const name = text(parseName, (parsed) => parsed);
const interfaceName = text(parseInterfaceName, (parsed) => parsed);
const key = text(parseKey, (_bytes, asWritten) => asWritten);
const prefix = text(parsePrefix, formatPrefix);
const interfaceAddress = text(parseInterfaceAddress, formatPrefix);
const ip = text(parseIp, formatIp);
const mac = text(parseMac, formatMac);
const endpoint = text(parseEndpoint, (parsed) => parsed.text);
/** It has its port only when one knows what is listened on; here it is only looked at. */
const hostPort = text(
  (host, field) => parseHostPort(host, 1, field),
  (_one, asWritten) => asWritten,
);

const orNull =
  (form: Form): Form =>
  (value, field) =>
    value === null ? null : form(value, field);
const list =
  (form: Form): Form =>
  (value, field) => [...new Set((value as readonly Json[]).map((item, i) => form(item, `${field}[${i}]`)))];
/** A list whose order means nothing. */
const set =
  (form: Form): Form =>
  (value, field) =>
    (list(form)(value, field) as string[]).sort();

const link = { vrf: name, mtu: same, mssClamp: same, sourceCheck: same, addresses: set(interfaceAddress) };

/** Of each kind the fields that are compared, and their forms. */
const forms: { readonly [K in Kind]: { readonly [field: string]: Form } } = {
  vrouter: {
    networks: list(prefix),
    vrf: name,
    listenPort: same,
    endpoint: hostPort,
    mtu: same,
    mssClamp: same,
    sourceCheck: same,
  },
  vrf: {},
  hostInterface: { ...link, routes: set(prefix) },
  port: { ...link, device: orNull(interfaceName), tap: orNull(interfaceName), mac: orNull(mac), vlanId: same },
  peer: {
    publicKey: key,
    presharedKey: orNull(key),
    allowedIps: set(prefix),
    endpoint: orNull(endpoint),
    persistentKeepalive: same,
  },
  route: { vrf: name, prefix, interface: orNull(interfaceName), nextHop: orNull(ip), blackhole: same },
  masquerade: { vrf: name, prefix, leaving: orNull(set(interfaceName)), addresses: orNull(set(ip)) },
  publishedPort: {
    vrf: name,
    protocol: same,
    hostAddress: orNull(ip),
    hostPort: same,
    address: ip,
    port: same,
    count: same,
  },
  floatingIp: { vrf: name, address: ip, fixedAddress: ip },
  natSettings: {
    sessions: same,
    sessionsPerHost: same,
    udpSeconds: same,
    udpOneWaySeconds: same,
    tcpEstablishedSeconds: same,
    tcpTransitorySeconds: same,
    icmpSeconds: same,
  },
};

/**
 * The fields of a kind that `said` has, canonical, in the order of the table. One that is wrong goes to `refuse` and is left out; without
 * it, it throws ProblemError. Its problem has the path of the field.
 */
export function canonicalFields(
  kind: Kind,
  said: { readonly [name: string]: unknown },
  refuse: (error: ProblemError) => void = (error) => {
    throw error;
  },
): Fields {
  const fields: { [name: string]: Json } = {};
  for (const [field, form] of Object.entries(forms[kind])) {
    if (said[field] === undefined) continue;
    try {
      fields[field] = form(said[field] as Json, field);
    } catch (thrown) {
      if (!(thrown instanceof ProblemError)) throw thrown;
      refuse(thrown);
    }
  }
  return fields;
}

/** A name of a thing that has one. Throws ProblemError `name.invalid`. */
export function canonicalName(kind: Kind, id: string): string {
  return (kind === 'hostInterface' || kind === 'port' ? interfaceName : name)(id, '') as string;
}

/** What of the fields does not go together, as the controller would refuse it; told early, with its line. Throws ProblemError. */
export function checkTogether(kind: Kind, f: Fields): void {
  const refuse = (field: string, sentence: string): never => {
    throw new ProblemError(problem('input.invalid', sentence, field));
  };
  const v6 = (value: Json | undefined): boolean => typeof value === 'string' && value.includes(':');
  switch (kind) {
    case 'port':
      if ((f.device === null) === (f.tap === null)) refuse('device', 'say exactly one of device and tap');
      if (f.tap !== null && f.vlanId !== null) refuse('vlanId', 'a TAP has no VLANs: leave it out');
      return;
    case 'hostInterface':
      if (Number(f.mtu) < 1280 && [f.addresses, f.routes].flat().some((one) => v6(one as Json)))
        refuse('mtu', 'IPv6 addresses and routes need an MTU of 1280 or more');
      return;
    case 'route':
      if ((f.interface === null) !== f.blackhole) refuse('interface', 'say exactly one of interface and blackhole');
      if (f.nextHop !== null && f.interface === null) refuse('nextHop', 'a next hop is reached through an interface');
      if (f.nextHop !== null && v6(f.nextHop) !== v6(f.prefix))
        refuse('nextHop', 'the next hop is of the same address family as the prefix');
      return;
    case 'masquerade':
      if (v6(f.prefix)) refuse('prefix', 'only IPv4 is translated');
      if ((f.addresses as readonly string[] | null)?.some(v6)) refuse('addresses', 'only IPv4 is translated');
      return;
    case 'publishedPort':
      for (const field of ['hostAddress', 'address']) if (v6(f[field])) refuse(field, 'only IPv4 is translated');
      if (Math.max(Number(f.hostPort), Number(f.port)) + Number(f.count) - 1 > 65_535)
        refuse('count', 'the last of these ports is above 65535');
      return;
    case 'floatingIp':
      for (const field of ['address', 'fixedAddress']) if (v6(f[field])) refuse(field, 'only IPv4 is translated');
      if (f.address === f.fixedAddress) refuse('fixedAddress', 'an address does not stand for itself');
      return;
    default:
  }
}
