/**
 * Everyone's desired state: store and memory together. Changes go through here one after another, so that memory never runs ahead
 * of the disk: a transaction writes intents, log, version and whatever else the change is made of; then memory follows and held polls
 * are woken. Where other controllers write to the same store, a change first takes the vrouter's row and what they have made of it;
 * between changes `refresh` follows them (follower.ts).
 */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { count } from '../store/counters.ts';
import { alone, type ChangeFeed } from '../store/dialect/backend.ts';
import { changesOf, intentsOf, type StoredChange, type StoredOp, writeChange } from '../store/intents.ts';
import type { Db, Reader, Tx } from '../store/schema.ts';
import {
  allVrouters,
  changeVrouterRow,
  lockVrouter,
  setConfirmedVersion,
  setRestoredVersion,
  type VrouterRow,
  vrouterById,
  vrouterByName,
} from '../store/vrouters.ts';
import { After } from './after.ts';
import type { Asking, KeepAnswer } from './asking.ts';
import { Draft } from './draft.ts';
import { DryRun } from './dry-run.ts';
import { Head, type HeadView } from './head.ts';

export interface Changed<T> {
  /** The version that the change made; the one before when it touched no intent. */
  readonly version: number;
  readonly value: T;
}

/** Makes the answer to a change of the state after it. */
export type Answering<R> = (after: HeadView) => R;

export class Desired {
  readonly #db: Db;
  readonly #unixMs: () => number;
  readonly #feed: ChangeFeed;
  readonly #byName = new Map<string, Head>();
  readonly #byId = new Map<string, Head>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(db: Db, unixMs: () => number, feed: ChangeFeed = alone) {
    this.#db = db;
    this.#unixMs = unixMs;
    this.#feed = feed;
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

  /** Takes over what another controller has made of a vrouter: changes, a new one, its end. */
  async refresh(id: string): Promise<void> {
    await this.#serial(() => this.#refresh(id));
  }

  /** As `refresh`, where others may have changed it at all. */
  async follow(head: Head): Promise<void> {
    if (this.#feed.shared) await this.refresh(head.row.id);
  }

  /** The same for all of them: after something may have been missed. */
  async refreshAll(): Promise<void> {
    await this.#serial(async () => {
      const rows = new Map((await allVrouters(this.#db)).map((row) => [row.id, row]));
      for (const head of [...this.#byId.values()]) if (!rows.has(head.row.id)) this.#forget(head);
      for (const [id, row] of rows) if (this.#byId.get(id)?.isAt(row) !== true) await this.#refresh(id);
    });
  }

  /** As `byId`, and looks into the store for one that another controller has just made. */
  async find(id: string): Promise<Head | undefined> {
    if (!this.#byId.has(id) && this.#feed.shared) await this.refresh(id);
    return this.#byId.get(id);
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

  /**
   * Notes that the store is older than it was: a gateway has a later state than it. What comes after the present version may have been
   * made before, and otherwise.
   */
  async noteRestored(head: Head): Promise<void> {
    await this.#serial(async () => {
      if (head.row.restoredVersion > 0 || head.gone) return;
      const { id, version } = head.row;
      await this.#db.transaction().execute(async (tx) => {
        await setRestoredVersion(tx, id, version);
        await this.#feed.tell(tx, id);
      });
      head.row.restoredVersion = version;
    });
  }

  /**
   * Makes a vrouter; `work` writes its row and returns what makes the answer, as for `answer`. `action` is what the audit calls it.
   * Throws `vrouter.exists`.
   */
  async create<R extends object>(
    row: VrouterRow,
    asking: Asking,
    action: string,
    work: (tx: Tx, draft: Draft) => Promise<Answering<R>>,
  ): Promise<R> {
    return this.#serial(async () => {
      const taken = () =>
        new ProblemError(problem('vrouter.exists', `there is a vrouter "${row.name}" already`, 'name'));
      if ((await this.#findByName(row.name)) !== undefined) throw taken();
      const head = new Head(row);
      let value: R;
      try {
        ({ value } = await this.#write(head, asking, action, work, (tx, answering, after) =>
          kept(tx, answering(after), asking.keep),
        ));
      } catch (thrown) {
        // Another controller may have been faster: the name is unique in the store.
        if (!(thrown instanceof ProblemError) && (await this.#findByName(row.name)) !== undefined) throw taken();
        throw thrown;
      }
      this.#remember(head);
      return value;
    });
  }

  /**
   * Changes a vrouter; whatever `work` throws leaves everything as it was. `action` is what the audit calls it. Throws
   * `vrouter.notFound`, and DryRun in the place of what `asking` only wants to look at.
   */
  async change<T>(
    name: string,
    asking: Asking,
    action: string,
    work: (tx: Tx, draft: Draft, head: Head) => Promise<T>,
  ): Promise<Changed<T>> {
    return this.#serial(async () => {
      const head = (await this.#findByName(name)) ?? this.get(name);
      return this.#write(
        head,
        asking,
        action,
        async (tx, draft) => {
          await this.#take(tx, head);
          return work(tx, draft, head);
        },
        async (_tx, value) => value,
      );
    });
  }

  /**
   * As `change`, for a change whose answer may be asked for again: `work` returns what makes the answer of the state after it, and
   * `asking.keep` writes that answer in the same transaction, so that no crash parts the two. Throws `vrouter.notFound`, DryRun.
   */
  async answer<R extends object>(
    name: string,
    asking: Asking,
    action: string,
    work: (tx: Tx, draft: Draft, head: Head) => Promise<Answering<R>>,
  ): Promise<R> {
    return this.#serial(async () => {
      const head = (await this.#findByName(name)) ?? this.get(name);
      const { value } = await this.#write(
        head,
        asking,
        action,
        async (tx, draft) => {
          await this.#take(tx, head);
          return work(tx, draft, head);
        },
        (tx, answering, after) => kept(tx, answering(after), asking.keep),
      );
      return value;
    });
  }

