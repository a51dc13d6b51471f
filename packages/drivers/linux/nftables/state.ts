/** What our table holds, as the kernel told last or has taken from us since: an index that is thrown away when somebody else was at it. */
import { type Cell, cellId, type Wanted } from './cells.ts';
import { newGroup, type Structure } from './shape.ts';

export interface Held {
  /** By their ids. */
  readonly cells: ReadonlyMap<string, Cell>;
  readonly vrf: string | null;
  readonly uses: string | null;
}

export class TableState {
  readonly structure: Structure;
  /** Counts changes of anybody; see `beginBatch`. */
  generation: number;
  /** Whether there is a table of ours. */
  exists: boolean;
  /** Whether everything in it besides elements of objects is as it should be. */
  whole: boolean;
  /** Number of the socket that has the table, and whether it outlives that one. */
  holder: number | null;
  persists: boolean;
  /** Owners some of whose elements are missing, or that say two things. */
  readonly damaged: Set<string>;
  readonly #owners: Map<string, Held>;
  readonly #holders: Map<string, string>;
  readonly #groupUsers: Map<string, Set<string>>;
  readonly #poolUsers: Map<string, Set<string>>;

  constructor(generation: number) {
    this.generation = generation;
    this.structure = { groups: new Map(), pools: new Map() };
    this.exists = false;
    this.whole = true;
    this.holder = null;
    this.persists = false;
    this.damaged = new Set();
    this.#owners = new Map();
    this.#holders = new Map();
    this.#groupUsers = new Map();
    this.#poolUsers = new Map();
  }

  get owners(): ReadonlyMap<string, Held> {
    return this.#owners;
  }

  /** Whose an element is; undefined: nobody's. */
  holderOf(id: string): string | undefined {
    return this.#holders.get(id);
  }

  groupUsers(vrf: string): ReadonlySet<string> {
    return this.#groupUsers.get(vrf) ?? new Set();
  }

  poolUsers(id: string): ReadonlySet<string> {
    return this.#poolUsers.get(id) ?? new Set();
  }

  put(owner: string, { cells, vrf, uses }: Pick<Wanted, 'cells' | 'vrf' | 'uses'>): void {
    this.remove(owner);
    const byId = new Map(cells.map((cell) => [cellId(cell.set, cell.key), cell]));
    this.#owners.set(owner, { cells: byId, vrf, uses });
    for (const id of byId.keys()) this.#holders.set(id, owner);
    if (vrf !== null) add(this.#groupUsers, vrf, owner);
    if (uses !== null) add(this.#poolUsers, uses, owner);
  }

  remove(owner: string): void {
    const held = this.#owners.get(owner);
    if (held === undefined) return;
    this.#owners.delete(owner);
    this.damaged.delete(owner);
    for (const id of held.cells.keys()) if (this.#holders.get(id) === owner) this.#holders.delete(id);
    if (held.vrf !== null) this.#groupUsers.get(held.vrf)?.delete(owner);
    if (held.uses !== null) this.#poolUsers.get(held.uses)?.delete(owner);
  }

  clear(): void {
    for (const owner of [...this.#owners.keys()]) this.remove(owner);
    this.structure.groups.clear();
    this.structure.pools.clear();
  }

  /** The sets of a length of prefixes are there. */
  addLength(vrf: string, family: 4 | 6, bits: number): void {
    const { groups } = this.structure;
    if (!groups.has(vrf)) groups.set(vrf, newGroup());
    groups.get(vrf)![family].add(bits);
  }
}

function add(users: Map<string, Set<string>>, key: string, owner: string): void {
  if (!users.has(key)) users.set(key, new Set());
  users.get(key)!.add(owner);
}
