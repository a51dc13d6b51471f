/**
 * local: packets for one of our own addresses. Echo requests of both families become their replies in place (RFC 792, RFC 4443
 * section 4.2, RFC 1812 section 4.3.3.6), put together first when they came in pieces; there is no other listener yet, which is what
 * TCP, UDP and unknown protocols hear.
 * In: ip-lookup, nat-in. Out: ip-lookup, since the reply takes its own way back; icmp-error.
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
import {
  findUpperLayer,
  IPV6_FRAGMENT_HEADER,
  IPV6_FRAGMENT_LEN,
  makeUpperLayer,
} from '@vrouter/wire/ipv6/extensions.ts';
import { IPV6_LEN, IPV6_SRC_AT, ipv6NextHeader, setIpv6HopLimit, swapIpv6Addresses } from '@vrouter/wire/ipv6/ipv6.ts';
import { type PacketBatch, ROW_OURS } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import { IcmpCause } from '../icmp-error/cause.ts';
import { HELD, Reassembly } from './reassembly.ts';

/** TTL of what we send, the value that the IANA parameters recommend. */
const DEFAULT_TTL = 64;
/** RFC 8200 section 4.7. */
const NO_NEXT_HEADER = 59;
/** Nobody is told. */
const SILENT = -1;

export class Local {
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #errors: Frame;
  readonly #next: Frame;
  readonly #reassembly: Reassembly;
  readonly #upper = makeUpperLayer();

  constructor(counters: Counters, clock: BreathClock, errors: Frame, next: Frame) {
    this.#counters = counters;
    this.#clock = clock;
    this.#errors = errors;
    this.#next = next;
    this.#reassembly = new Reassembly(counters);
  }

  process(batch: PacketBatch, frame: Frame): void {
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      let reason = isFragment(batch, row) ? this.#reassembly.take(batch, row, this.#clock.now) : Drop.none;
      if (reason === HELD) continue;
      if (reason === Drop.none) {
        const view = batch.region[row]!.view;
        const at = batch.offset[row]!;
        const end = at + batch.length[row]!;
        reason = ipVersion(view, at) === 4 ? answer4(view, at, end) : answer6(view, at, end);
      }
      if (reason !== Drop.none) {
        this.#counters.drop(reason, batch.ingress[row]!);
        if (reason === Drop.noListener) this.#refuse(batch, row);
        continue;
      }
      batch.flags[row] = batch.flags[row]! | ROW_OURS;
      this.#next.push(row);
    }
  }

  /** Nobody listens: says so, but not about ICMP that nobody asked for. */
  #refuse(batch: PacketBatch, row: number): void {
    const view = batch.region[row]!.view;
    const at = batch.offset[row]!;
    const cause = ipVersion(view, at) === 4 ? refusal4(view, at) : this.#refusal6(view, at, at + batch.length[row]!);
    if (cause === SILENT) return;
    batch.error[row] = cause;
    this.#errors.push(row);
  }

  #refusal6(view: DataView, at: number, end: number): number {
    findUpperLayer(view, at, end, this.#upper);
    const { protocol } = this.#upper;
    if (protocol === IpProtocol.tcp || protocol === IpProtocol.udp) return IcmpCause.portUnreachable;
    // The error names the place of the header, which it takes to be the first.
    const known = protocol < 0 || protocol === IpProtocol.icmpv6 || protocol === NO_NEXT_HEADER;
    return known || this.#upper.at !== at + IPV6_LEN ? SILENT : IcmpCause.protocolUnreachable;
  }
}

function refusal4(view: DataView, at: number): number {
  const protocol = ipv4Protocol(view, at);
  if (protocol === IpProtocol.icmp) return SILENT;
  if (protocol === IpProtocol.tcp || protocol === IpProtocol.udp) return IcmpCause.portUnreachable;
  return IcmpCause.protocolUnreachable;
}

/** A piece; over IPv6 one whose fragment header comes first. */
function isFragment(batch: PacketBatch, row: number): boolean {
  const view = batch.region[row]!.view;
  const at = batch.offset[row]!;
  if (ipVersion(view, at) === 4) return ipv4IsFragment(view, at);
  return ipv6NextHeader(view, at) === IPV6_FRAGMENT_HEADER && batch.length[row]! >= IPV6_LEN + IPV6_FRAGMENT_LEN;
}

/** Turns an echo request into its reply; else says why not. */
function answer4(view: DataView, at: number, end: number): number {
  if (ipv4Protocol(view, at) !== IpProtocol.icmp) return Drop.noListener;
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
