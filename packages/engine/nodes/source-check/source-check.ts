/**
 * source-check: the reverse path of what comes in by links that ask for it, RFC 3704 sections 2.2 and 2.3. Strict: the way back to the
 * source leads out of this very link. Loose: there is a way back at all. A blackhole is none, and our own addresses come from nobody
 * else (RFC 1812 section 5.3.8).
 * In: ip-input. Out: ip-lookup.
 */
import { IPV4_SRC_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_SRC_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import { AdjacencyKind } from '../../state/adjacency.ts';
import { type Forwarding, SourceCheck } from '../../state/forwarding.ts';

export class SourceCheckNode {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #next: Frame;

  constructor(forwarding: Forwarding, counters: Counters, next: Frame) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#next = next;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { adjacencies, links, vrfs } = this.#forwarding;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const { bytes } = batch.region[row]!;
      const at = batch.offset[row]!;
      const ingress = batch.ingress[row]!;
      const vrf = vrfs[batch.vrf[row]!]!;
      const back =
        bytes[at]! >>> 4 === 4 ? vrf.fib4.lookup4(bytes, at + IPV4_SRC_AT) : vrf.fib6.lookup6(bytes, at + IPV6_SRC_AT);
      const strict = links[ingress]!.sourceCheck === SourceCheck.strict;
      const known = adjacencies.kind[back] === AdjacencyKind.link;
      if (known && (!strict || adjacencies.link[back] === ingress)) this.#next.push(row);
      else this.#counters.drop(Drop.reversePath, ingress);
    }
  }
}
