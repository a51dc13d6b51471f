/** What the kernel has counted for objects: packets of published ports in both ways, packets that isolation dropped. */
import type { Learned } from '@vrouter/intent/model/objects.ts';
import type { Conversation } from '../netlink/conversation.ts';
import { askElements, type ElementRow, parseElements } from '../netlink/nftables/element.ts';
import { cellId, type FirewallObject } from './cells.ts';
import { elementsOf } from './load.ts';
import { baseSets, groupSets } from './sets.ts';
import { TABLE } from './shape.ts';
import type { TableState } from './state.ts';

export interface Counts {
  packets: number;
  bytes: number;
}

/** By owner. Throws ProblemError. */
export async function countsOfAll(kernel: Conversation, state: TableState): Promise<ReadonlyMap<string, Counts>> {
  const counts = new Map<string, Counts>();
  const sets = [...baseSets, ...[...state.structure.groups.keys()].flatMap(groupSets)];
  for (const { name, counter } of sets)
    if (counter)
      for (const row of await elementsOf(kernel, name)) addTo(counts, state.holderOf(cellId(name, row.key)), row);
  return counts;
}

export async function countsOfSome(
  kernel: Conversation,
  state: TableState,
  owners: readonly string[],
): Promise<ReadonlyMap<string, Counts>> {
  const counts = new Map<string, Counts>();
  for (const owner of owners) {
    const bySet = new Map<string, Uint8Array[]>();
    for (const { set, key } of state.owners.get(owner)?.cells.values() ?? [])
      if (isCounting(set)) bySet.set(set, [...(bySet.get(set) ?? []), key]);
    for (const [set, keys] of bySet)
      for (const request of askElements(TABLE, set, keys))
        for (const rows of await kernel.getAll(request, `nftables: ${owner}`, parseElements))
          for (const row of rows) addTo(counts, owner, row);
  }
  return counts;
}

const isCounting = (set: string): boolean => set === 'dropped' || set.startsWith('seen');

function addTo(counts: Map<string, Counts>, owner: string | undefined, { packets, bytes }: ElementRow): void {
  if (owner === undefined) return;
  const sum = counts.get(owner) ?? { packets: 0, bytes: 0 };
  sum.packets += packets ?? 0;
  sum.bytes += bytes ?? 0;
  counts.set(owner, sum);
}

/** Null: nobody counts it. Sessions are conntrack's. */
export function learnedOf(object: FirewallObject, counts: Counts | undefined): Learned {
  const { packets, bytes } = counts ?? { packets: null, bytes: null };
  switch (object.kind) {
    case 'isolation':
      return { packets, bytes };
    case 'natRule':
      return { packets, bytes, sessions: null };
    case 'natPool':
      return { sessions: null, exhausted: null };
  }
}
