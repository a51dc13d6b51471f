/** From what the table holds and what is wanted of some owners to the messages of one transaction, each with the owner to blame for it. */
import { addElements, deleteElements } from '../netlink/nftables/element.ts';
import { flushChain } from '../netlink/nftables/rule.ts';
import { createSet, deleteSet } from '../netlink/nftables/set.ts';
import { deleteTable } from '../netlink/nftables/table.ts';
import { type Cell, cellId, poolId, type Wanted } from './cells.ts';
import { DEFAULT_VRF, type PoolShape } from './group.ts';
import { sameCell } from './load.ts';
import type { Family } from './sets.ts';
import {
  addLength,
  createShape,
  deleteShape,
  type Group,
  groupShape,
  newGroup,
  poolShape,
  ruleMessages,
  type Shape,
  type Structure,
  TABLE,
  tableMessage,
  wholeShape,
} from './shape.ts';
import type { TableState } from './state.ts';

/** By owner; null: it goes. */
export type Changes = ReadonlyMap<string, Wanted | null>;

export interface Planned {
  readonly message: Uint8Array;
  /** Null: it serves several. */
  readonly owner: string | null;
}

const shared = (messages: readonly Uint8Array[]): Planned[] => messages.map((message) => ({ message, owner: null }));

/** The changes are not those of the state yet; `settle` makes them so when the kernel has taken the messages. */
export function planChanges(state: TableState, changes: Changes, held = false): Planned[] {
  if (isEmptyAfter(state, changes)) return state.exists ? shared([deleteTable(TABLE)]) : [];
  return state.exists && state.whole ? planAmendment(state, changes) : planWhole(state, changes, held);
}

/** Nobody has anything in it: then there is no table. */
export function isEmptyAfter(state: TableState, changes: Changes): boolean {
  for (const wanted of changes.values()) if (wanted !== null) return false;
  for (const owner of state.owners.keys()) if (!changes.has(owner)) return false;
  return true;
}

/** The whole table anew: it is not there, or somebody has been at its rules. Packets see either the old one or the new. */
function planWhole(state: TableState, changes: Changes, held: boolean): Planned[] {
  const { groups, pools } = state.structure;
  const copies = [...groups].map(([vrf, group]) => [vrf, { 4: new Set(group[4]), 6: new Set(group[6]) }] as const);
  const after = { groups: new Map(copies), pools: new Map(pools) };
  applyDelta(after, deltaOf(state, changes));
  const cells: Planned[] = [];
  for (const [owner, held] of state.owners)
    if (!changes.has(owner)) cells.push(...elements(owner, [...held.cells.values()], addElements));
  for (const [owner, wanted] of changes) if (wanted !== null) cells.push(...elements(owner, wanted.cells, addElements));
  return [
    ...shared(state.exists ? [deleteTable(TABLE)] : []),
    ...shared([tableMessage(held), ...createShape(wholeShape(after), 1)]),
    ...cells,
  ];
}

function elements(
  owner: string,
  cells: readonly Cell[],
  write: (table: string, set: string, cells: readonly Cell[]) => Uint8Array[],
): Planned[] {
  const bySet = new Map<string, Cell[]>();
  for (const cell of cells) {
    if (!bySet.has(cell.set)) bySet.set(cell.set, []);
    bySet.get(cell.set)!.push(cell);
  }
  return [...bySet].flatMap(([set, some]) => write(TABLE, set, some).map((message) => ({ message, owner })));
}

const removal = (table: string, set: string, cells: readonly Cell[]): Uint8Array[] =>
  deleteElements(
    table,
    set,
    cells.map(({ key }) => key),
  );

/** What of the structure comes and goes with changes. */
interface Delta {
  readonly groups: Map<string, Group>;
  readonly goneGroups: readonly string[];
  /** In groups that are there. */
  readonly lengths: readonly (readonly [vrf: string, Family, bits: number])[];
  readonly pools: readonly PoolShape[];
  readonly gonePools: readonly PoolShape[];
}

