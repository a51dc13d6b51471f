/**
 * The Linux plane: the kernel, over netlink. Parts of the plane make and read their own kinds of objects; this file shares a batch out among
 * them, in its order, and tells what others have changed.
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { ObjectKey, ObjectKind, Observed } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { CountingDriver, NatSessions, Neighbours, PeerFacts, PlaneCounters } from '../contract/counters.ts';
import type { Applied, Capabilities, Change } from '../contract/driver.ts';
import { linkCounters, neighboursOf } from './counts.ts';
import type { Kernel } from './kernel.ts';
import { linuxLinkTypes, type Part } from './part.ts';
import type { WireguardDevices } from './wireguard/devices.ts';

/** Tells of what others have changed, until the signal aborts. */
export type Watch = (signal: AbortSignal) => AsyncIterable<Change>;

/** Who knows what of the plane is counted apart from links. */
export interface LinuxParts {
  readonly parts: readonly Part[];
  readonly wireguard: Pick<WireguardDevices, 'facts'>;
  /** Another value means that the kernel counts anew. */
  readonly epoch: string;
  sessions(limit: number): Promise<NatSessions>;
}

export class LinuxDriver implements CountingDriver {
  readonly #kernel: Kernel;
  readonly #said: LinuxParts;
  readonly #parts: readonly Part[];
  readonly #byKind = new Map<ObjectKind, Part>();
  readonly #watch: Watch;
  #loaded = false;
  /** One after the other: what is looked at is not changed meanwhile. */
  #busy: Promise<unknown> = Promise.resolve();

  constructor(kernel: Kernel, said: LinuxParts, watch: Watch) {
    this.#kernel = kernel;
    this.#said = said;
    this.#parts = said.parts;
    this.#watch = watch;
    for (const part of said.parts) for (const kind of part.kinds) this.#byKind.set(kind, part);
  }

  capabilities(): Capabilities {
    return {
      plane: 'linux',
      kinds: [...this.#byKind.keys()],
      linkTypes: linuxLinkTypes,
      keyOverlap: true,
      builtIn: ['vrf/default' as ObjectKey],
    };
  }

  async observe(scope: 'all' | readonly ObjectKey[], signal: AbortSignal): Promise<readonly Observed[]> {
    signal.throwIfAborted();
    return this.#alone(async () => {
      if (scope === 'all' || !this.#loaded) await this.#load();
      if (scope !== 'all') return this.#observeKeys(scope);
      const rows: Observed[] = [];
      for (const part of this.#parts) {
        signal.throwIfAborted();
        for (const row of await part.observe('all')) rows.push(row);
      }
      return rows;
    });
  }

  async apply(batch: readonly Step[], signal: AbortSignal): Promise<readonly Applied[]> {
    return this.#alone(async () => {
      if (!signal.aborted && !this.#loaded) await this.#load();
      const results: Applied[] = [];
      for (let at = 0; at < batch.length; ) {
        const part = this.#partOf(batch[at]!);
        let end = at + 1;
        while (end < batch.length && this.#partOf(batch[end]!) === part) end++;
        const run = batch.slice(at, end);
        if (signal.aborted) results.push(...run.map((step) => failed(step, aborted)));
        else if (part === undefined) results.push(...run.map((step) => failed(step, unsupported(step))));
        else for (const result of await part.apply(run)) results.push(result);
        at = end;
      }
      return results;
    });
  }

  watch(signal: AbortSignal): AsyncIterable<Change> {
    return this.#watch(signal);
  }

  async counters(signal: AbortSignal): Promise<PlaneCounters> {
    return this.#asked(signal, async () => ({
      epoch: this.#said.epoch,
      links: await linkCounters(this.#kernel),
      drops: {},
      nodes: {},
    }));
  }

  async peerFacts(signal: AbortSignal): Promise<readonly PeerFacts[]> {
    return this.#asked(signal, () => this.#said.wireguard.facts());
  }

  async natSessions(limit: number, signal: AbortSignal): Promise<NatSessions> {
    return this.#asked(signal, () => this.#said.sessions(limit));
  }

  async neighbours(limit: number, signal: AbortSignal): Promise<Neighbours> {
    return this.#asked(signal, () => neighboursOf(this.#kernel, limit));
  }

  async #asked<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    return this.#alone(async () => {
      if (!this.#loaded) await this.#load();
      return ask();
    });
  }

  #partOf(step: Step): Part | undefined {
    return this.#byKind.get(step.op === 'delete' ? step.before.kind : step.object.kind);
  }

  async #observeKeys(keys: readonly ObjectKey[]): Promise<readonly Observed[]> {
    const byPart = new Map<Part, ObjectKey[]>();
    for (const key of keys) {
      const part = this.#byKind.get(key.slice(0, key.indexOf('/')) as ObjectKind);
      if (part === undefined) continue;
      const list = byPart.get(part);
      if (list === undefined) byPart.set(part, [key]);
      else list.push(key);
    }
    const rows: Observed[] = [];
    for (const [part, wanted] of byPart) for (const row of await part.observe(wanted)) rows.push(row);
    return rows;
  }

  async #load(): Promise<void> {
    await this.#kernel.links.load();
    this.#loaded = true;
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#busy.then(work);
    this.#busy = turn.catch(() => {});
    return turn;
  }
}

const aborted: Problem = problem('timeout', 'cut off before this step was begun');

function failed(step: Step, error: Problem): Applied {
  return { key: step.key, ok: false, now: null, error };
}

function unsupported(step: Step): Problem {
  const { kind } = step.op === 'delete' ? step.before : step.object;
  return problem('intent.unsupported', `the linux plane has no ${kind}`, 'kind');
}
