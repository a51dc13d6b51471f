/**
 * icmp-error: tells a sender why its packet went no further. The row becomes the error, with as much of the packet as may be, and is
 * looked up like any packet. The drop itself was counted where it happened; here each error sent or not sent is.
 *
 * Sent from the address that the packet was for when that is ours (RFC 4443 section 2.2 (a)), else from the first address of the link that
 * it came in by (RFC 1812 section 4.3.2.4). TTL and precedence by RFC 1812 section 4.3.2.5.
 * In: ip-lookup, local, ip-rewrite, link-output, wireguard-output. Out: ip-lookup.
 */
import { finishChecksum, sumPseudoHeader, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import {
  emitIcmpErrorHeader,
  ICMP_ERROR_LEN,
  ICMP_ERROR_MAX_PACKET,
  ICMPV6_ERROR_MAX_PACKET,
  IcmpErrorType,
  Icmpv6ErrorType,
  Unreachable6Code,
  UnreachableCode,
} from '@vrouter/wire/icmp/errors.ts';
import { IPV4_DST_AT, IPV4_MIN_LEN, IPV4_SRC_AT, ipVersion } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { IPV6_DST_AT, IPV6_LEN, IPV6_SRC_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { type PacketBatch, ROW_ABOUT_NAT_IN, ROW_NAT_IN, ROW_OURS } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import type { Frame } from '../../graph/frame.ts';
import { IcmpOutcome } from '../../graph/icmp-outcomes.ts';
import type { Forwarding } from '../../state/forwarding.ts';
import { IcmpCause } from './cause.ts';
import { MAY_ANSWER, MayAnswer6, mayAnswer4 } from './may-answer.ts';
import { IcmpRateLimit } from './rate-limit.ts';

/** TTL of what we send, the value that the IANA parameters recommend. */
const DEFAULT_TTL = 64;
/** Precedence 6, internetwork control. */
const TOS = 0xc0;

// By IcmpCause.
const types4 = [IcmpErrorType.timeExceeded, 3, 3, 3, 3, IcmpErrorType.unreachable];
const codes4 = [
  0,
  UnreachableCode.net,
  UnreachableCode.host,
  UnreachableCode.protocol,
  UnreachableCode.port,
  UnreachableCode.fragmentationNeeded,
];
const types6 = [Icmpv6ErrorType.timeExceeded, 1, 1, Icmpv6ErrorType.parameterProblem, 1, Icmpv6ErrorType.packetTooBig];
// An unknown next header is a parameter problem, code 1 (RFC 4443 section 3.4), whose pointer says where it stands.
const codes6 = [0, Unreachable6Code.noRoute, Unreachable6Code.address, 1, Unreachable6Code.port, 0];
const NEXT_HEADER_AT = 6;
const outcomes = [
  IcmpOutcome.timeExceeded,
  IcmpOutcome.unreachable,
  IcmpOutcome.unreachable,
  IcmpOutcome.unreachable,
  IcmpOutcome.unreachable,
  IcmpOutcome.tooBig,
];

export class IcmpError {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #next: Frame;
  readonly #limit: IcmpRateLimit;
  readonly #judge6: MayAnswer6;
  #id: number;

  /** `seed` starts identifications and the hash of the rate limit; `workers` share the rate. */
  constructor(
    forwarding: Forwarding,
    counters: Counters,
    clock: BreathClock,
    seed: number,
    next: Frame,
    workers: number = 1,
  ) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#clock = clock;
    this.#next = next;
    this.#limit = new IcmpRateLimit(seed, workers);
    this.#judge6 = new MayAnswer6();
    this.#id = seed & 0xffff;
  }

  process(batch: PacketBatch, frame: Frame): void {
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const outcome = this.#answer(batch, row);
      this.#counters.icmp[outcome] = this.#counters.icmp[outcome]! + 1;
      if (outcome <= IcmpOutcome.tooBig) this.#next.push(row);
    }
  }

  /** Makes the row its error; says what became of it. */
  #answer(batch: PacketBatch, row: number): number {
    if ((batch.flags[row]! & ROW_OURS) !== 0) return IcmpOutcome.aboutOurs;
    const { bytes, view } = batch.region[row]!;
    const at = batch.offset[row]!;
    const end = at + batch.length[row]!;
    const four = ipVersion(view, at) === 4;
    const refused = four ? mayAnswer4(view, at, end) : this.#judge6.judge(view, at, end);
    if (refused !== MAY_ANSWER) return refused;
    const cause = batch.error[row]! & 0xff;
    const link = this.#forwarding.links[batch.ingress[row]!]!;
    const atUs = cause === IcmpCause.protocolUnreachable || cause === IcmpCause.portUnreachable;
    const own = four ? link.address4 : link.address6;
    if (own === null && !atUs) return IcmpOutcome.noAddress;
    const { now } = this.#clock;
    if (!this.#limit.takeFor(bytes, at + (four ? IPV4_SRC_AT : IPV6_SRC_AT), four ? 4 : 16, now))
      return IcmpOutcome.rateDestination;
    if (!this.#limit.takeGlobal(now)) return IcmpOutcome.rateGlobal;
    const headers = (four ? IPV4_MIN_LEN : IPV6_LEN) + ICMP_ERROR_LEN;
    const quote = Math.min(end - at, (four ? ICMP_ERROR_MAX_PACKET : ICMPV6_ERROR_MAX_PACKET) - headers);
    const to = batch.reserve(headers + quote);
    if (to < 0) return IcmpOutcome.noMemory;
    const made = batch.made;
    const argument = batch.error[row]! >>> 8;
    made.bytes.set(bytes.subarray(at, at + quote), to + headers);
    if (four) this.#write4(made.view, to, quote, cause, argument, atUs ? null : own);
    else write6(made.view, to, quote, cause, argument, atUs ? null : own);
    batch.moveToMade(row, to, headers + quote);
    // Little else stays: what was translated for the packet is to be translated back for its error (nat-out, nat-in).
    batch.flags[row] = (batch.flags[row]! & ROW_NAT_IN) === 0 ? ROW_OURS : ROW_OURS | ROW_ABOUT_NAT_IN;
    return outcomes[cause]!;
  }

  /** `own` null: from the address that the packet was for. */
  #write4(v: DataView, at: number, quote: number, cause: number, mtu: number, own: Uint8Array | null): void {
    const quoted = at + IPV4_MIN_LEN + ICMP_ERROR_LEN;
    this.#id = (this.#id + 1) & 0xffff;
    v.setUint16(at, 0x4500 | TOS);
    v.setUint16(at + 2, IPV4_MIN_LEN + ICMP_ERROR_LEN + quote);
    v.setUint16(at + 4, this.#id);
    v.setUint16(at + 6, 0);
    v.setUint16(at + 8, (DEFAULT_TTL << 8) | IpProtocol.icmp);
    v.setUint16(at + 10, 0);
    for (let i = 0; i < 4; i++)
      v.setUint8(at + IPV4_SRC_AT + i, own === null ? v.getUint8(quoted + IPV4_DST_AT + i) : own[i]!);
    v.setUint32(at + IPV4_DST_AT, v.getUint32(quoted + IPV4_SRC_AT));
    v.setUint16(at + 10, finishChecksum(sumWords(v, at, IPV4_MIN_LEN, 0)));
    const rest = cause === IcmpCause.tooBig ? mtu : 0;
    emitIcmpErrorHeader(v, at + IPV4_MIN_LEN, types4[cause]!, codes4[cause]!, rest, quote, 0);
  }
}

function write6(v: DataView, at: number, quote: number, cause: number, mtu: number, own: Uint8Array | null): void {
  const quoted = at + IPV6_LEN + ICMP_ERROR_LEN;
  v.setUint32(at, 0x60000000);
  v.setUint16(at + 4, ICMP_ERROR_LEN + quote);
  v.setUint16(at + 6, (IpProtocol.icmpv6 << 8) | DEFAULT_TTL);
  for (let i = 0; i < 16; i++) {
    v.setUint8(at + IPV6_SRC_AT + i, own === null ? v.getUint8(quoted + IPV6_DST_AT + i) : own[i]!);
    v.setUint8(at + IPV6_DST_AT + i, v.getUint8(quoted + IPV6_SRC_AT + i));
  }
  const rest = cause === IcmpCause.tooBig ? mtu : cause === IcmpCause.protocolUnreachable ? NEXT_HEADER_AT : 0;
  const pseudo = sumPseudoHeader(v, at + IPV6_SRC_AT, 16, IpProtocol.icmpv6, ICMP_ERROR_LEN + quote);
  emitIcmpErrorHeader(v, at + IPV6_LEN, types6[cause]!, codes6[cause]!, rest, quote, pseudo);
}
