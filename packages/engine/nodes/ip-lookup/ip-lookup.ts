/**
 * ip-lookup: the longest prefix of the row's VRF that covers the destination, RFC 1812 section 5.2.4.3.
 * In: ip-input, source-check, local (replies), nat-in, icmp-error. Out: local for own addresses (by nat-in where there is NAT), ip-rewrite
 * for a link, icmp-error without a route. A blackhole ends here in silence, as on the other planes.
 */
import { IPV4_DST_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_DST_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { type PacketBatch, ROW_NAT_IN } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import { AdjacencyKind } from '../../state/adjacency.ts';
import type { Forwarding } from '../../state/forwarding.ts';
import { IcmpCause } from '../icmp-error/cause.ts';

export class IpLookup {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #local: Frame;
  readonly #rewrite: Frame;
  readonly #natIn: Frame;
  readonly #errors: Frame;

  constructor(forwarding: Forwarding, counters: Counters, local: Frame, rewrite: Frame, natIn: Frame, errors: Frame) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#local = local;
    this.#rewrite = rewrite;
    this.#natIn = natIn;
    this.#errors = errors;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { adjacencies, vrfs } = this.#forwarding;
    const ours = this.#forwarding.natIn ? this.#natIn : this.#local;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const bytes = batch.region[row]!.bytes;
      const at = batch.offset[row]!;
      const vrf = vrfs[batch.vrf[row]!]!;
      let adjacency =
        bytes[at]! >>> 4 === 4 ? vrf.fib4.lookup4(bytes, at + IPV4_DST_AT) : vrf.fib6.lookup6(bytes, at + IPV6_DST_AT);
      if (bytes[at]! >>> 4 === 6 && bytes[at + IPV6_DST_AT] === 0xfe && (bytes[at + IPV6_DST_AT + 1]! & 0xc0) === 0x80)
        adjacency = this.#linkLocal(batch, row, adjacency);
      batch.adjacency[row] = adjacency;
      const kind = adjacencies.kind[adjacency];
      if (kind === AdjacencyKind.link) {
        batch.egress[row] = adjacencies.link[adjacency]!;
        this.#rewrite.push(row);
      } else if (kind === AdjacencyKind.local) ((batch.flags[row]! & ROW_NAT_IN) === 0 ? ours : this.#local).push(row);
      else if (kind === AdjacencyKind.blackhole) this.#counters.drop(Drop.blackhole, batch.ingress[row]!);
      else {
        this.#counters.drop(Drop.noRoute, batch.ingress[row]!);
        batch.error[row] = IcmpCause.noRoute;
        this.#errors.push(row);
      }
    }
  }

  /** A link-local address means what it means on the link that the packet came in by; on an Ethernet that is more than routes say. */
  #linkLocal(batch: PacketBatch, row: number, routed: number): number {
    const port = this.#forwarding.links[batch.ingress[row]!]!.ethernet;
    if (port === null || port.station === null) return routed;
    const ours = port.station.own.find(batch.region[row]!.bytes, batch.offset[row]! + IPV6_DST_AT, 16) !== null;
    return ours ? this.#forwarding.ownAdjacency : port.adjacency;
  }
}
