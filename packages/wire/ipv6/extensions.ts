/**
 * The chain of IPv6 extension headers, RFC 8200 section 4, and the fragment header, section 4.5:
 *
 *   |  Next Header  |   Reserved    |      Fragment Offset    |Res|M|
 *   |                         Identification                        |
 */
import { IPV6_LEN, ipv6NextHeader } from './ipv6.ts';

export const IPV6_FRAGMENT_HEADER = 44;
export const IPV6_FRAGMENT_LEN = 8;
const HOP_BY_HOP = 0;
const ROUTING = 43;
const AUTHENTICATION = 51;
const DESTINATION_OPTIONS = 60;
const MOBILITY = 135;
/** More headers than this nobody sends for a good reason (RFC 8504 section 5.3). */
const MAX_HEADERS = 8;

/** Bytes of the original payload before this piece; `at` is the fragment header's. */
export const ipv6FragmentOffset = (v: DataView, at: number): number => v.getUint16(at + 2) & 0xfff8;
export const ipv6MoreFragments = (v: DataView, at: number): boolean => (v.getUint8(at + 3) & 1) !== 0;
export const ipv6FragmentId = (v: DataView, at: number): number => v.getUint32(at + 4);

/** What `findUpperLayer` found; one object, used again and again. */
export interface UpperLayer {
  /** Protocol number of the upper layer, -1 when the chain breaks off or is too long. */
  protocol: number;
  /** Where it begins. */
  at: number;
  /** A piece of a datagram, and a piece other than the first. */
  fragment: boolean;
  laterFragment: boolean;
}

export function makeUpperLayer(): UpperLayer {
  return { protocol: -1, at: 0, fragment: false, laterFragment: false };
}

/** Walks from the header at `at` (which `checkIpv6` has passed) to the upper layer. In a later piece what follows is no header. */
export function findUpperLayer(v: DataView, at: number, end: number, found: UpperLayer): void {
  let next = ipv6NextHeader(v, at);
  let here = at + IPV6_LEN;
  found.protocol = -1;
  found.fragment = false;
  found.laterFragment = false;
  for (let headers = 0; ; headers++) {
    found.at = here;
    if (!isExtension(next)) {
      found.protocol = next;
      return;
    }
    if (headers === MAX_HEADERS || end - here < 8) return;
    const following = v.getUint8(here);
    let length = (v.getUint8(here + 1) + 1) * 8;
    if (next === IPV6_FRAGMENT_HEADER) {
      length = IPV6_FRAGMENT_LEN;
      found.fragment = true;
      found.laterFragment = ipv6FragmentOffset(v, here) !== 0;
    } else if (next === AUTHENTICATION) length = (v.getUint8(here + 1) + 2) * 4;
    if (length > end - here) return;
    here += length;
    next = following;
    if (found.laterFragment) {
      found.protocol = next;
      found.at = here;
      return;
    }
  }
}

/** Writes a fragment header; `offset` is a multiple of 8. */
export function emitIpv6Fragment(
  v: DataView,
  at: number,
  next: number,
  offset: number,
  more: boolean,
  id: number,
): void {
  v.setUint8(at, next);
  v.setUint8(at + 1, 0);
  v.setUint16(at + 2, offset | (more ? 1 : 0));
  v.setUint32(at + 4, id);
}

function isExtension(header: number): boolean {
  return (
    header === HOP_BY_HOP ||
    header === ROUTING ||
    header === IPV6_FRAGMENT_HEADER ||
    header === AUTHENTICATION ||
    header === DESTINATION_OPTIONS ||
    header === MOBILITY
  );
}
