/** One source's intents in the daemon's store and index, made true by its loop. */
import type { Json } from '@vrouter/core/json.ts';
import { type Problem, toProblem } from '@vrouter/core/problem.ts';
import type { Driver } from '@vrouter/drivers/contract/driver.ts';
import type { IntentProblem } from '@vrouter/intent/index/complaints.ts';
import type { Desired } from '@vrouter/intent/index/desired.ts';
import { type IntentKey, type IntentSource, intentKey } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import { sameValue } from '@vrouter/intent/model/same.ts';
import type { BadIntents } from '../../bad-intents.ts';
import type { Reconciler } from '../../reconcile/reconciler.ts';
import type { Store } from '../../store/store.ts';
import type { ChangeOf, LinkFacts, Outcome, SaidIntents, SaidWith, Trouble } from './said.ts';

/** How long the plane may take to tell of links, ms. */
const LOOK_MS = 2000;

export interface StoredParts {
  readonly store: Pick<Store, 'commit' | 'intents'>;
  /** With what is stored of the source in it already. */
  readonly desired: Desired;
  readonly reconciler: Reconciler;
  readonly driver: Pick<Driver, 'observe'>;
  readonly badIntents: BadIntents;
  /** Why the store cannot be written, if so. */
  readonly keeping: { readonly problem: Problem | null };
  /** Something new is to be made true: the loop runs from now on, if it did not. */
  readonly begin: () => void;
}

/** `N` is what the door notes of an intent; one that it has noted nothing of has an empty note. */
export class StoredIntents<N extends object> implements SaidIntents<N> {
  readonly #source: IntentSource;
  readonly #parts: StoredParts;
  readonly #notes = new Map<IntentKey, N>();

  constructor(source: IntentSource, parts: StoredParts) {
    this.#source = source;
    this.#parts = parts;
    for (const { source: stored, key, note } of parts.store.intents())
      if (stored === source && note !== undefined) this.#notes.set(key, note as N);
  }

  said(): readonly SaidWith<N>[] {
    return [...this.#parts.desired.intents(this.#source)].map(({ intent }) => ({
      intent,
      note: this.#notes.get(intentKey(intent)) ?? ({} as N),
    }));
  }

  async change(change: ChangeOf<N>, waitMs: number): Promise<Outcome> {
    const { desired, reconciler } = this.#parts;
    const keys = [...change.put.map(({ intent }) => intentKey(intent)), ...change.remove];
    const objects = (): readonly ObjectKey[] => keys.flatMap((key) => desired.objectsOf(this.#source, key));
    // Also those that are to go.
    const touched = new Set(objects());
    const refused = this.#commit(change);
    if (refused !== null)
      return 'problem' in refused
        ? { kind: 'refused', problem: refused.problem, of: refused }
        : { kind: 'refused', problem: refused, of: null };
    if (keys.length === 0) return { kind: 'done' };
    // What the host had when it was said first may be another now, as the MTU of a parent.
    for (const { intent } of change.put) desired.again(this.#source, intentKey(intent));
    for (const key of objects()) touched.add(key);
    for (const key of touched) reconciler.retryNow(key);
    this.#parts.begin();
    if (waitMs === 0 || !(await reconciler.settled(waitMs))) return { kind: 'late' };
    const troubles: Trouble[] = [
      ...keys.flatMap((key) => desired.problemsOf(this.#source, key)),
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

  stands(key: IntentKey): boolean {
    const { desired, reconciler } = this.#parts;
    const objects = desired.objectsOf(this.#source, key).filter((one) => !one.startsWith('dns'));
    const failing = new Set(reconciler.failing().map((one) => one.key));
    return objects.length > 0 && objects.every((one) => reconciler.observed().has(one) && !failing.has(one));
  }

  troubles(): readonly Trouble[] {
    const { desired, reconciler, badIntents, keeping } = this.#parts;
    const isOurs = ({ source }: { readonly source: string }): boolean => source === this.#source;
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
  #commit({ put, remove }: ChangeOf<N>): Problem | IntentProblem | null {
    const { desired, store, badIntents } = this.#parts;
    const source = this.#source;
    const fresh = put.filter((one) => this.#isNew(one));
    const gone = remove.filter((key) => desired.get(source, key) !== undefined || badIntents.has(source, key));
    if (fresh.length === 0 && gone.length === 0) return null;
    const before = fresh.map(({ intent }) => desired.get(source, intentKey(intent)));
    const wrong = newProblem(desired, () => this.#put(desired, fresh));
    const refused = wrong ?? this.#store(fresh, gone, store);
    if (refused !== null) {
      for (const [i, { intent }] of fresh.entries()) {
        const was = before[i];
        was === undefined ? desired.remove(source, intentKey(intent)) : desired.put(source, was);
      }
      if (wrong === null || gone.length === 0) return refused;
      // It may want what goes by the same change. That cannot be taken away for a look and given back: it would be the youngest then.
      const copy = desired.copy();
      const stillWrong = newProblem(copy, () => {
        for (const key of gone) copy.remove(source, key);
        this.#put(copy, fresh);
      });
      const why = stillWrong ?? this.#store(fresh, gone, store);
      if (why !== null) return why;
    }
    for (const key of gone) {
      this.#notes.delete(key);
      desired.remove(source, key);
      badIntents.delete(source, key);
    }
    this.#put(desired, fresh);
    for (const { intent, note } of fresh) {
      this.#notes.set(intentKey(intent), note);
      badIntents.delete(source, intentKey(intent));
    }
    return null;
  }

  #put(desired: Desired, fresh: readonly SaidWith<N>[]): void {
    for (const { intent } of fresh) desired.put(this.#source, intent);
  }

  #isNew({ intent, note }: SaidWith<N>): boolean {
    const key = intentKey(intent);
    return (
      !sameValue(this.#parts.desired.get(this.#source, key), intent) || !sameValue(this.#notes.get(key) ?? {}, note)
    );
  }

  #store(fresh: readonly SaidWith<N>[], gone: readonly IntentKey[], store: Pick<Store, 'commit'>): Problem | null {
    const put = fresh.map(({ intent, note }) => ({ key: intentKey(intent), body: asJson(intent), note: asJson(note) }));
    try {
      store.commit(this.#source, { put, remove: gone }, null);
      return null;
    } catch (thrown) {
      return toProblem(thrown);
    }
  }
}

/** The first problem that the work brings; null: none. */
export function newProblem(desired: Desired, work: () => void): IntentProblem | null {
  const known = new Set(desired.problems().map(told));
  work();
  return desired.problems().find((one) => !known.has(told(one))) ?? null;
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
