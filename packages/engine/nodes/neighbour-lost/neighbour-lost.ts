/**
 * neighbour-lost: packets that waited for a neighbour who does not answer. Their senders hear of it (RFC 4861 section 7.2.2, RFC 1812
 * section 5.2.7.1).
 * In: what the minds of the ports gave up. Out: icmp-error.
 */
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Forwarding } from '../../state/forwarding.ts';
import { IcmpCause } from '../icmp-error/cause.ts';

export class NeighbourLost {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #errors: Frame;

  constructor(forwarding: Forwarding, counters: Counters, errors: Frame) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#errors = errors;
  }

  process(batch: PacketBatch, frame: Frame): void {
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      this.#counters.drop(Drop.neighbourUnreachable, batch.egress[row]!);
      // The link that it came in by may have gone while it waited; then nobody can be told.
      const ingress = this.#forwarding.links[batch.ingress[row]!] ?? null;
      if (ingress === null) continue;
      batch.vrf[row] = ingress.vrf;
      batch.error[row] = IcmpCause.hostUnreachable;
      this.#errors.push(row);
    }
  }
}
