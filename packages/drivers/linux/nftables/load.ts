/** Reads our table: what is in it, and whether it stands as it should. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Conversation } from '../netlink/conversation.ts';
import { askGeneration, parseGeneration } from '../netlink/nftables/batch.ts';
import { askSet, type ElementRow, parseElements } from '../netlink/nftables/element.ts';
import { askRules, parseRule, type RuleRow, ruleOf, sameExpressions } from '../netlink/nftables/rule.ts';
import { askSets, isSet, parseSet, type SetRow } from '../netlink/nftables/set.ts';
import { askChains, askTable, type ChainRow, parseChain, parseTable } from '../netlink/nftables/table.ts';
import { readComment, readUserdata } from '../netlink/nftables/userdata.ts';
import { Errno } from '../netlink/refusal.ts';
import { type Cell, cellId, linkCells, objectCells, type Wanted } from './cells.ts';
import { readLabel } from './label.ts';
import { ownerOf, readObject, readTraits } from './objects.ts';
import type { ChainSpec } from './rules.ts';
import { parseSetName } from './sets.ts';
import { newGroup, ruleMessages, TABLE, TABLE_COMMENT, wholeShape } from './shape.ts';
import { TableState } from './state.ts';

/** A look takes some milliseconds; who changes rules oftener than that for so long is a mistake. */
const TRIES = 50;

/**
 * `othersOnly`: whether all that has been done up to a generation since it was asked last was done to tables of others; false when nobody
 * knows. Throws ProblemError `plane.failed`, or `object.exists` when somebody else has a table of that name.
 */
export async function loadState(
  kernel: Conversation,
  othersOnly: (generation: number) => boolean,
): Promise<TableState> {
  for (let tries = 0; tries < TRIES; tries++) {
    // What has been done so far is in what is read now.
    othersOnly(0);
    const generation = await generationOf(kernel);
    const state = await loadOnce(kernel, generation);
    // What was read in pieces is one picture when nobody has changed anything of it meanwhile.
    const after = await generationOf(kernel);
    if (after === generation) return state;
    if (!othersOnly(after)) continue;
    state.generation = after;
    return state;
  }
  throw new ProblemError(problem('plane.failed', 'nftables: changes faster than it can be read'));
}

export async function generationOf(kernel: Conversation): Promise<number> {
  const generation = await kernel.get(askGeneration(), 'nftables', parseGeneration);
  if (generation === null) throw new ProblemError(problem('plane.failed', 'nftables: the kernel names no generation'));
  return generation;
}

async function loadOnce(kernel: Conversation, generation: number): Promise<TableState> {
  const state = new TableState(generation);
  const table = await kernel.get(askTable(TABLE), 'nftables', parseTable, [Errno.ENOENT]);
  if (table === null) return state;
  if (readComment(readUserdata(table.userdata)) !== TABLE_COMMENT)
    throw new ProblemError(
      problem('object.exists', `nftables has a table "inet ${TABLE}" that is not ours: delete or rename it`),
    );
  state.exists = true;
  state.holder = table.holder;
  state.persists = table.persists;
  const ours = <T extends { readonly table: string }>(rows: readonly T[]): T[] =>
    rows.filter((row) => row.table === TABLE);
  const sets = ours(await kernel.dump(askSets(TABLE), 'nftables sets', parseSet));
  const chains = ours(await kernel.dump(askChains(), 'nftables chains', parseChain));
  const rules = ours(await kernel.dump(askRules(TABLE), 'nftables rules', parseRule));
  readStructure(state, sets, chains);
  const cells: Cell[] = [];
  for (const { name } of sets) for (const row of await elementsOf(kernel, name)) cells.push({ ...row, set: name });
  readOwners(state, cells);
  state.whole = state.whole && stands(state, sets, chains, rules);
  return state;
}

/** All elements of a set. Throws ProblemError. */
export async function elementsOf(kernel: Conversation, set: string): Promise<ElementRow[]> {
  return (await kernel.dump(askSet(TABLE, set), `nftables set ${set}`, parseElements)).flat();
}

function readStructure(state: TableState, sets: readonly SetRow[], chains: readonly ChainRow[]): void {
  const { groups, pools } = state.structure;
  for (const { name } of chains) {
    if (name.startsWith('dnat.') && !groups.has(name.slice(5))) groups.set(name.slice(5), newGroup());
  }
  for (const { name, userdata } of chains)
    if (name.startsWith('pool.')) {
      const comment = readComment(readUserdata(userdata)) ?? '';
      pools.set(name.slice(5), { id: name.slice(5), name: comment, ports: [0, 0], count: { 4: 0, 6: 0 } });
    }
  for (const { name } of sets) {
    const parsed = parseSetName(name);
    if (parsed !== null && parsed.bits !== null) state.addLength(parsed.of, parsed.family, parsed.bits);
  }
}

