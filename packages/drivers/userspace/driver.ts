/**
 * The userspace plane: our own engine, over its socket. Everything in the engine is ours, so everything that it tells is observed.
 * Whoever makes this driver hands in how to get a connection; a lost one is asked for anew with the next call.
 */
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import type { EngineClient } from '@vrouter/engine/control/client.ts';
import type { RowId } from '@vrouter/engine/control/messages.ts';
import type { ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { CountingDriver, NatSessions, Neighbours, PeerFacts, PlaneCounters } from '../contract/counters.ts';
import type { Applied, Capabilities, Change } from '../contract/driver.ts';
import { engineKinds, engineLinkTypes, refusalOf } from './served.ts';
import { EngineStats, type OpenStats } from './stats.ts';
import { actionOf, observedOf, rowIdOf } from './translate.ts';

const capabilities: Capabilities = {
  plane: 'userspace',
  kinds: engineKinds,
  linkTypes: engineLinkTypes,
  keyOverlap: true,
  builtIn: ['vrf/default' as ObjectKey],
};

/** Gives a connected engine. Rejects with ProblemError `engine.unreachable`. */
export type ConnectEngine = (signal: AbortSignal) => Promise<EngineClient>;

export class UserspaceDriver implements CountingDriver {
  readonly #connect: ConnectEngine;
  readonly #openStats: OpenStats;
  #client: EngineClient | null = null;
  /** Of the client's engine; null: it has to be asked. */
  #stats: EngineStats | null = null;
  #connecting: Promise<EngineClient> | null = null;
  #away = Promise.withResolvers<string>();

  /** `openStats`: how to read the engine's counters without asking it; left out, it is asked. */
  constructor(connect: ConnectEngine, openStats: OpenStats = () => null) {
    this.#connect = connect;
    this.#openStats = openStats;
  }

  capabilities(): Capabilities {
    return capabilities;
  }

  async observe(scope: 'all' | readonly ObjectKey[], signal: AbortSignal): Promise<readonly Observed[]> {
    signal.throwIfAborted();
    const client = await this.#engine(signal);
    if (scope === 'all') return (await within(client.dump(), signal)).map(observedOf);
    const ids = scope.map(rowIdOf).filter((id): id is RowId => id !== null);
    return ids.length === 0 ? [] : (await within(client.dump(ids), signal)).map(observedOf);
  }

  async apply(batch: readonly Step[], signal: AbortSignal): Promise<readonly Applied[]> {
    if (signal.aborted) return batch.map((step) => ({ key: step.key, ok: false, now: null, error: aborted }));
    const client = await this.#engine(signal);
    const failures = batch.map((step) => refusalOf(step.op === 'delete' ? step.before : step.object));
    const asked = batch.filter((_, index) => failures[index] === null);
    const answers = (await client.apply(asked.map(actionOf))).values();
    for (const [index, refused] of failures.entries())
      if (refused === null) failures[index] = answers.next().value ?? null;
    const now = new Map(
      (
        await this.observe(
          batch.map((step) => step.key),
          signal,
        )
      ).map((row) => [row.key, row]),
    );
    return batch.map((step, index): Applied => {
      const error = failures[index] ?? null;
      // A replaced object is there again by the time we look; its deletion left nothing all the same.
      const truth = step.op === 'delete' && error === null ? null : (now.get(step.key) ?? null);
      if (error === null) return { key: step.key, ok: true, now: truth };
      return { key: step.key, ok: false, now: truth, error };
    });
  }

  async *watch(signal: AbortSignal): AsyncGenerator<Change> {
    const ended = new Promise<null>((resolve) => signal.addEventListener('abort', () => resolve(null), { once: true }));
    while (!signal.aborted) {
      const away = this.#away;
      const reason = await Promise.race([away.promise, ended]);
      if (reason === null) return;
      if (this.#away === away) this.#away = Promise.withResolvers();
      yield { kind: 'all', reason };
    }
  }

  async counters(signal: AbortSignal): Promise<PlaneCounters> {
    const client = await this.#engine(signal);
    return this.#stats?.counters() ?? within(client.counters(), signal);
  }

  async peerFacts(signal: AbortSignal): Promise<readonly PeerFacts[]> {
    const client = await this.#engine(signal);
    const read = this.#stats?.peers() ?? null;
    return read ?? (await within(client.dump(), signal)).filter((row) => row.is === 'peer');
  }

  async natSessions(limit: number, signal: AbortSignal): Promise<NatSessions> {
    return within((await this.#engine(signal)).natSessions(limit), signal);
  }

  async neighbours(limit: number, signal: AbortSignal): Promise<Neighbours> {
    return within((await this.#engine(signal)).neighbours(limit), signal);
  }

  /** Hangs up; the engine goes on. */
  async close(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    client?.close();
    await client?.closed;
  }

  /** The connection; one attempt at a time, shared by all who ask. */
  async #engine(signal: AbortSignal): Promise<EngineClient> {
    if (this.#client !== null) return this.#client;
    this.#connecting ??= this.#connect(signal).finally(() => {
      this.#connecting = null;
    });
    const client = await within(this.#connecting, signal);
    if (this.#client === client) return client;
    const hello = await within(client.hello, signal);
    if (this.#client !== null) return this.#client;
    this.#client = client;
    const stats = EngineStats.open(hello, this.#openStats);
    this.#stats = stats;
    void client.closed.then(() => {
      stats?.close();
      if (this.#stats === stats) this.#stats = null;
      if (this.#client !== client) return;
      this.#client = null;
      this.#away.resolve('the engine hung up');
    });
    return client;
  }
}

/** An engine that is there and does not answer holds nobody longer than they said. */
function within<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const cut = (): void => reject(new ProblemError(problem('timeout', 'the engine has not answered in time')));
    signal.addEventListener('abort', cut, { once: true });
    if (signal.aborted) cut();
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', cut));
  });
}

const aborted: Problem = problem('timeout', 'cut off before this step was begun');
