/**
 * Changes of what is said on this host. Each is judged whole, said and stored whole under the source `cli`, and answered when the plane has
 * tried it; what the plane cannot make is taken back. One at a time.
 */
import type { ChangePreview, ChangeReply, IntentRow, Trouble as TroubleRow } from '@vrouter/api/gateway/intents.ts';
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import { type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import type { Logger } from 'pino';
import { type Listener, listenersNow } from '../../intents/listeners.ts';
import { type ChangeOf, inverse, type Outcome, rootOf, type SaidIntents, type Trouble } from '../../intents/said.ts';
import { Writer } from '../../intents/writer.ts';
import { type HostNetwork, hostNetworks } from './host-networks.ts';
import { judge } from './judge.ts';
import { type Known, type Request, SOURCE } from './known.ts';
import { atPlace, stepRows, stepsOf } from './preview.ts';
import { type Sees, shown, troublesBy } from './rows.ts';

/** How long a change waits for the plane, ms. */
const PLANE_MS = 10_000;
/** Sentences of what failed, in one message. */
const TOLD_MAX = 5;

const never = new AbortController().signal;

/** The plane could not make it. What was before is said again, and so on the plane if `restored`. */
export class ChangeFailed extends ProblemError {
  readonly failed: readonly TroubleRow[];
  readonly restored: boolean;

  constructor(what: Problem, failed: readonly TroubleRow[], restored: boolean) {
    super(what);
    this.name = 'ChangeFailed';
    this.failed = failed;
    this.restored = restored;
  }
}

export interface ChangesParts {
  readonly intents: SaidIntents<object>;
  readonly sees: Sees;
  readonly log: Logger;
  readonly host?: () => readonly HostNetwork[];
  readonly listeners?: () => readonly Listener[];
  /** ms. */
  readonly planeMs?: number;
}

export class Changes {
  readonly #parts: ChangesParts;
  readonly #writer = new Writer();

  constructor(parts: ChangesParts) {
    this.#parts = parts;
  }

  /** Rejects with ProblemError; then nothing has changed, or with ChangeFailed. Who asked may have gone: what has begun is done. */
  change(request: Request): Promise<ChangeReply> {
    return this.#writer.run(never, async () => {
      const change = this.#judged(request);
      const said = new Map(this.#parts.intents.said().map((one) => [intentKey(one.intent), one]));
      const outcome = await this.#parts.intents.change(change, this.#planeMs);
      if (outcome.kind === 'refused')
        throw new ProblemError(outcome.of === null ? outcome.problem : atPlace(outcome.of, change.put));
      const removed = [...change.remove];
      if (outcome.kind !== 'done')
        throw await this.#takeBack(
          outcome,
          inverse(change, (key) => said.get(key)),
        );
      this.#parts.log.info({ put: change.put.map(({ intent }) => intentKey(intent)), removed }, 'said by vrouterctl');
      return { put: this.#rowsOf(change), removed };
    });
  }

  /** What it would do. Rejects as it would be refused. */
  preview(request: Request): Promise<ChangePreview> {
    return this.#writer.run(never, async () => {
      const { desired, reconciler } = this.#parts.sees;
      const change = this.#judged(request);
      const steps = stepsOf(desired, reconciler.observed(), change);
      const put = change.put.map(({ intent }) => ({
        key: intentKey(intent),
        source: SOURCE,
        intent: shown(intent),
        problems: [],
      }));
      return { dryRun: true, put, removed: [...change.remove], ...stepRows(steps) };
    });
  }

  get #planeMs(): number {
    return this.#parts.planeMs ?? PLANE_MS;
  }

  #judged(request: Request): ChangeOf<object> {
    const { sees, host = hostNetworks, listeners = listenersNow } = this.#parts;
    const unreadable: IntentKey[] = [];
    for (const { source, key } of sees.badIntents.all()) if (source === SOURCE) unreadable.push(key);
    let networks: readonly HostNetwork[] | null = null;
    let heard: readonly Listener[] | null = null;
    const known: Known = {
      said: [...sees.desired.intents()],
      unreadable,
      host: () => {
        networks ??= host();
        return networks;
      },
      listeners: () => {
        heard ??= listeners();
        return heard;
      },
    };
    const judged = judge(request, known);
    if (!judged.ok) throw new ProblemError(judged.error);
    return judged.value;
  }

  #rowsOf({ put }: ChangeOf<object>): IntentRow[] {
    const troubles = troublesBy(this.#parts.sees);
    return put.map(({ intent }) => ({
      key: intentKey(intent),
      source: SOURCE,
      intent: shown(intent),
      problems: troubles(SOURCE, intent),
    }));
  }

  async #takeBack(
    outcome: Exclude<Outcome, { kind: 'done' | 'refused' }>,
    back: ChangeOf<object>,
  ): Promise<ChangeFailed> {
    const { intents, log } = this.#parts;
    const again = await intents.change(back, outcome.kind === 'late' ? 0 : this.#planeMs);
    if (again.kind === 'refused')
      log.error({ code: again.problem.code, why: again.problem.message }, 'what was before cannot be said again');
    const restored = again.kind === 'done';
    const after = restored ? 'what was before is so again' : 'what was before is said again, and tried until it is so';
    if (outcome.kind === 'late')
      return new ChangeFailed(problem('timeout', `the plane has not answered in time; ${after}`), [], restored);
    const { troubles } = outcome;
    const failed = troubles.map(({ key, problem: { code, message } }) => ({ key, code, message }));
    log.warn({ failed: failed.slice(0, TOLD_MAX), restored }, 'the plane could not make what vrouterctl said');
    return new ChangeFailed(problem(rootOf(troubles).problem.code, `${told(troubles)}; ${after}`), failed, restored);
  }
}

/** What others follow from is left out where that can be told. */
function told(troubles: readonly Trouble[]): string {
  const roots = troubles.filter(({ problem: { code } }) => code !== 'object.dependency');
  const all = roots.length === 0 ? troubles : roots;
  const parts = all.slice(0, TOLD_MAX).map(({ key, problem: { message } }) => `${key}: ${message}`);
  return `${parts.join('; ')}${all.length > TOLD_MAX ? `; and ${all.length - TOLD_MAX} more` : ''}`;
}