function readOwners(state: TableState, cells: readonly Cell[]): void {
  const byOwner = new Map<string, Cell[]>();
  const free = new Map<string, Cell>();
  for (const cell of cells) {
    const owner = ownerOf(cell);
    if (owner === null) free.set(cellId(cell.set, cell.key), cell);
    else if (byOwner.has(owner)) byOwner.get(owner)!.push(cell);
    else byOwner.set(owner, [cell]);
  }
  const { pools, groups } = state.structure;
  for (const [owner, held] of byOwner)
    if (owner.startsWith('natPool/')) {
      const id = parseSetName(held[0]!.set)!.of;
      const count = (family: 4 | 6): number => held.filter(({ set }) => set === `pool${family}.${id}`).length;
      const ports = readLabel(held[0]!.userdata)?.ports ?? [0, 0];
      pools.set(id, { id, name: owner.slice('natPool/'.length), ports, count: { 4: count(4), 6: count(6) } });
    }
  // A pool without addresses is none.
  for (const { count } of pools.values()) if (count[4] + count[6] === 0) state.whole = false;
  for (const [owner, held] of byOwner) {
    const wanted = wantedOf(owner, held, poolNameOf(state));
    state.put(owner, wanted ?? { cells: held, vrf: null, uses: null });
    if (wanted === null || !sameCells(wanted.cells, held)) {
      state.put(owner, { cells: held, vrf: wanted?.vrf ?? null, uses: wanted?.uses ?? null });
      state.damaged.add(owner);
    }
  }
  const shape = wholeShape({ groups, pools });
  const expected = new Set(shape.cells.map(({ set, key }) => cellId(set, key)));
  // The elements of a VRF's own device look like those of a link.
  for (const id of expected) if (!free.has(id) && state.holderOf(id) === undefined) state.whole = false;
  for (const id of free.keys()) if (!expected.has(id)) state.whole = false;
}

export const poolNameOf =
  ({ structure }: TableState) =>
  (chain: string): string | null =>
    structure.pools.get(chain.slice(chain.indexOf('.') + 1))?.name ?? null;

/** What the elements should be if the object is what they say. */
function wantedOf(owner: string, cells: readonly Cell[], poolName: (chain: string) => string | null): Wanted | null {
  if (owner.startsWith('link/')) {
    const traits = readTraits(cells);
    return traits && linkCells(owner.slice('link/'.length), traits);
  }
  const object = readObject(owner, cells, poolName);
  const wanted = object && objectCells(object);
  return wanted?.ok ? wanted.value : null;
}

function sameCells(a: readonly Cell[], b: readonly Cell[]): boolean {
  if (a.length !== b.length) return false;
  const byId = new Map(b.map((cell) => [cellId(cell.set, cell.key), cell]));
  return a.every((cell) => {
    const other = byId.get(cellId(cell.set, cell.key));
    return other !== undefined && sameCell(cell, other);
  });
}

export function sameCell(a: Cell, b: Cell): boolean {
  return sameBytes(a.userdata, b.userdata) && sameData(a.data, b.data);
}

function sameData(a: Cell['data'], b: Cell['data']): boolean {
  if (a instanceof Uint8Array || b instanceof Uint8Array)
    return a instanceof Uint8Array && b instanceof Uint8Array && sameBytes(a, b);
  return a?.code === b?.code && a?.chain === b?.chain;
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  return a === b || (a !== null && b !== null && a.length === b.length && a.every((byte, i) => byte === b[i]));
}

function stands(
  { structure }: TableState,
  sets: readonly SetRow[],
  chains: readonly ChainRow[],
  rules: readonly RuleRow[],
): boolean {
  const shape = wholeShape(structure);
  if (shape.sets.length !== sets.length || shape.chains.length !== chains.length) return false;
  const byName = new Map(sets.map((row) => [row.name, row]));
  const hasSets = shape.sets.every((set) => byName.has(set.name) && isSet(byName.get(set.name)!, set));
  return hasSets && shape.chains.every((chain) => isChain(chain, chains, rules));
}

function isChain(spec: ChainSpec, chains: readonly ChainRow[], rules: readonly RuleRow[]): boolean {
  const row = chains.find(({ name }) => name === spec.name);
  if (row === undefined || JSON.stringify(row.hook) !== JSON.stringify(spec.hook)) return false;
  if (row.hook !== null && row.policy !== 1) return false;
  const has = rules.filter(({ chain }) => chain === spec.name);
  const wanted = ruleMessages(spec).map(ruleOf);
  return (
    has.length === wanted.length && wanted.every((rule, i) => sameExpressions(rule.expressions, has[i]!.expressions))
  );
}
