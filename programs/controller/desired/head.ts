/** One vrouter's desired state in memory: what polls are answered from, without a look at the store. */
import type { Intent } from '@vrouter/intent/model/intents.ts';
import { StateHash } from '@vrouter/intent/version/hash.ts';
import { sha256 } from '../ca/keys.ts';
import { CHANGES_KEPT, type StoredChange, type StoredOp } from '../store/intents.ts';
import type { VrouterFields, VrouterRow } from '../store/vrouters.ts';

/** A vrouter's configuration to be read: as it is, or as a change will leave it. */
export interface HeadView {
  readonly row: Readonly<VrouterRow>;
  readonly version: number;
  /** Canonical JSON of an intent, as it was put. */
  body(key: string): string | undefined;
  intent<K extends Intent['kind']>(kind: K, key: string): Extract<Intent, { kind: K }> | null;
  /** Keys that begin with `start`, in no order. */
  keys(start: string): Iterable<string>;
}

export class Head implements HeadView {
  readonly row: VrouterRow;
  /** Canonical JSON of every intent, by key. */
  readonly bodies = new Map<string, string>();
  /** The last changes, oldest first, versions without a gap. */
  readonly changes: StoredChange[] = [];
  #hash = new StateHash(sha256);
  readonly #wakers = new Set<() => void>();
  /** Set when the vrouter is deleted: held polls must not outlive it. */
  gone = false;

  constructor(row: VrouterRow) {
    this.row = row;
  }

  get version(): number {
    return this.row.version;
  }

  get hash(): string {
    return this.#hash.hex();
  }

  /** Fills an empty head with what the store has. False: the stored hash was another, so the old changes are of no use. */
  load(intents: readonly { readonly key: string; readonly body: string }[], changes: readonly StoredChange[]): boolean {
    for (const { key, body } of intents) {
      this.bodies.set(key, body);
      this.#hash.add(key, JSON.parse(body));
    }
    const asStored = this.hash === this.row.stateHash;
    if (asStored) this.changes.push(...changes);
    return asStored;
  }

  /** Whether memory is what the store has in `row`. */
  isAt(row: VrouterRow): boolean {
    const known: Readonly<Record<string, unknown>> = { ...this.row };
    return Object.entries(row).every(([column, value]) => known[column] === value);
  }

  /** Takes over `changes` that another controller has made, and wakes whoever waits. False when they do not lead to `row`: reload it. */
  follow(row: VrouterRow, changes: readonly StoredChange[]): boolean {
    const at = this.version;
    const inOrder = changes.every((change, i) => change.version === at + 1 + i);
    if (!inOrder || row.version !== at + changes.length) return false;
    if ((changes.at(-1)?.hash ?? this.row.stateHash) !== row.stateHash) return false;
    for (const change of changes) this.#append(change);
    if (this.hash !== row.stateHash) return false;
    Object.assign(this.row, row);
    this.wake();
    return true;
  }

  /** Takes over a state that is not ours and what came after it. */
  reload(
    row: VrouterRow,
    intents: readonly { readonly key: string; readonly body: string }[],
    changes: readonly StoredChange[],
  ): boolean {
    Object.assign(this.row, row);
    this.bodies.clear();
    this.changes.length = 0;
    this.#hash = new StateHash(sha256);
    const asStored = this.load(intents, changes);
    this.wake();
    return asStored;
  }

  body(key: string): string | undefined {
    return this.bodies.get(key);
  }

  *keys(start: string): Generator<string> {
    for (const key of this.bodies.keys()) if (key.startsWith(start)) yield key;
  }

  /** An intent as it was put. */
  intent<K extends Intent['kind']>(kind: K, key: string): Extract<Intent, { kind: K }> | null {
    const body = this.bodies.get(key);
    return body === undefined || !key.startsWith(`${kind}/`) ? null : JSON.parse(body);
  }

  /** All intents of a kind. */
  intents<K extends Intent['kind']>(kind: K): Extract<Intent, { kind: K }>[] {
    const found: Extract<Intent, { kind: K }>[] = [];
    for (const [key, body] of this.bodies) if (key.startsWith(`${kind}/`)) found.push(JSON.parse(body));
    return found;
  }

  count(kind: Intent['kind']): number {
    let found = 0;
    for (const key of this.bodies.keys()) if (key.startsWith(`${kind}/`)) found++;
    return found;
  }

  /** The hash that the state will have after `ops`; the state itself stays. */
  hashAfter(ops: readonly StoredOp[]): string {
    this.#shift(ops, 1);
    const after = this.#hash.hex();
    this.#shift(ops, -1);
    return after;
  }

  /** Takes over facts that are on the disk and that gateways are not told of. */
  amend(fields: VrouterFields): void {
    Object.assign(this.row, fields);
  }

  /** Takes over a change that is on the disk, and wakes whoever waits for one. */
  commit(change: StoredChange, confirmedVersion: number): void {
    this.#append(change);
    this.row.confirmedVersion = confirmedVersion;
    this.wake();
  }

  /** What `version` removes may go: whoever waits hears it. */
  confirm(version: number): void {
    this.row.confirmedVersion = version;
    this.wake();
  }

  /**
   * The operations that lead from `version` with hash `hash` to now, each key once; null when that is not known, so that
   * everything must be said.
   */
  opsSince(version: number, hash: string | null): StoredOp[] | null {
    if (version === this.version) return hash === this.hash ? [] : null;
    const first = this.changes[0]?.version;
    if (first === undefined || version < first || version > this.version) return null;
    const at = version - first;
    if (this.changes[at]!.hash !== hash) return null;
    const last = new Map<string, StoredOp>();
    for (const change of this.changes.slice(at + 1)) for (const op of change.ops) last.set(op.key, op);
    return [...last.values()];
  }

  /** Whether the state was once ours, as far back as the changes are kept. */
  had(version: number, hash: string): boolean {
    const first = this.changes[0]?.version;
    return first !== undefined && this.changes[version - first]?.hash === hash;
  }

  /** When the configuration became `version`, Unix ms; null when that is long ago. */
  committedAt(version: number): number | null {
    const first = this.changes[0]?.version;
    return first === undefined ? null : (this.changes[version - first]?.atUnixMs ?? null);
  }

  /** Calls `waker` at every change until it is taken back. */
  subscribe(waker: () => void): () => void {
    this.#wakers.add(waker);
    return () => this.#wakers.delete(waker);
  }

  wake(): void {
    for (const waker of [...this.#wakers]) waker();
  }

  #append(change: StoredChange): void {
    this.#shift(change.ops, 1);
    for (const { key, body } of change.ops) {
      if (body === null) this.bodies.delete(key);
      else this.bodies.set(key, body);
    }
    this.row.version = change.version;
    this.row.stateHash = change.hash;
    this.changes.push(change);
    if (this.changes.length > CHANGES_KEPT) this.changes.splice(0, this.changes.length - CHANGES_KEPT);
  }

  #shift(ops: readonly StoredOp[], direction: 1 | -1): void {
    for (const { key, body } of ops) {
      const before = this.bodies.get(key);
      if (before !== undefined) this.#count(key, before, direction === 1 ? -1 : 1);
      if (body !== null) this.#count(key, body, direction);
    }
  }

  #count(key: string, body: string, direction: 1 | -1): void {
    if (direction === 1) this.#hash.add(key, JSON.parse(body));
    else this.#hash.remove(key, JSON.parse(body));
  }
}
