/**
 * local: packets for one of our own addresses. Echo requests of both families become their replies in place (RFC 792, RFC 4443
 * section 4.2, RFC 1812 section 4.3.3.6); there is no other listener yet. Pieces of datagrams are not put together.
 * In: ip-lookup. Out: ip-lookup, since the reply takes its own way back.
 */
import { sumPseudoHeader } from '@vrouter/wire/checksum/checksum.ts';
import {
  checkIcmp,
  IcmpFault,
  IcmpType,
  Icmpv6Type,
  icmpCode,
  icmpType,
  setIcmpType,
} from '@vrouter/wire/icmp/icmp.ts';
import {
  IPV4_MIN_LEN,
  ipVersion,
  ipv4HeaderLen,
  ipv4IsFragment,
  ipv4Protocol,
  setIpv4Ttl,
  swapIpv4Addresses,
} from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { IPV6_LEN, IPV6_SRC_AT, ipv6NextHeader, setIpv6HopLimit, swapIpv6Addresses } from '@vrouter/wire/ipv6/ipv6.ts';
import { type PacketBatch, ROW_OURS } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';

/** TTL of what we send, the value that the IANA parameters recommend. */
const DEFAULT_TTL = 64;

export class Local {
  readonly #counters: Counters;
  readonly #next: Frame;

  constructor(counters: Counters, next: Frame) {
    this.#counters = counters;
    this.#next = next;
  }

  process(batch: PacketBatch, frame: Frame): void {
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const view = batch.region[row]!.view;
      const at = batch.offset[row]!;
      const end = at + batch.length[row]!;
      const reason = ipVersion(view, at) === 4 ? answer4(view, at, end) : answer6(view, at, end);
      if (reason !== Drop.none) {
        this.#counters.drop(reason, batch.ingress[row]!);
        continue;
      }
      batch.flags[row] = batch.flags[row]! | ROW_OURS;
      this.#next.push(row);
    }
  }
}

/** Turns an echo request into its reply; else says why not. */
function answer4(view: DataView, at: number, end: number): number {
  if (ipv4Protocol(view, at) !== IpProtocol.icmp) return Drop.noListener;
  if (ipv4IsFragment(view, at)) return Drop.fragment;
  // A reply would have to reverse source routes and continue records (RFC 1122 section 3.2.2.6): nobody sends these.
  if (ipv4HeaderLen(view, at) !== IPV4_MIN_LEN) return Drop.ipv4Options;
  const icmp = at + IPV4_MIN_LEN;
  const fault = checkIcmp(view, icmp, end, 0);
  if (fault !== IcmpFault.none) return fault === IcmpFault.short ? Drop.icmpShort : Drop.icmpChecksum;
  if (icmpType(view, icmp) !== IcmpType.echoRequest || icmpCode(view, icmp) !== 0) return Drop.noListener;
  setIcmpType(view, icmp, IcmpType.echoReply);
  swapIpv4Addresses(view, at);
  setIpv4Ttl(view, at, DEFAULT_TTL);
  return Drop.none;
}

function answer6(view: DataView, at: number, end: number): number {
  if (ipv6NextHeader(view, at) !== IpProtocol.icmpv6) return Drop.noListener;
  const icmp = at + IPV6_LEN;
  const pseudo = sumPseudoHeader(view, at + IPV6_SRC_AT, 16, IpProtocol.icmpv6, end - icmp);
  const fault = checkIcmp(view, icmp, end, pseudo);
  if (fault !== IcmpFault.none) return fault === IcmpFault.short ? Drop.icmpShort : Drop.icmpChecksum;
  if (icmpType(view, icmp) !== Icmpv6Type.echoRequest || icmpCode(view, icmp) !== 0) return Drop.noListener;
  setIcmpType(view, icmp, Icmpv6Type.echoReply);
  swapIpv6Addresses(view, at);
  setIpv6HopLimit(view, at, DEFAULT_TTL);
  return Drop.none;
}
