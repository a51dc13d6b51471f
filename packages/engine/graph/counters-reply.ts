/** Counters as the outside sees them: the columns of one worker or the sums of several, with names. */
import { WireguardDrop } from '@vrouter/protocols/wireguard/drops.ts';
import type { CountersReply } from '../control/messages.ts';
import { type CounterColumns, Work } from './counters.ts';
import { dropReasons } from './drops.ts';
import { nodeNames } from './graph.ts';
import { icmpOutcomes } from './icmp-outcomes.ts';

/** A link that has counters, and where they stand. */
export interface CountedLink {
  readonly name: string;
  readonly index: number;
}

/** Sums what the workers have counted. A column that a worker has not made yet counts as zeros. */
export function countersReply(
  epoch: string,
  links: Iterable<CountedLink>,
  workers: readonly CounterColumns[],
): CountersReply {
  const sum = (column: keyof CounterColumns, index: number): number => {
    let total = 0;
    for (const columns of workers) total += columns[column][index] ?? 0;
    return total;
  };
  const rows = [...links].map(({ name, index }) => ({
    name,
    rxPackets: sum('rxPackets', index),
    rxBytes: sum('rxBytes', index),
    txPackets: sum('txPackets', index),
    txBytes: sum('txBytes', index),
    drops: sum('linkDrops', index),
  }));
  const drops: { [reason: string]: number } = {};
  dropReasons.forEach((name, reason) => {
    const count = sum('drops', reason);
    if (count !== 0) drops[name] = count;
  });
  for (const [name, reason] of Object.entries(WireguardDrop)) {
    const count = sum('wireguardDrops', reason);
    if (count !== 0) drops[`wireguard.${name}`] = count;
  }
  const nodes = Object.fromEntries(nodeNames.map((name, i) => [name, sum('nodes', i)]));
  const icmpErrors: { [outcome: string]: number } = {};
  icmpOutcomes.forEach((name, outcome) => {
    const count = sum('icmp', outcome);
    if (count !== 0) icmpErrors[name] = count;
  });
  return {
    epoch,
    links: rows,
    drops,
    icmpErrors,
    mssClamped: sum('work', Work.mssClamped),
    fragmented: sum('work', Work.fragmented),
    reassembled: sum('work', Work.reassembled),
    nodes,
  };
}
