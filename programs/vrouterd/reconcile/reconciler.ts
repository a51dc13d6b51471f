/**
 * The loop that moves what is true to what should be: take the dirty keys, diff, plan, apply, remember what is now true. A change
 * starts a run at once; what comes while one is in flight gathers for the next. The full look is for start-up, for a plane that came
 * back, and for the audit; everything else costs what the change costs.
 */
import type { Problem } from '@vrouter/core/problem.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import type { Applied, Driver } from '@vrouter/drivers/contract/driver.ts';
import { type Difference, diffAll, diffKeys } from '@vrouter/intent/diff/diff.ts';
import { withDependants } from '@vrouter/intent/diff/replace.ts';
import type { Desired } from '@vrouter/intent/index/desired.ts';
import type { ObjectKey, ObjectKind, Observed } from '@vrouter/intent/model/objects.ts';
import { parentsOf } from '@vrouter/intent/model/relations.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Logger } from 'pino';
import { withSaidAnew } from './said-anew.ts';

export interface ReconcilerTuning {
  /** Steps handed to the driver at once. */
  readonly batchSteps: number;
  /** Between two full looks, ms. */
  readonly auditMs: number;
  /** First wait before a failed step is tried again, ms; doubles up to `retryMaxMs`. */
  readonly retryMs: number;
  readonly retryMaxMs: number;
}

const AUDIT = 'audit';
/** How long the batch in flight may take when the loop is to end, ms. */
const LAST_BATCH_MS = 5000;

export const defaultTuning: ReconcilerTuning = { batchSteps: 1000, auditMs: 60_000, retryMs: 500, retryMaxMs: 60_000 };

/** What others may want to do with what has just become true. */
export interface ReconcileObserver {
  applied(steps: readonly Step[], results: readonly Applied[]): void;
  /** These differ although nothing had been asked: somebody else's hand. */
  drifted(steps: readonly Step[]): void;
  planeAway(why: Problem): void;
}

export interface ReconcileStats {
  reconciles: number;
  lastReconcileMs: number | null;
  driftRepaired: number;
  /** Steps that were tried, and those that failed. */
  steps: number;
  stepsFailed: number;
}

interface Failure {
  readonly problem: Problem;
  attempts: number;
  /** On the clock of `performance.now`, ms. */
  retryAt: number;
}

export class Reconciler {
  readonly stats: ReconcileStats = { reconciles: 0, lastReconcileMs: null, driftRepaired: 0, steps: 0, stepsFailed: 0 };
  readonly #desired: Desired;
  readonly #driver: Driver;
  readonly #log: Logger;
  readonly #observer: ReconcileObserver;
  readonly #prepare: (step: Step) => Step;
  readonly #tuning: ReconcilerTuning;
  readonly #observed = new Map<ObjectKey, Observed>();
  readonly #failures = new Map<ObjectKey, Failure>();
  readonly #drifted = new Set<ObjectKey>();
  readonly #doubted = new Set<ObjectKey>();
  /** Fields said anew although they are the plane's own: see `sayAnew`. */
  readonly #saidAnew = new Map<ObjectKey, string>();
  #lookAtAll: string | null = 'start';
  #wake: () => void = () => {};
  #pending = true;
  #busy = false;
  #waiters: (() => void)[] = [];
  #running: Promise<void> = Promise.resolve();
  #stop = new AbortController();
  #awayAttempts = 0;
  #away: Problem | null = null;

  /** `prepare` may give a step what only this host knows, such as where a peer was last heard. */
  constructor(
    desired: Desired,
    driver: Driver,
    log: Logger,
    observer: ReconcileObserver,
    prepare: (step: Step) => Step,
    tuning: ReconcilerTuning = defaultTuning,
  ) {
    this.#desired = desired;
    this.#driver = driver;
    this.#log = log;
    this.#observer = observer;
    this.#prepare = prepare;
    this.#tuning = tuning;
  }

  start(): void {
    const signal = this.#stop.signal;
    this.#running = Promise.all([this.#loop(signal), this.#watch(signal)]).then(() => {});
  }

  /** Ends the loop after the batch in flight, unless the plane does not answer. What runs on the plane goes on. Idempotent. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    const enough = Promise.withResolvers<void>();
    const timer = setTimeout(enough.resolve, LAST_BATCH_MS);
    await Promise.race([this.#running, enough.promise]);
    clearTimeout(timer);
    this.#release();
  }

  /** Desired state has changed. */
  kick(): void {
    this.#pending = true;
    this.#wake();
  }

