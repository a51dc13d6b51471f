/**
 * One driver of several: a plane, and shells beside it that hold kinds the plane does not. A step goes to whoever holds its kind; steps
 * that stand together go together, in their order, so that what a zone needs is there before the zone is.
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { ObjectKey, ObjectKind, Observed } from '@vrouter/intent/model/objects.ts';
import { parentsOf } from '@vrouter/intent/model/relations.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { CountingDriver } from './counters.ts';
import type { Applied, Capabilities, Change, Driver } from './driver.ts';

export class JoinedDriver implements Driver {
  /** The plane first. */
  readonly #members: readonly Driver[];
  readonly #holders = new Map<string, Driver>();

  /** Of a kind that two hold, the first has it. */
  constructor(plane: Driver, ...shells: readonly Driver[]) {
    this.#members = [plane, ...shells];
    for (const member of this.#members)
      for (const kind of member.capabilities().kinds) if (!this.#holders.has(kind)) this.#holders.set(kind, member);
  }

  /** All kinds; the rest is the plane's, and what the shells add to it. */
  capabilities(): Capabilities {
    const all = this.#members.map((member) => member.capabilities());
    return {
      ...all[0]!,
      kinds: [...this.#holders.keys()] as ObjectKind[],
      linkTypes: [...new Set(all.flatMap(({ linkTypes }) => linkTypes))],
      builtIn: [...new Set(all.flatMap(({ builtIn }) => builtIn))],
    };
  }

  async observe(scope: 'all' | readonly ObjectKey[], signal: AbortSignal): Promise<readonly Observed[]> {
    if (scope === 'all') {
      const seen = await Promise.all(this.#members.map((member) => member.observe('all', signal)));
      const rows = new Map<ObjectKey, Observed>();
      // What several have built in is told once.
      for (const row of seen.flat()) if (!rows.has(row.key)) rows.set(row.key, row);
      return [...rows.values()];
    }
    const asked = Map.groupBy(scope, (key) => this.#holderOf(key));
    const seen = await Promise.all([...asked].map(([member, keys]) => member.observe(keys, signal)));
    const byKey = new Map(seen.flat().map((row) => [row.key, row]));
    return scope.flatMap((key) => byKey.get(key) ?? []);
  }

  /** Rejects when any of those who are asked is away; then the caller observes anew, as with one plane. */
  async apply(batch: readonly Step[], signal: AbortSignal): Promise<readonly Applied[]> {
    const results: Applied[] = [];
    const failed = new Failed();
    for (const { member, steps } of runsOf(batch, (step) => this.#holderOf(step.key))) {
      // Inside a run the member sees to it itself; it does not hear of what others could not do.
      const refusals = new Map<Step, Problem>();
      for (const step of steps) {
        const refusal = failed.refusal(step);
        if (refusal === null) continue;
        refusals.set(step, refusal);
        failed.add(step);
      }
      const ready = steps.filter((step) => !refusals.has(step));
      const applied = ready.length === 0 ? [] : await member.apply(ready, signal);
      const seen =
        refusals.size === 0
          ? []
          : await member.observe(
              [...refusals.keys()].map(({ key }) => key),
              signal,
            );
      let next = 0;
      for (const step of steps) {
        const error = refusals.get(step);
        const now = seen.find(({ key }) => key === step.key) ?? null;
        const result: Applied = error === undefined ? applied[next++]! : { key: step.key, ok: false, now, error };
        if (result.ok) failed.forget(step);
        else failed.add(step);
        results.push(result);
      }
    }
    return results;
  }

  watch(signal: AbortSignal): AsyncIterable<Change> {
    return merged(
      this.#members.map((member) => member.watch(signal)),
      signal,
    );
  }

  /** Whoever holds the kind; the plane refuses what nobody holds. */
  #holderOf(key: ObjectKey): Driver {
    return this.#holders.get(key.slice(0, key.indexOf('/'))) ?? this.#members[0]!;
  }
}

/** The same where the plane counts: what is counted is the plane's. */
export class JoinedCountingDriver extends JoinedDriver implements CountingDriver {
  readonly counters: CountingDriver['counters'];
  readonly peerFacts: CountingDriver['peerFacts'];
  readonly natSessions: CountingDriver['natSessions'];
  readonly neighbours: CountingDriver['neighbours'];

  constructor(plane: CountingDriver, ...shells: readonly Driver[]) {
    super(plane, ...shells);
    this.counters = (signal) => plane.counters(signal);
    this.peerFacts = (signal) => plane.peerFacts(signal);
    this.natSessions = (limit, signal) => plane.natSessions(limit, signal);
    this.neighbours = (limit, signal) => plane.neighbours(limit, signal);
  }
}

/** What a batch could not do so far, and what therefore must not be tried. */
class Failed {
  readonly #made = new Set<ObjectKey>();
  readonly #stays = new Set<ObjectKey>();
  /** By what they stand on: those that could not be taken away hold it. */
  readonly #holding = new Map<ObjectKey, ObjectKey[]>();

  add(step: Step): void {
    if (step.op !== 'delete') this.#made.add(step.key);
    else {
      this.#stays.add(step.key);
      for (const parent of parentsOf(step.before))
        this.#holding.set(parent, [...(this.#holding.get(parent) ?? []), step.key]);
    }
  }

  forget(step: Step): void {
    this.#made.delete(step.key);
    this.#stays.delete(step.key);
  }

  refusal(step: Step): Problem | null {
    if (step.op === 'delete') {
      const child = this.#holding.get(step.key)?.find((key) => this.#stays.has(key));
      if (child === undefined) return null;
      return problem('object.dependency', `${child} stands on ${step.key} and could not be taken away`);
    }
    const missing = parentsOf(step.object).find((parent) => this.#made.has(parent));
    return missing === undefined
      ? null
      : problem('object.dependency', `${step.key} needs ${missing}, which could not be made`);
  }
}

interface Run {
  readonly member: Driver;
  readonly steps: Step[];
}

/** Steps one after the other with the same holder. */
function runsOf(batch: readonly Step[], holderOf: (step: Step) => Driver): readonly Run[] {
  const runs: Run[] = [];
  for (const step of batch) {
    const member = holderOf(step);
    const last = runs.at(-1);
    if (last?.member === member) last.steps.push(step);
    else runs.push({ member, steps: [step] });
  }
  return runs;
}

/** Whatever any of them says, as it comes; ends when all have ended, or with the first that fails. */
async function* merged(sources: readonly AsyncIterable<Change>[], signal: AbortSignal): AsyncGenerator<Change, void> {
  const queue: Change[] = [];
  let wake = (): void => {};
  let running = sources.length;
  let failure: { readonly thrown: unknown } | null = null;
  const pump = async (source: AsyncIterable<Change>): Promise<void> => {
    try {
      for await (const change of source) {
        queue.push(change);
        wake();
      }
    } catch (thrown) {
      failure ??= { thrown };
    }
    running--;
    wake();
  };
  for (const source of sources) void pump(source);
  while (!signal.aborted) {
    const next = queue.shift();
    if (next !== undefined) yield next;
    else if (failure !== null) throw (failure as { readonly thrown: unknown }).thrown;
    else if (running === 0) return;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}
