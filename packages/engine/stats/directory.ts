/** What an engine's segment says of itself. */
import { WireguardDrop } from '@vrouter/protocols/wireguard/drops.ts';
import { type Counters, Work } from '../graph/counters.ts';
import { dropReasons } from '../graph/drops.ts';
import { nodeNames } from '../graph/graph.ts';
import { icmpOutcomes } from '../graph/icmp-outcomes.ts';
import type { Directory } from './layout.ts';
import type { StatsSegment } from './segment.ts';

export interface WhoseStats {
  readonly epoch: string;
  readonly worker: number;
  readonly workers: number;
}

/** Names by number. */
function namesOf(numbers: { readonly [name: string]: number }, prefix = ''): string[] {
  const names: string[] = [];
  for (const [name, number] of Object.entries(numbers)) names[number] = prefix + name;
  return Array.from(names, (name) => name ?? '');
}

const wireguardNames = namesOf(WireguardDrop, 'wireguard.');
const workNames = namesOf(Work);

export function directoryOf(
  segment: StatsSegment,
  counters: Counters,
  links: Iterable<{ readonly name: string; readonly index: number }>,
  whose: WhoseStats,
): Directory {
  const at = (column: Float64Array): number => segment.at(column);
  return {
    ...whose,
    drops: { at: at(counters.drops), names: dropReasons },
    wireguardDrops: { at: at(counters.wireguardDrops), names: wireguardNames },
    icmp: { at: at(counters.icmp), names: icmpOutcomes },
    work: { at: at(counters.work), names: workNames },
    nodes: { at: at(counters.nodes), names: nodeNames },
    links: {
      names: Array.from(links, ({ name, index }) => ({ name, index })),
      rxPackets: at(counters.rxPackets),
      rxBytes: at(counters.rxBytes),
      txPackets: at(counters.txPackets),
      txBytes: at(counters.txBytes),
      drops: at(counters.linkDrops),
    },
    peers: { pages: segment.pages(), pageRecords: segment.pageRecords },
  };
}
