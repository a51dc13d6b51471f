/**
 * Everyone's desired state: store and memory together. Changes go through here one after another, so that memory never runs ahead
 * of the disk: a transaction writes intents, log, version and whatever else the change is made of; then memory follows and held polls
 * are woken.
 */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { count } from '../store/counters.ts';
import { changesOf, intentsOf, type StoredChange, type StoredOp, writeChange } from '../store/intents.ts';
import type { Db, Tx } from '../store/schema.ts';
import { allVrouters, changeVrouterRow, setConfirmedVersion, type VrouterRow } from '../store/vrouters.ts';
import { After } from './after.ts';
import { Draft } from './draft.ts';
import { Head, type HeadView } from './head.ts';

export interface Changed<T> {
  /** The version that the change made; the one before when it touched no intent. */
  readonly version: number;
  readonly value: T;
}

/** Makes the answer to a change of the state after it. */
export type Answering<R> = (after: HeadView) => R;

/** Writes an answer where it is found when it is asked for again. */
export type KeepAnswer = (tx: Tx, answer: object) => Promise<void>;

export class Desired {
  readonly #db: Db;
  readonly #unixMs: () => number;
  readonly #byName = new Map<string, Head>();
  readonly #byId = new Map<string, Head>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(db: Db, unixMs: () => number) {
    this.#db = db;
    this.#unixMs = unixMs;
  }

  /** Reads everything. Returns the names of vrouters whose stored hash was not that of their intents. */
  async load(): Promise<string[]> {
    const odd: string[] = [];
    for (const row of await allVrouters(this.#db)) {
      const head = new Head(row);
      const asStored = head.load(await intentsOf(this.#db, row.id), await changesOf(this.#db, row.id));
      if (!asStored) odd.push(row.name);
      this.#remember(head);
    }
    return odd;
  }

  all(): Head[] {
    return [...this.#byName.values()].sort((a, b) => (a.row.name < b.row.name ? -1 : 1));
  }

  /** In no order. */
  names(): Iterable<string> {
    return this.#byName.keys();
  }

  byId(id: string): Head | undefined {
    return this.#byId.get(id);
  }

  /** Throws `vrouter.notFound`. */
  get(name: string): Head {
    const head = this.#byName.get(name);
    if (head === undefined)
      throw new ProblemError(problem('vrouter.notFound', 'there is no vrouter of that name', 'name'));
    return head;
  }

  /** Makes a vrouter; `work` writes its row and returns what makes the answer, as for `answer`. Throws `vrouter.exists`. */
  async create<R extends object>(
    row: VrouterRow,
    keep: KeepAnswer | null,
    work: (tx: Tx, draft: Draft) => Promise<Answering<R>>,
  ): Promise<R> {
    return this.#serial(async () => {
      if (this.#byName.has(row.name))
        throw new ProblemError(problem('vrouter.exists', `there is a vrouter "${row.name}" already`, 'name'));
      const head = new Head(row);
      const { value } = await this.#write(head, work, (tx, answering, after) => kept(tx, answering(after), keep));
      this.#remember(head);
      return value;
    });
  }

  /** Changes a vrouter; whatever `work` throws leaves everything as it was. Throws `vrouter.notFound`. */
  async change<T>(name: string, work: (tx: Tx, draft: Draft, head: Head) => Promise<T>): Promise<Changed<T>> {
    return this.#serial(() => {
      const head = this.get(name);
      return this.#write(
        head,
        (tx, draft) => work(tx, draft, head),
        async (_tx, value) => value,
      );
    });
  }

  /**
   * As `change`, for a change whose answer may be asked for again: `work` returns what makes the answer of the state after it, and
   * `keep` writes that answer in the same transaction, so that no crash parts the two. Throws `vrouter.notFound`.
   */
  async answer<R extends object>(
    name: string,
    keep: KeepAnswer | null,
    work: (tx: Tx, draft: Draft, head: Head) => Promise<Answering<R>>,
  ): Promise<R> {
    return this.#serial(async () => {
      const head = this.get(name);
      const { value } = await this.#write(
        head,
        (tx, draft) => work(tx, draft, head),
        (tx, answering, after) => kept(tx, answering(after), keep),
      );
      return value;
    });
  }

  /** Removes a vrouter; `work` removes its rows. Throws `vrouter.notFound`. */
  async remove(name: string, work: (tx: Tx, head: Head) => Promise<void>): Promise<void> {
    await this.#serial(async () => {
      const head = this.get(name);
      await this.#db.transaction().execute((tx) => work(tx, head));
      this.#byName.delete(name);
      this.#byId.delete(head.row.id);
      head.gone = true;
      head.wake();
    });
  }

  async #write<T, R>(
    head: Head,
    work: (tx: Tx, draft: Draft) => Promise<T>,
    finish: (tx: Tx, value: T, after: HeadView) => Promise<R>,
  ): Promise<Changed<R>> {
    const { change, confirmed, fields, value } = await this.#db.transaction().execute(async (tx) => {
      const draft = new Draft();
      const made = await work(tx, draft);
      const { fields } = draft;
      if (Object.keys(fields).length > 0) await changeVrouterRow(tx, head.row.id, fields);
      // Removing what is not there, or putting what is, would be a version without a change.
      const ops = draft.ops().filter(({ key, body }) => (head.bodies.get(key) ?? null) !== body);
      const version = ops.length === 0 ? head.version : head.version + 1;
      const confirmed = confirmedAfter(head, draft.confirmed, ops, version);
      if (ops.length === 0) {
        if (confirmed !== head.row.confirmedVersion) await setConfirmedVersion(tx, head.row.id, confirmed);
        const value = await finish(tx, made, new After(head, ops, { ...head.row, ...fields }));
        return { change: null, confirmed, fields, value };
      }
      const change: StoredChange = { version, hash: head.hashAfter(ops), atUnixMs: this.#unixMs(), ops };
      await writeChange(tx, head.row.id, change, confirmed);
      await count(tx, 'changes');
      const row = { ...head.row, ...fields, version, stateHash: change.hash, confirmedVersion: confirmed };
      const value = await finish(tx, made, new After(head, ops, row));
      return { change, confirmed, fields, value };
    });
    head.amend(fields);
    if (change !== null) head.commit(change, confirmed);
    else if (confirmed !== head.row.confirmedVersion) head.confirm(confirmed);
    return { version: head.version, value };
  }

  #remember(head: Head): void {
    this.#byName.set(head.row.name, head);
    this.#byId.set(head.row.id, head);
  }

  #serial<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#last.then(work);
    this.#last = run.catch(() => undefined);
    return run;
  }
}

async function kept<R extends object>(tx: Tx, answer: R, keep: KeepAnswer | null): Promise<R> {
  await keep?.(tx, answer);
  return answer;
}

/** A confirmation is for a version, and for the next as long as nothing more goes. */
function confirmedAfter(head: Head, confirms: boolean, ops: readonly StoredOp[], version: number): number {
  const before = head.row.confirmedVersion;
  const stays = before > 0 && before === head.version && ops.every(({ body }) => body !== null);
  return confirms || stays ? version : before;
}
