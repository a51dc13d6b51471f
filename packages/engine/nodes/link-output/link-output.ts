/**
 * link-output: what holds for every kind of link before its own output node: it must be up, and the packet must fit. What does not fit
 * is cut where that is allowed (IPv4 without "don't fragment", and what we made ourselves), else its sender hears of the MTU (RFC 1191
 * section 4, RFC 4443 section 3.2). SYNs of forwarded TCP get an MSS that fits the links on both sides that ask for it.
 * In: ip-rewrite, nat-out. Out: the output node of the link's kind, icmp-error.
 */
import { IPV4_PROTOCOL_AT, ipVersion, ipv4DontFragment } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { IPV6_NEXT_HEADER_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { type PacketBatch, ROW_OURS } from '../../batch/packet-batch.ts';
import { type Counters, Work } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import { type Forwarding, type Link, NO_CLAMP } from '../../state/forwarding.ts';
import { IcmpCause, tooBigFor } from '../icmp-error/cause.ts';
import { Fragmenter } from './fragmenter.ts';
import { clampMss } from './mss-clamp.ts';

export class LinkOutput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #wireguard: Frame;
  readonly #tun: Frame;
  readonly #ethernet: Frame;
  readonly #errors: Frame;
  readonly #fragmenter: Fragmenter;

  /** `seed` starts the identifications of packets that we cut ourselves. */
  constructor(
    forwarding: Forwarding,
    counters: Counters,
    seed: number,
    wireguard: Frame,
    tun: Frame,
    ethernet: Frame,
    errors: Frame,
  ) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#wireguard = wireguard;
    this.#tun = tun;
    this.#ethernet = ethernet;
    this.#errors = errors;
    this.#fragmenter = new Fragmenter(counters, seed);
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { links } = this.#forwarding;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const egress = batch.egress[row]!;
      const link = links[egress]!;
      if (!link.operUp) {
        this.#counters.drop(Drop.linkDown, egress);
        batch.error[row] = IcmpCause.noRoute;
        this.#errors.push(row);
        continue;
      }
      const { bytes } = batch.region[row]!;
      const at = batch.offset[row]!;
      if (bytes[bytes[at]! >>> 4 === 4 ? at + IPV4_PROTOCOL_AT : at + IPV6_NEXT_HEADER_AT] === IpProtocol.tcp) {
        const clampMtu = Math.min(link.clampMtu, links[batch.ingress[row]!]!.clampMtu);
        if (clampMtu !== NO_CLAMP && clampMss(batch, row, clampMtu)) this.#counters.did(Work.mssClamped);
      }
      if (batch.length[row]! > link.mtu) this.#tooLong(batch, row, link);
      else this.#outputOf(link).push(row);
    }
  }

  #outputOf(link: Link): Frame {
    if (link.tun !== null) return this.#tun;
    return link.ethernet === null ? this.#wireguard : this.#ethernet;
  }

  #tooLong(batch: PacketBatch, row: number, link: Link): void {
    const { view } = batch.region[row]!;
    const at = batch.offset[row]!;
    const ours = (batch.flags[row]! & ROW_OURS) !== 0;
    if (ours || (ipVersion(view, at) === 4 && !ipv4DontFragment(view, at))) {
      const reason = this.#fragmenter.cut(batch, row, link.mtu, this.#outputOf(link));
      if (reason !== Drop.none) this.#counters.drop(reason, link.index);
      return;
    }
    this.#counters.drop(Drop.mtuExceeded, link.index);
    batch.error[row] = tooBigFor(link.mtu);
    this.#errors.push(row);
  }
}