  /**
   * Somebody wants an `initial` field of what exists to be what was said, whatever the plane has learnt since (`wg set ... endpoint`).
   * It goes out once, with the next run; an object that is not there gets it at its creation.
   */
  sayAnew(key: ObjectKey, field: string): void {
    this.#saidAnew.set(key, field);
    this.kick();
  }

  /** These may have changed by somebody else's hand: they are looked at, and put right where they differ. */
  suspect(keys: readonly ObjectKey[]): void {
    for (const key of keys) this.#drifted.add(key);
    this.kick();
  }

  /** Our own doing may have taken these along; that is nobody else's hand. */
  #doubt(parent: ObjectKey, kinds: readonly ObjectKind[]): void {
    for (const [key, { object }] of this.#observed)
      if (kinds.includes(object.kind) && parentsOf(object).includes(parent)) this.#doubted.add(key);
    if (this.#doubted.size > 0) this.kick();
  }

  /** What this one failed for may have gone: it is tried at once, and its backoff begins anew. */
  retryNow(key: ObjectKey): void {
    const failure = this.#failures.get(key);
    if (failure === undefined) return;
    failure.attempts = 0;
    failure.retryAt = performance.now();
    this.kick();
  }

  /** Resolves when everything asked for so far has been tried, or after `ms`. True: tried. */
  async settled(ms: number): Promise<boolean> {
    if (!this.#pending && !this.#busy) return true;
    return new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), ms);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  observed(): ReadonlyMap<ObjectKey, Observed> {
    return this.#observed;
  }

  /** Takes fresher facts about keys (learned fields) into what is known. */
  refresh(rows: readonly Observed[]): void {
    for (const row of rows) if (this.#observed.has(row.key)) this.#observed.set(row.key, row);
  }

  /** Objects that could not be made true, and why. */
  failing(): { key: ObjectKey; problem: Problem }[] {
    return [...this.#failures].map(([key, failure]) => ({ key, problem: failure.problem }));
  }

  /** Why the plane did not answer when it was last asked to do something; null: it did. */
  away(): Problem | null {
    return this.#away;
  }

  /** The steps that a full look would lead to, without doing them. Asks the plane. */
  async dryRun(): Promise<readonly Step[]> {
    const rows = await this.#driver.observe('all', this.#stop.signal);
    const differences = diffAll(this.#desired.all(), rows, this.#driver.capabilities().builtIn);
    return plan(withDependants(differences, this.#desired.all(), rows));
  }

  async #loop(signal: AbortSignal): Promise<void> {
    let nextAudit = performance.now() + this.#tuning.auditMs;
    while (!signal.aborted) {
      const now = performance.now();
      if (now >= nextAudit) {
        this.#lookAtAll ??= AUDIT;
        // Jitter keeps a rack of gateways from looking in step.
        nextAudit = now + this.#tuning.auditMs * (0.9 + 0.2 * Math.random());
      }
      const retries = this.#dueRetries(now);
      if (!this.#pending && this.#lookAtAll === null && retries.length === 0) {
        await this.#sleep(Math.min(nextAudit, this.#nextRetry()) - now, signal);
        continue;
      }
      this.#pending = false;
      this.#busy = true;
      try {
        await this.#run(retries, signal);
        this.#awayAttempts = 0;
        this.#away = null;
        this.#busy = false;
      } catch (thrown) {
        if (signal.aborted) break;
        const why = toProblem(thrown);
        this.#away = why;
        this.#lookAtAll ??= 'plane came back';
        this.#pending = true;
        this.#observer.planeAway(why);
        this.#log.warn({ code: why.code, why: why.message }, 'plane is away');
        await this.#sleep(Math.min(5000, 50 * 2 ** this.#awayAttempts++), signal);
        continue;
      }
      if (!this.#pending) this.#release();
    }
  }

  async #run(retries: readonly ObjectKey[], signal: AbortSignal): Promise<void> {
    const began = performance.now();
    const reason = this.#lookAtAll;
    const dirty = this.#desired.takeDirty();
    const planned =
      reason === null ? await this.#planChanges(dirty, retries, signal) : await this.#planAll(reason, dirty, signal);
    const anew = new Map(this.#saidAnew);
    const steps = withSaidAnew(planned, anew, (key) => this.#desired.desired(key), this.#observed);
    for (let at = 0; at < steps.length; at += this.#tuning.batchSteps) {
      const batch = steps.slice(at, at + this.#tuning.batchSteps).map(this.#prepare);
      let results: readonly Applied[];
      try {
        results = await this.#driver.apply(batch, signal);
      } catch (thrown) {
        this.#lookAtAll = 'a batch was cut off';
        throw thrown;
      }
      this.#learn(results);
      this.#observer.applied(batch, results);
    }
    // Not before they went out: a plane that was cut off is told again.
    for (const [key, field] of anew) if (this.#saidAnew.get(key) === field) this.#saidAnew.delete(key);
    const tried = new Set(steps.map((step) => step.key));
    // A retried key without a step has become true, or unwanted, by other means.
    for (const key of retries) if (!tried.has(key)) this.#failures.delete(key);
    if (steps.length === 0) return;
    this.stats.reconciles++;
    this.stats.lastReconcileMs = performance.now() - began;
  }

  async #planChanges(
    dirty: Set<ObjectKey>,
    retries: readonly ObjectKey[],
    signal: AbortSignal,
  ): Promise<readonly Step[]> {
    const drifted = [...this.#drifted];
    this.#drifted.clear();
    const doubted = [...this.#doubted];
    this.#doubted.clear();
    if (drifted.length + doubted.length > 0) await this.#lookAt([...new Set([...drifted, ...doubted])], signal);
    const keys = new Set([...dirty, ...retries, ...drifted, ...doubted]);
    const differences = diffKeys(
      keys,
      (key) => this.#desired.desired(key),
      (key) => this.#observed.get(key),
    );
    const steps = this.#plan(differences);
    this.#noteDrift(steps.filter((step) => drifted.includes(step.key) && !dirty.has(step.key)));
    return steps;
  }

  async #planAll(reason: string, dirty: ReadonlySet<ObjectKey>, signal: AbortSignal): Promise<readonly Step[]> {
    const rows = await this.#driver.observe('all', signal);
    this.#lookAtAll = null;
    this.#drifted.clear();
    this.#doubted.clear();
    this.#observed.clear();
    for (const row of rows) this.#observed.set(row.key, row);
    const steps = this.#plan(diffAll(this.#desired.all(), rows, this.#driver.capabilities().builtIn));
    if (reason === AUDIT)
      this.#noteDrift(steps.filter((step) => !dirty.has(step.key) && !this.#failures.has(step.key)));
    return steps;
  }

  #plan(differences: readonly Difference[]): readonly Step[] {
    return plan(withDependants(differences, this.#desired.all(), this.#observed.values()));
  }

  /** Somebody else's hand: it is undone like any other difference, but counted and told. */
  #noteDrift(steps: readonly Step[]): void {
    if (steps.length === 0) return;
    this.stats.driftRepaired += steps.length;
    this.#observer.drifted(steps);
  }

  #learn(results: readonly Applied[]): void {
    this.stats.steps += results.length;
    for (const result of results) {
      if (!result.ok) this.stats.stepsFailed++;
      if (result.now === null) this.#observed.delete(result.key);
      else this.#observed.set(result.key, result.now);
      if (result.ok) {
        this.#failures.delete(result.key);
        continue;
      }
      const attempts = (this.#failures.get(result.key)?.attempts ?? 0) + 1;
      const wait = Math.min(this.#tuning.retryMaxMs, this.#tuning.retryMs * 2 ** (attempts - 1));
      this.#failures.set(result.key, { problem: result.error, attempts, retryAt: performance.now() + wait });
      const level = attempts === 1 ? 'warn' : 'debug';
      this.#log[level]({ key: result.key, code: result.error.code, why: result.error.message }, 'object failed');
    }
  }

  async #lookAt(keys: readonly ObjectKey[], signal: AbortSignal): Promise<void> {
    const rows = toMap(await this.#driver.observe(keys, signal));
    for (const key of keys) {
      const row = rows.get(key);
      if (row === undefined) this.#observed.delete(key);
      else this.#observed.set(key, row);
    }
  }

  async #watch(signal: AbortSignal): Promise<void> {
    try {
      for await (const change of this.#driver.watch(signal)) {
        if (change.kind === 'keys') {
          this.suspect(change.keys);
          continue;
        }
        if (change.kind === 'below') {
          this.#doubt(change.key, change.kinds);
          continue;
        }
        this.#lookAtAll = change.reason;
        this.kick();
      }
    } catch (thrown) {
      if (!signal.aborted) this.#log.error({ why: toProblem(thrown).message }, 'watch ended; the audit still looks');
    }
  }

  #dueRetries(now: number): ObjectKey[] {
    const due: ObjectKey[] = [];
    for (const [key, failure] of this.#failures) if (failure.retryAt <= now) due.push(key);
    return due;
  }

  #nextRetry(): number {
    let soonest = Number.POSITIVE_INFINITY;
    for (const failure of this.#failures.values()) soonest = Math.min(soonest, failure.retryAt);
    return soonest;
  }

  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, ms));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  #release(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}

function toMap(rows: readonly Observed[]): Map<ObjectKey, Observed> {
  return new Map(rows.map((row) => [row.key, row]));
}
