/** This door's intents in the daemon's store and index, made true by its loop. */
import type { Json } from '@vrouter/core/json.ts';
import { type Problem, toProblem } from '@vrouter/core/problem.ts';
import type { Driver } from '@vrouter/drivers/contract/driver.ts';
import type { Desired } from '@vrouter/intent/index/desired.ts';
import { type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import { sameValue } from '@vrouter/intent/model/same.ts';
import type { BadIntents } from '../../bad-intents.ts';
import type { Reconciler } from '../../reconcile/reconciler.ts';
import type { Store } from '../../store/store.ts';
import {
  type LinkFacts,
  type Note,
  type Outcome,
  type RouterChange,
  type RouterIntents,
  type Said,
  SOURCE,
  type Trouble,
} from './intents.ts';

/** How long the plane may take to tell of links, ms. */
const LOOK_MS = 2000;

export interface StoredParts {
  readonly store: Pick<Store, 'commit' | 'intents'>;
  /** With what is stored of this door in it already. */
  readonly desired: Desired;
  readonly reconciler: Reconciler;
  readonly driver: Pick<Driver, 'observe'>;
  readonly badIntents: BadIntents;
  /** Why the store cannot be written, if so. */
  readonly keeping: { readonly problem: Problem | null };
  /** Something new is to be made true: the loop runs from now on, if it did not. */
  readonly begin: () => void;
}

export class StoredIntents implements RouterIntents {
  readonly #parts: StoredParts;
  readonly #notes = new Map<IntentKey, Note>();

  constructor(parts: StoredParts) {
    this.#parts = parts;
    for (const { source, key, note } of parts.store.intents())
      if (source === SOURCE && note !== undefined) this.#notes.set(key, note as Note);
  }

  said(): readonly Said[] {
    return [...this.#parts.desired.intents(SOURCE)].map(({ intent }) => ({
      intent,
      note: this.#notes.get(intentKey(intent)) ?? {},
    }));
  }

  async change(change: RouterChange, waitMs: number): Promise<Outcome> {
    const { desired, reconciler } = this.#parts;
    const keys = [...change.put.map(({ intent }) => intentKey(intent)), ...change.remove];
    const objects = (): readonly ObjectKey[] => keys.flatMap((key) => desired.objectsOf(SOURCE, key));
    // Also those that are to go.
    const touched = new Set(objects());
    const refused = this.#commit(change);
    if (refused !== null) return { kind: 'refused', problem: refused };
    if (keys.length === 0) return { kind: 'done' };
    for (const key of objects()) touched.add(key);
    for (const key of touched) reconciler.retryNow(key);
    this.#parts.begin();
    if (waitMs === 0 || !(await reconciler.settled(waitMs))) return { kind: 'late', why: reconciler.away() };
    const troubles: Trouble[] = [
      ...keys.flatMap((key) => desired.problemsOf(SOURCE, key)),
      ...reconciler.failing().filter(({ key }) => touched.has(key)),
    ];
    return troubles.length === 0 ? { kind: 'done' } : { kind: 'failed', troubles };
  }

  async links(names: readonly string[]): Promise<ReadonlyMap<string, LinkFacts>> {
    if (names.length === 0) return new Map();
    const keys = names.map((name) => `link/${name}` as ObjectKey);
    const known = this.#parts.reconciler.observed();
    const rows = await this.#parts.driver
      .observe(keys, AbortSignal.timeout(LOOK_MS))
      .catch(() => keys.flatMap((key) => known.get(key) ?? []));
    return new Map(rows.flatMap((row) => linkFacts(row)));
  }

  troubles(): readonly Trouble[] {
    const { desired, reconciler, badIntents, keeping } = this.#parts;
    const isOurs = ({ source }: { readonly source: string }): boolean => source === SOURCE;
    const away = reconciler.away();
    return [
      ...(keeping.problem === null ? [] : [{ key: 'store', problem: keeping.problem }]),
      ...(away === null ? [] : [{ key: 'plane', problem: away }]),
      ...[...badIntents.all()].filter(isOurs),
      ...desired.problems().filter(isOurs),
      ...reconciler.failing().filter(({ key }) => desired.intentsOf(key).some(isOurs)),
    ];
  }

  /** Null: all is said and stored. Otherwise why not, or what would newly be wrong, with others' too; then nothing is different. */
  #commit({ put, remove }: RouterChange): Problem | null {
    const { desired, store, badIntents } = this.#parts;
    const fresh = put.filter(({ intent, note }) => this.#isNew(intent, note));
    const gone = remove.filter((key) => desired.get(SOURCE, key) !== undefined);
    if (fresh.length === 0 && gone.length === 0) return null;
    const wrongBefore = new Set(desired.problems().map(told));
    const before = fresh.map(({ intent }) => desired.get(SOURCE, intentKey(intent)));
    for (const { intent } of fresh) desired.put(SOURCE, intent);
    const wrong = fresh.length === 0 ? undefined : desired.problems().find((one) => !wrongBefore.has(told(one)));
    const refused = wrong?.problem ?? this.#store(fresh, gone, store);
    if (refused !== null) {
      for (const [i, { intent }] of fresh.entries()) {
        const was = before[i];
        was === undefined ? desired.remove(SOURCE, intentKey(intent)) : desired.put(SOURCE, was);
      }
      return refused;
    }
    for (const { intent, note } of fresh) {
      this.#notes.set(intentKey(intent), note);
      badIntents.delete(SOURCE, intentKey(intent));
    }
    for (const key of gone) {
      this.#notes.delete(key);
      desired.remove(SOURCE, key);
    }
    return null;
  }

  #isNew(intent: Said['intent'], note: Note): boolean {
    const key = intentKey(intent);
    return !sameValue(this.#parts.desired.get(SOURCE, key), intent) || !sameValue(this.#notes.get(key) ?? {}, note);
  }

  #store(fresh: readonly Said[], gone: readonly IntentKey[], store: Pick<Store, 'commit'>): Problem | null {
    const put = fresh.map(({ intent, note }) => ({ key: intentKey(intent), body: asJson(intent), note: asJson(note) }));
    try {
      store.commit(SOURCE, { put, remove: gone }, null);
      return null;
    } catch (thrown) {
      return toProblem(thrown);
    }
  }
}

function linkFacts({ object, learned }: Observed): [string, LinkFacts][] {
  if (object.kind !== 'link') return [];
  const mac = typeof learned.mac === 'string' ? learned.mac : (object.mac ?? null);
  const isUp = typeof learned.operUp === 'boolean' ? learned.operUp : object.adminUp;
  return [[object.name, { mac, mtu: object.mtu, isUp }]];
}

/** Intents and notes are plain values; this says so to the compiler. */
function asJson(value: object): Json {
  return { ...value } as unknown as Json;
}

function told({ source, key, problem: what }: { source: string; key: IntentKey; problem: Problem }): string {
  return `${source} ${key} ${what.code} ${what.message}`;
}
