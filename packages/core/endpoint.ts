/** Where datagrams come from and go to: an address and a UDP port. */
import { formatIp, type IpBytes, parseIp, unmapped } from './ip.ts';
import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** An address of this machine that somebody spoke to. */
export interface LocalAddress {
  /** Of the same family as the endpoint that it belongs to. */
  readonly address: IpBytes;
  /** The index of the interface where either end is link-local (RFC 4007), else 0: any will do. */
  readonly interfaceIndex: number;
}

/** `text` is canonical (`192.0.2.1:51820`, `[2001:db8::1]:51820`), so two endpoints are the same when their texts are. */
export interface Endpoint {
  readonly text: string;
  readonly address: IpBytes;
  readonly port: number;
  /**
   * Where answers come from: the address that was asked. Null: the system chooses. Set to null by a socket when the address is no
   * longer ours, and by WireGuard when nobody answers; a socket that is asked there again puts it back.
   */
  source: LocalAddress | null;
}

export function makeEndpoint(address: IpBytes, port: number, source: LocalAddress | null = null): Endpoint {
  const ip = formatIp(address);
  return { text: address.length === 4 ? `${ip}:${port}` : `[${ip}]:${port}`, address, port, source };
}

/**
 * Parses `ip:port` or `[ipv6]:port`; host names are for edges that can resolve them. IPv4 mapped into IPv6 is the IPv4 that it stands
 * for (RFC 4291 section 2.5.5.2): nothing else would ever hear of it. `address.invalid`.
 */
export function parseEndpoint(text: string, field?: string): Result<Endpoint> {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65535)
    return err(problem('address.invalid', 'an endpoint looks like 192.0.2.1:51820 or [2001:db8::1]:51820', field));
  const address = parseIp(match[1] ?? match[2]!, field);
  if (!address.ok) return address;
  if ((address.value.length === 16) !== (match[1] !== undefined))
    return err(problem('address.invalid', 'IPv6 stands in brackets, IPv4 does not: [2001:db8::1]:51820', field));
  return ok(makeEndpoint(unmapped(address.value), port));
}
