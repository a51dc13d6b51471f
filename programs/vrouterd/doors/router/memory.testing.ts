/** Intents in memory, with a plane beneath that makes what is said at once, or fails where a test wants it to. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import type { LinkFacts, Outcome, RouterChange, RouterIntents, Said, Trouble } from './intents.ts';

export class MemoryIntents implements RouterIntents {
  readonly #said = new Map<IntentKey, Said>();
  /** Keys of intents that the plane cannot make, for a while. */
  readonly failing = new Map<string, Problem>();
  /** What refuses the next change. */
  refusal: Problem | null = null;
  /** The plane does not answer. */
  isAway = false;
  /** How long the plane takes, ms. */
  delayMs = 0;
  /** Changes that made a difference, in their order. */
  readonly changes: RouterChange[] = [];

  said(): readonly Said[] {
    return [...this.#said.values()];
  }

  async change(change: RouterChange, waitMs: number): Promise<Outcome> {
    const refused = this.refusal;
    this.refusal = null;
    if (refused !== null) return { kind: 'refused', problem: refused };
    const isNew = change.put.some(
      (one) => JSON.stringify(this.#said.get(intentKey(one.intent))) !== JSON.stringify(one),
    );
    if (isNew || change.remove.some((key) => this.#said.has(key))) this.changes.push(change);
    for (const one of change.put) this.#said.set(intentKey(one.intent), one);
    for (const key of change.remove) this.#said.delete(key);
    await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    if (this.isAway || waitMs === 0) return { kind: 'late', why: null };
    const troubles = this.troubles().filter(({ key }) => change.put.some(({ intent }) => intentKey(intent) === key));
    return troubles.length === 0 ? { kind: 'done' } : { kind: 'failed', troubles };
  }

  async links(names: readonly string[]): Promise<ReadonlyMap<string, LinkFacts>> {
    const there = this.said().flatMap(({ intent }) => (intent.kind === 'network' ? [intent] : []));
    return new Map(
      there
        .filter(({ interface: name }) => names.includes(name))
        .map(({ interface: name, mtu }) => [name, { mac: '02:00:5e:10:00:01', mtu: mtu ?? 1500, isUp: true }]),
    );
  }

  troubles(): readonly Trouble[] {
    const failing = [...this.failing]
      .filter(([key]) => this.#said.has(key as IntentKey))
      .map(([key, what]) => ({ key, problem: what }));
    return this.isAway ? [{ key: 'plane', problem: problem('plane.failed', 'it is away') }, ...failing] : failing;
  }
}