function deltaOf(state: TableState, changes: Changes): Delta {
  const { structure } = state;
  const groups = new Map<string, Group>();
  const lengths = new Map<string, readonly [string, Family, number]>();
  const [pools, gonePools]: [PoolShape[], PoolShape[]] = [[], []];
  const left = new Set<string>();
  if (!structure.groups.has(DEFAULT_VRF)) groups.set(DEFAULT_VRF, newGroup());
  for (const [owner, wanted] of changes) {
    const before = state.owners.get(owner)?.vrf ?? null;
    if (before !== null && before !== DEFAULT_VRF) left.add(before);
    if (wanted === null) {
      const pool = structure.pools.get(poolId(owner.slice('natPool/'.length)));
      if (pool !== undefined && owner.startsWith('natPool/')) gonePools.push(pool);
      continue;
    }
    const { vrf, length, pool } = wanted;
    if (pool !== null && JSON.stringify(structure.pools.get(pool.id)) !== JSON.stringify(pool)) pools.push(pool);
    if (vrf === null) continue;
    const group = structure.groups.get(vrf);
    if (group === undefined && !groups.has(vrf)) groups.set(vrf, newGroup());
    if (length === null) continue;
    if (group === undefined) groups.get(vrf)![length[0]].add(length[1]);
    else if (!group[length[0]].has(length[1])) lengths.set(`${vrf} ${length.join()}`, [vrf, ...length]);
  }
  const goneGroups = [...left].filter((vrf) => structure.groups.has(vrf) && !isUsed(state, changes, vrf));
  return { groups, goneGroups, lengths: [...lengths.values()], pools, gonePools };
}

function isUsed(state: TableState, changes: Changes, vrf: string): boolean {
  for (const wanted of changes.values()) if (wanted?.vrf === vrf) return true;
  for (const owner of state.groupUsers(vrf)) if (!changes.has(owner)) return true;
  return false;
}

function applyDelta({ groups, pools }: Structure, delta: Delta): void {
  for (const [vrf, group] of delta.groups) groups.set(vrf, group);
  for (const vrf of delta.goneGroups) groups.delete(vrf);
  for (const [vrf, f, bits] of delta.lengths) groups.get(vrf)![f].add(bits);
  for (const pool of delta.pools) pools.set(pool.id, pool);
  for (const { id } of delta.gonePools) pools.delete(id);
}

/** The kernel has done what was planned. */
export function settle(state: TableState, changes: Changes): void {
  const isEmpty = isEmptyAfter(state, changes);
  if (isEmpty) state.clear();
  else applyDelta(state.structure, deltaOf(state, changes));
  for (const [owner, wanted] of changes)
    if (wanted === null) state.remove(owner);
    else state.put(owner, wanted);
  state.exists = !isEmpty;
  state.whole = true;
}

/** What is there is changed where it has to be: first what must be there, then elements out and in, then what has no use any more. */
function planAmendment(state: TableState, changes: Changes): Planned[] {
  const { structure } = state;
  const delta = deltaOf(state, changes);
  const [first, last]: [Uint8Array[], Uint8Array[]] = [[], []];
  let id = 1;
  const make = (shape: Shape): void => {
    first.push(...createShape(shape, id));
    id += shape.sets.length;
  };
  for (const [vrf, group] of delta.groups) make(groupShape(vrf, group));
  const lengths = new Map<string, Set<number>>();
  for (const [vrf, f, bits] of delta.lengths) {
    const key = `${vrf} ${f}`;
    const all = lengths.get(key) ?? new Set(structure.groups.get(vrf)![f]);
    lengths.set(key, all.add(bits));
    first.push(...addLength(vrf, f, bits, all, id));
    id += 4;
  }
  for (const pool of delta.pools) {
    const before = structure.pools.get(pool.id);
    const shape = poolShape(pool);
    if (before === undefined) {
      make(shape);
      continue;
    }
    const had = new Set(poolShape(before).sets.map(({ name }) => name));
    const has = new Set(shape.sets.map(({ name }) => name));
    for (const set of shape.sets) if (!had.has(set.name)) first.push(createSet(TABLE, set, id++));
    for (const chain of shape.chains) first.push(flushChain(TABLE, chain.name), ...ruleMessages(chain));
    for (const name of had) if (!has.has(name)) last.push(deleteSet(TABLE, name));
  }
  for (const pool of delta.gonePools) last.push(...deleteShape(poolShape(pool)));
  for (const vrf of delta.goneGroups) {
    const shape = groupShape(vrf, structure.groups.get(vrf)!);
    for (const { set, key } of shape.cells) last.push(...deleteElements(TABLE, set, [key]));
    last.push(...deleteShape(shape));
  }
  return [...shared(first), ...planElements(state, changes), ...shared(last)];
}

function planElements(state: TableState, changes: Changes): Planned[] {
  const [out, into]: [Planned[], Planned[]] = [[], []];
  for (const [owner, wanted] of changes) {
    const had = state.owners.get(owner)?.cells ?? new Map<string, Cell>();
    const has = new Map((wanted?.cells ?? []).map((cell) => [cellId(cell.set, cell.key), cell]));
    const stays = (id: string): boolean => had.has(id) && has.has(id) && sameCell(had.get(id)!, has.get(id)!);
    const outs = [...had].filter(([id]) => !stays(id)).map(([, cell]) => cell);
    const ins = [...has].filter(([id]) => !stays(id)).map(([, cell]) => cell);
    out.push(...elements(owner, outs, removal));
    into.push(...elements(owner, ins, addElements));
  }
  return [...out, ...into];
}
