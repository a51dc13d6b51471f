/**
 * What stands in our table besides the elements of objects: chains with their rules, and sets. A structure says which groups, lengths of
 * prefixes and pools there are; everything else follows from it.
 */
import { addElements } from '../netlink/nftables/element.ts';
import { appendRule, flushChain } from '../netlink/nftables/rule.ts';
import { createSet, deleteSet, type SetSpec } from '../netlink/nftables/set.ts';
import { createChain, createTable, deleteChain } from '../netlink/nftables/table.ts';
import { commentOf, writeUserdata } from '../netlink/nftables/userdata.ts';
import { baseChains } from './base.ts';
import { type Cell, groupCells } from './cells.ts';
import { groupChains, type PoolShape, poolChains, sourceChain } from './group.ts';
import type { ChainSpec } from './rules.ts';
import { baseSets, type Family, families, groupSets, lengthSets, PORTED, poolSet } from './sets.ts';

export const TABLE = 'vrouter';
/** By this the table is known as ours. */
export const TABLE_COMMENT = 'made by vrouterd, which mends it';

export interface Group {
  readonly 4: Set<number>;
  readonly 6: Set<number>;
}

export interface Structure {
  /** By VRF. */
  readonly groups: Map<string, Group>;
  /** By their ids. */
  readonly pools: Map<string, PoolShape>;
}

export const newGroup = (): Group => ({ 4: new Set(), 6: new Set() });

export interface Shape {
  readonly sets: readonly SetSpec[];
  readonly chains: readonly ChainSpec[];
  /** Elements that are nobody's. */
  readonly cells: readonly Cell[];
}

const portedCells: readonly Cell[] = PORTED.map((protocol) => ({
  set: 'ported',
  key: Uint8Array.of(protocol),
  data: null,
  userdata: null,
}));

export function groupShape(vrf: string, group: Group): Shape {
  const lengths = families.flatMap((f) => [...group[f]].flatMap((bits) => lengthSets(vrf, f, bits)));
  return {
    sets: [...groupSets(vrf), ...lengths],
    chains: groupChains(vrf, group),
    cells: groupCells(vrf),
  };
}

export function poolShape(pool: PoolShape): Shape {
  const sets = families.filter((f) => pool.count[f] > 0).map((f) => poolSet(pool.id, f));
  return { sets, chains: [poolChains(pool)], cells: [] };
}

/** All of the table. */
export function wholeShape({ groups, pools }: Structure): Shape {
  const parts: Shape[] = [{ sets: baseSets, chains: baseChains, cells: portedCells }];
  for (const [vrf, group] of groups) parts.push(groupShape(vrf, group));
  for (const pool of pools.values()) parts.push(poolShape(pool));
  return {
    sets: parts.flatMap(({ sets }) => sets),
    chains: parts.flatMap(({ chains }) => chains),
    cells: parts.flatMap(({ cells }) => cells),
  };
}

export function tableMessage(held: boolean): Uint8Array {
  return createTable(TABLE, writeUserdata(new Map([commentOf(TABLE_COMMENT)])), held);
}

/** In an order in which nothing speaks of what is not there yet. Numbers of sets count on from `firstId`. */
export function createShape({ sets, chains, cells }: Shape, firstId: number): Uint8Array[] {
  return [
    ...sets.map((set, i) => createSet(TABLE, set, firstId + i)),
    ...chains.map(({ name, hook, comment }) =>
      createChain(
        TABLE,
        name,
        hook,
        comment === null ? null : writeUserdata(new Map([commentOf(comment.slice(0, 120))])),
      ),
    ),
    ...chains.flatMap(ruleMessages),
    ...cells.flatMap((cell) => addElements(TABLE, cell.set, [cell])),
  ];
}

export function ruleMessages({ name, rules }: ChainSpec): Uint8Array[] {
  return rules.map((rule) => appendRule(TABLE, name, rule));
}

/** Elements that others put into its sets go with these; jumps to its chains must be gone. */
export function deleteShape({ sets, chains }: Shape): Uint8Array[] {
  return [
    ...chains.map(({ name }) => flushChain(TABLE, name)),
    ...chains.map(({ name }) => deleteChain(TABLE, name)),
    ...sets.map(({ name }) => deleteSet(TABLE, name)),
  ];
}

/** Another length of prefixes in a group. */
export function addLength(
  vrf: string,
  f: Family,
  bits: number,
  all: ReadonlySet<number>,
  firstId: number,
): Uint8Array[] {
  const sets = lengthSets(vrf, f, bits).map((set, i) => createSet(TABLE, set, firstId + i));
  const chain = sourceChain(vrf, f, all);
  return [...sets, flushChain(TABLE, chain.name), ...ruleMessages(chain)];
}
