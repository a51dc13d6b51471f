/** Structs of x_tables' matches and targets, as nft_compat carries them: little-endian flags, addresses and ports in network order. */

/** linux/netfilter/nf_nat.h: NF_NAT_RANGE_MAP_IPS, _PROTO_SPECIFIED. */
const MAP_IPS = 1;
const PROTO_SPECIFIED = 2;

interface End {
  readonly address: Uint8Array;
  readonly port: number;
}

export type Target =
  | { readonly name: 'MASQUERADE' }
  | { readonly name: 'DNAT'; readonly flags: number; readonly first: End; readonly last: End };

/** Null: it is neither, or asks for more than its name says. */
export function targetOf(name: string | null, revision: number | null, info: Uint8Array | null): Target | null {
  if (info === null) return null;
  const view = new DataView(info.buffer, info.byteOffset, info.length);
  if (name === 'MASQUERADE') {
    // struct nf_nat_ipv4_multi_range_compat: how many, then flags, two addresses, two ports.
    return revision === 0 && info.length >= 20 && view.getUint32(4, true) === 0 ? { name } : null;
  }
  if (name !== 'DNAT') return null;
  if (revision === 0)
    return info.length < 20 || view.getUint32(0, true) !== 1 ? null : dnat(view, info, 4, 8, 12, 16, 18);
  // struct nf_nat_range (revision 1) and nf_nat_range2: flags, two addresses of sixteen bytes, two ports, and in the latter a base.
  return info.length < 40 || revision === null || revision > 2 ? null : dnat(view, info, 0, 4, 20, 36, 38);
}

function dnat(
  view: DataView,
  info: Uint8Array,
  flags: number,
  ...at: readonly [number, number, number, number]
): Target {
  const [first, last, firstPort, lastPort] = at;
  const end = (address: number, port: number): End => ({
    address: info.slice(address, address + 4),
    port: view.getUint16(port),
  });
  return { name: 'DNAT', flags: view.getUint32(flags, true), first: end(first, firstPort), last: end(last, lastPort) };
}

/** One address and one port, and nothing by chance. */
export function isOneTarget({ flags, first, last }: Extract<Target, { name: 'DNAT' }>): boolean {
  const isOneAddress = first.address.every((byte, i) => byte === last.address[i]);
  return flags === (MAP_IPS | PROTO_SPECIFIED) && isOneAddress && first.port === last.port && first.port !== 0;
}

/** The one destination port that struct xt_tcp or xt_udp asks for; null: it asks for others, or for more. */
export function portOf(protocol: 'tcp' | 'udp', info: Uint8Array | null): number | null {
  if (info === null || info.length < (protocol === 'tcp' ? 12 : 9)) return null;
  const view = new DataView(info.buffer, info.byteOffset, info.length);
  const [fromFirst, fromLast, first, last] = [0, 2, 4, 6].map((at) => view.getUint16(at, true));
  // Of TCP besides: an option, a mask of flags and what they are to be. Inversions at the end.
  const rest = protocol === 'tcp' ? [8, 9, 10, 11] : [8];
  const isMore = fromFirst !== 0 || fromLast !== 0xffff || rest.some((at) => info[at] !== 0);
  return !isMore && first === last ? first! : null;
}

/** Text up to the first zero byte. */
export function textOf(info: Uint8Array): string {
  const end = info.indexOf(0);
  return new TextDecoder().decode(end < 0 ? info : info.subarray(0, end));
}
