/**
 * Control messages of a UDP socket (cmsg(3)): how long the datagrams of a bundled message are (UDP_GRO, udp(7)), and which of our
 * addresses was asked (IP_PKTINFO, ip(7); IPV6_PKTINFO, ipv6(7)). x86-64 and arm64 alike:
 *
 *     cmsghdr       0 length (64 bits) | 8 level | 12 type | 16 data, and then to the next multiple of eight
 *     in_pktinfo    0 interface | 4 address to send from | 8 address in the header                             12 bytes
 *     in6_pktinfo   0 address | 16 interface                                                                   20 bytes
 */
import type { Endpoint, LocalAddress } from '@vrouter/core/endpoint.ts';
import * as sys from './syscalls.ts';

/** RFC 4291 section 2.5.5.2: the third word of an IPv4-mapped address, as the host (LE) reads it. */
const MAPPED_WORD = 0xffff_0000 | 0;

/** Our side of a message: four words of the address (IPv4 mapped), its bytes (4, 16, or 0: not told), and the interface. */
export const LOCAL_WORDS = 6;
export const LOCAL_LENGTH = 4;
const LOCAL_INTERFACE = 5;

export interface Control {
  /** Bytes of each datagram in the message but the last; 0: it is one datagram. */
  segment: number;
  readonly local: Int32Array;
}

export function noControl(): Control {
  return { segment: 0, local: new Int32Array(LOCAL_WORDS) };
}

/**
 * Reads the `length` bytes of control messages from word `at` on into `into`. What is unknown is passed over, and what is cut off is
 * not there.
 */
export function readControl(words: Uint32Array, at: number, length: number, into: Control): void {
  const { local } = into;
  into.segment = 0;
  local[0] = local[1] = local[2] = local[3] = local[LOCAL_LENGTH] = local[LOCAL_INTERFACE] = 0;
  let left = length;
  while (left >= sys.CMSG_HEADER_LEN) {
    const bytes = words[at]!;
    // Below its own header, or beyond what there is: nothing behind it can be believed.
    if (bytes < sys.CMSG_HEADER_LEN || bytes > left || words[at + 1] !== 0) return;
    const level = words[at + 2]!;
    const type = words[at + 3]!;
    const data = at + 4;
    const dataBytes = bytes - sys.CMSG_HEADER_LEN;
    if (level === sys.SOL_UDP && type === sys.UDP_GRO && dataBytes >= 4) into.segment = words[data]! | 0;
    else if (level === sys.IPPROTO_IPV6 && type === sys.IPV6_PKTINFO && dataBytes >= 20)
      takeLocal(local, words[data]!, words[data + 1]!, words[data + 2]!, words[data + 3]!, words[data + 4]!);
    else if (level === sys.IPPROTO_IP && type === sys.IP_PKTINFO && dataBytes >= 12)
      takeLocal(local, 0, 0, MAPPED_WORD, words[data + 1]!, words[data]!);
    const room = (bytes + 7) & ~7;
    at += room >> 2;
    left -= room;
  }
}

/** Groups and "nobody" are no addresses to answer from; the interface counts where the address says nothing without it. */
function takeLocal(local: Int32Array, a: number, b: number, c: number, d: number, interfaceIndex: number): void {
  const isMapped = a === 0 && b === 0 && (c | 0) === MAPPED_WORD;
  const first = (isMapped ? d : a) & 0xff;
  const isGroup = isMapped ? first >= 224 : first === 0xff;
  if (isGroup || (isMapped ? d === 0 : (a | b | c | d) === 0)) return;
  local[0] = a;
  local[1] = b;
  local[2] = c;
  local[3] = d;
  local[LOCAL_LENGTH] = isMapped ? 4 : 16;
  local[LOCAL_INTERFACE] = !isMapped && (a & 0xc0ff) === 0x80fe ? interfaceIndex : 0;
}

/** The words of `readControl` as an address, for an endpoint of the same family; null when they say nothing that helps it. */
export function readLocal(local: Int32Array, { address: remote }: Endpoint): LocalAddress | null {
  const length = local[LOCAL_LENGTH]!;
  if (length !== remote.length) return null;
  const bytes = new Uint8Array(local.buffer, local.byteOffset, 16);
  return { address: bytes.slice(16 - length, 16), interfaceIndex: local[LOCAL_INTERFACE]! };
}

/** fe80::/10, RFC 4291 section 2.5.6. */
export function isLinkLocal(address: Uint8Array): boolean {
  return address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}

/** Writes the control message that makes a datagram come from `source`; returns the bytes that it takes, 32 or 40. */
export function writeSource(view: DataView, at: number, { address, interfaceIndex }: LocalAddress): number {
  const isIpv4 = address.length === 4;
  const data = at + sys.CMSG_HEADER_LEN;
  view.setUint32(at, sys.CMSG_HEADER_LEN + (isIpv4 ? 12 : 20), true);
  view.setUint32(at + 4, 0, true);
  view.setUint32(at + 8, isIpv4 ? sys.IPPROTO_IP : sys.IPPROTO_IPV6, true);
  view.setUint32(at + 12, isIpv4 ? sys.IP_PKTINFO : sys.IPV6_PKTINFO, true);
  if (isIpv4) {
    view.setUint32(data, interfaceIndex, true);
    for (let i = 0; i < 4; i++) view.setUint8(data + 4 + i, address[i]!);
    view.setUint32(data + 8, 0, true);
    return sys.CMSG_HEADER_LEN + 16;
  }
  for (let i = 0; i < 16; i++) view.setUint8(data + i, address[i]!);
  view.setUint32(data + 16, interfaceIndex, true);
  return sys.CMSG_HEADER_LEN + 24;
}