  /** Removes a vrouter; `work` removes its rows. Throws `vrouter.notFound`, DryRun. */
  async remove(
    name: string,
    asking: Asking,
    action: string,
    work: (tx: Tx, head: Head) => Promise<void>,
  ): Promise<void> {
    await this.#serial(async () => {
      const head = (await this.#findByName(name)) ?? this.get(name);
      await this.#db.transaction().execute(async (tx) => {
        await this.#take(tx, head);
        await work(tx, head);
        if (asking.dryRun === true) throw new DryRun(head.row, null, [], head.bodies, action);
        await this.#feed.tell(tx, head.row.id);
      });
      this.#forget(head);
    });
  }

  async #write<T, R>(
    head: Head,
    { name: actor, tokenId, dryRun }: Asking,
    action: string,
    work: (tx: Tx, draft: Draft) => Promise<T>,
    finish: (tx: Tx, value: T, after: HeadView) => Promise<R>,
  ): Promise<Changed<R>> {
    const { change, confirmed, fields, value } = await this.#db.transaction().execute(async (tx) => {
      const draft = new Draft();
      const made = await work(tx, draft);
      const { fields } = draft;
      // Removing what is not there, or putting what is, would be a version without a change.
      const ops = draft.ops().filter(({ key, body }) => (head.bodies.get(key) ?? null) !== body);
      const version = ops.length === 0 ? head.version : head.version + 1;
      const confirmed = confirmedAfter(head, draft.confirmed, ops, version);
      if (dryRun === true) {
        const after = { ...head.row, ...fields, version, confirmedVersion: confirmed };
        throw new DryRun(head.row, after, ops, head.bodies, action);
      }
      await this.#feed.tell(tx, head.row.id);
      if (Object.keys(fields).length > 0) await changeVrouterRow(tx, head.row.id, fields);
      if (ops.length === 0) {
        if (confirmed !== head.row.confirmedVersion) await setConfirmedVersion(tx, head.row.id, confirmed);
        const value = await finish(tx, made, new After(head, ops, { ...head.row, ...fields }));
        return { change: null, confirmed, fields, value };
      }
      const change: StoredChange = { version, hash: head.hashAfter(ops), atUnixMs: this.#unixMs(), ops };
      await writeChange(tx, head.row.id, change, confirmed, { actor, tokenId, action }, head.bodies);
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

  /** Makes the vrouter this transaction's own, and brings memory to what others have committed of it. Throws `vrouter.notFound`. */
  async #take(tx: Tx, head: Head): Promise<void> {
    const row = await lockVrouter(tx, head.row.id);
    if (row !== undefined) return this.#follow(tx, head, row);
    this.#forget(head);
    this.get(head.row.name);
  }

  async #refresh(id: string): Promise<void> {
    // One snapshot: row, intents and log of the same moment.
    await this.#db
      .transaction()
      .setIsolationLevel('repeatable read')
      .execute(async (tx) => {
        const row = await vrouterById(tx, id);
        const known = this.#byId.get(id);
        if (row === undefined) {
          if (known !== undefined) this.#forget(known);
          return;
        }
        const head = known ?? new Head(row);
        if (known === undefined) head.load(await intentsOf(tx, id), await changesOf(tx, id));
        else await this.#follow(tx, head, row);
        this.#remember(head);
      });
  }

  /** Memory takes over what the store has in `row`: the changes that are new, or everything when they do not lead there. */
  async #follow(db: Reader, head: Head, row: VrouterRow): Promise<void> {
    if (head.isAt(row)) return;
    const changes = row.version > head.version ? await changesOf(db, row.id, head.version) : [];
    if (!head.follow(row, changes)) head.reload(row, await intentsOf(db, row.id), await changesOf(db, row.id));
  }

  /** By name; in a store that others write to, also one that we have not heard of, and not the one that had the name before. */
  async #findByName(name: string): Promise<Head | undefined> {
    if (!this.#feed.shared) return this.#byName.get(name);
    const row = await vrouterByName(this.#db, name);
    const known = this.#byName.get(name);
    if (known !== undefined && known.row.id !== row?.id) this.#forget(known);
    if (row !== undefined && !this.#byId.has(row.id)) await this.#refresh(row.id);
    return this.#byName.get(name);
  }

  #forget(head: Head): void {
    if (this.#byName.get(head.row.name) === head) this.#byName.delete(head.row.name);
    this.#byId.delete(head.row.id);
    head.gone = true;
    head.wake();
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

async function kept<R extends object>(tx: Tx, answer: R, keep: KeepAnswer | null | undefined): Promise<R> {
  await keep?.(tx, answer);
  return answer;
}

/** A confirmation is for a version, and for the next as long as nothing more goes. */
function confirmedAfter(head: Head, confirms: boolean, ops: readonly StoredOp[], version: number): number {
  const before = head.row.confirmedVersion;
  const stays = before > 0 && before === head.version && ops.every(({ body }) => body !== null);
  return confirms || stays ? version : before;
}
