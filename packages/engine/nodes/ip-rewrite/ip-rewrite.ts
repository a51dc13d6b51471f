/**
 * ip-rewrite: what a router changes in a packet that it forwards: the TTL or hop limit goes down by one, with the checksum mended
 * (RFC 1812 section 5.3.1, RFC 1624, RFC 8200 section 3). Link-local addresses never pass (RFC 3927 section 2.7, RFC 4291 section
 * 2.5.6). Our own packets leave as they were made.
 * In: ip-lookup. Out: link-output, by nat-out where the link has a NAT rule; icmp-error for what has expired.
 */
import { ipVersion, ipv4Dst, ipv4Src, ipv4Ttl, setIpv4Ttl } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_DST_AT, IPV6_SRC_AT, ipv6HopLimit, setIpv6HopLimit } from '@vrouter/wire/ipv6/ipv6.ts';
import { type PacketBatch, ROW_NAT_IN, ROW_OURS } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Forwarding } from '../../state/forwarding.ts';
import { IcmpCause } from '../icmp-error/cause.ts';

export class IpRewrite {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #next: Frame;
  readonly #natOut: Frame;
  readonly #errors: Frame;

  constructor(forwarding: Forwarding, counters: Counters, next: Frame, natOut: Frame, errors: Frame) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#next = next;
    this.#natOut = natOut;
    this.#errors = errors;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { natOut } = this.#forwarding;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      if ((batch.flags[row]! & ROW_OURS) === 0) {
        const view = batch.region[row]!.view;
        const at = batch.offset[row]!;
        const reason = ipVersion(view, at) === 4 ? forward4(view, at) : forward6(view, at);
        if (reason !== Drop.none) {
          this.#counters.drop(reason, batch.ingress[row]!);
          if (reason === Drop.ttlExpired) {
            batch.error[row] = IcmpCause.timeExceeded;
            this.#errors.push(row);
          }
          continue;
        }
      }
      const translates = natOut[batch.egress[row]!] === 1 && (batch.flags[row]! & ROW_NAT_IN) === 0;
      (translates ? this.#natOut : this.#next).push(row);
    }
  }
}

function forward4(view: DataView, at: number): number {
  // 169.254.0.0/16
  if (ipv4Src(view, at) >>> 16 === 0xa9fe || ipv4Dst(view, at) >>> 16 === 0xa9fe) return Drop.linkLocal;
  const ttl = ipv4Ttl(view, at);
  if (ttl <= 1) return Drop.ttlExpired;
  setIpv4Ttl(view, at, ttl - 1);
  return Drop.none;
}

function forward6(view: DataView, at: number): number {
  // fe80::/10
  if (view.getUint16(at + IPV6_SRC_AT) >>> 6 === 0x3fa || view.getUint16(at + IPV6_DST_AT) >>> 6 === 0x3fa)
    return Drop.linkLocal;
  const hops = ipv6HopLimit(view, at);
  if (hops <= 1) return Drop.ttlExpired;
  setIpv6HopLimit(view, at, hops - 1);
  return Drop.none;
}
