/**
 * Whether an error may be sent about a packet at all: RFC 1812 section 4.3.2.7, RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e). Nothing
 * is assumed about what nodes before have sorted out.
 */
import { icmpIsQuery, icmpv6IsQuery } from '@vrouter/wire/icmp/errors.ts';
import { icmpType } from '@vrouter/wire/icmp/icmp.ts';
import { ipv4FragmentOffset } from '@vrouter/wire/ipv4/fragment.ts';
import { ipv4Dst, ipv4HeaderLen, ipv4Protocol, ipv4Src } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { findUpperLayer, makeUpperLayer } from '@vrouter/wire/ipv6/extensions.ts';
import { IPV6_DST_AT, IPV6_SRC_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { IcmpOutcome } from '../../graph/icmp-outcomes.ts';

/** An error may be sent: the outcome is still open. */
export const MAY_ANSWER = -1;

/** `MAY_ANSWER`, or the outcome that says why not. */
export function mayAnswer4(view: DataView, at: number, end: number): number {
  const src = ipv4Src(view, at) >>> 24;
  if (src === 0 || src === 127 || src >= 224) return IcmpOutcome.aboutMartian;
  if (ipv4Dst(view, at) >>> 28 >= 0xe) return IcmpOutcome.aboutMulticast;
  if (ipv4FragmentOffset(view, at) !== 0) return IcmpOutcome.aboutFragment;
  if (ipv4Protocol(view, at) !== IpProtocol.icmp) return MAY_ANSWER;
  const icmp = at + ipv4HeaderLen(view, at);
  if (icmp >= end) return IcmpOutcome.aboutMalformed;
  return icmpIsQuery(icmpType(view, icmp)) ? MAY_ANSWER : IcmpOutcome.aboutError;
}

export class MayAnswer6 {
  readonly #upper = makeUpperLayer();

  /** As `mayAnswer4`. "Packet too big" may answer multicast, but none gets this far. */
  judge(view: DataView, at: number, end: number): number {
    if (view.getUint8(at + IPV6_SRC_AT) === 0xff || unspecifiedOrLoopback(view, at + IPV6_SRC_AT))
      return IcmpOutcome.aboutMartian;
    if (view.getUint8(at + IPV6_DST_AT) === 0xff) return IcmpOutcome.aboutMulticast;
    findUpperLayer(view, at, end, this.#upper);
    if (this.#upper.laterFragment) return IcmpOutcome.aboutFragment;
    if (this.#upper.protocol < 0) return IcmpOutcome.aboutMalformed;
    if (this.#upper.protocol !== IpProtocol.icmpv6) return MAY_ANSWER;
    if (this.#upper.at >= end) return IcmpOutcome.aboutMalformed;
    return icmpv6IsQuery(icmpType(view, this.#upper.at)) ? MAY_ANSWER : IcmpOutcome.aboutError;
  }
}

function unspecifiedOrLoopback(view: DataView, at: number): boolean {
  return (
    view.getUint32(at) === 0 &&
    view.getUint32(at + 4) === 0 &&
    view.getUint32(at + 8) === 0 &&
    view.getUint32(at + 12) <= 1
  );
}
