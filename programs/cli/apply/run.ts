/** Makes a plan true: rank after rank, several writes at once within one, each only from the state that the plan has seen. */
import type { Controller } from '../clients/controller.ts';
import { Failure } from '../failure.ts';
import type { Step } from './compare.ts';
import { ranksOf, type Write } from './order.ts';
import { readParts } from './present.ts';
import { sendChange, sendCreate, sendDelete, sendRelease } from './requests.ts';
import { keyOf, type Present, titleOf, type Wanted } from './things.ts';

/**
 * What a step came to. `notTried`: what it needs did not come about, or the run ended before; `removed`: it ended between the two halves
 * of making something anew.
 */
export interface Outcome {
  readonly step: Step;
  readonly state: 'done' | 'failed' | 'notTried' | 'removed';
  readonly failure: Failure | null;
  /** Version of the vrouter that has it; null where none was told. */
  readonly version: number | null;
}

export interface Run {
  /** One for each step that was to be made, in the order of the plan. */
  readonly outcomes: readonly Outcome[];
  /** What ended the run early; null: it was gone through, or interrupted. */
  readonly ended: Failure | null;
  readonly interrupted: boolean;
}

export interface Running {
  readonly controller: Controller;
  /** Aborted: what is on its way is awaited, and what was removed made anew; nothing else is begun. */
  readonly signal: AbortSignal;
  /** After every write. */
  progress(writes: number, of: number, failed: number): void;
}

/** Writes on their way at a time. The controller makes changes one after another, so more would only wait there. */
const IN_FLIGHT = 8;

/** After these every other write would come to the same. */
const fatal: ReadonlySet<string> = new Set([
  'request.unauthenticated',
  'request.roleNeeded',
  'request.forbidden',
  'request.limited',
  'controller.unreachable',
  'store.unavailable',
  'timeout',
]);

export async function run(steps: readonly Step[], running: Running): Promise<Run> {
  return new Runner(steps, running).run();
}

class Runner {
  readonly #steps: readonly Step[];
  readonly #running: Running;
  readonly #done = new Set<Write>();
  readonly #failed = new Map<Step, Failure>();
  readonly #versions = new Map<Step, number>();
  /** Tags that are newer than those of the plan, because we changed it ourselves. */
  readonly #etags = new Map<Step, string>();
  #ended: Failure | null = null;
  #count = 0;

  constructor(steps: readonly Step[], running: Running) {
    this.#steps = steps.filter(({ action }) => action !== 'refuse');
    this.#running = running;
  }

  async run(): Promise<Run> {
    const ranks = ranksOf(this.#steps);
    const total = ranks.reduce((sum, rank) => sum + rank.length, 0);
    for (const rank of ranks) {
      const waiting = rank.values();
      const worker = async (): Promise<void> => {
        for (const write of waiting) {
          if (this.#ended !== null) return;
          if (this.#running.signal.aborted && !this.#isSecondHalf(write)) continue;
          await this.#write(write);
          this.#running.progress(++this.#count, total, this.#failed.size);
        }
      };
      await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
      if (this.#ended !== null) break;
      await this.#retag(rank);
    }
    const writes = Map.groupBy(ranks.flat(), ({ step }) => step);
    const outcomes = this.#steps.map((step) => this.#outcome(step, writes.get(step)!));
    const interrupted = this.#running.signal.aborted && outcomes.some(({ state }) => state !== 'done');
    return { outcomes, ended: this.#ended, interrupted };
  }

  /** Whether it makes anew what is gone already, or gives a peer what it let go of. */
  #isSecondHalf({ step, needs }: Write): boolean {
    return needs.some((one) => one.step === step && this.#done.has(one));
  }

  #outcome(step: Step, writes: readonly Write[]): Outcome {
    const failure = this.#failed.get(step) ?? null;
    const made = writes.filter((write) => this.#done.has(write)).length;
    const begun = made > 0 && step.action === 'replace' ? 'removed' : 'notTried';
    const state = failure !== null ? 'failed' : made === writes.length ? 'done' : begun;
    return { step, state, failure, version: this.#versions.get(step) ?? null };
  }

  async #write(write: Write): Promise<void> {
    const { step, verb, needs } = write;
    if (!needs.every((one) => this.#done.has(one))) return;
    try {
      const { version, etag } = await this.#send(write);
      this.#done.add(write);
      if (version !== null) this.#versions.set(step, version);
      if (etag !== null) this.#etags.set(step, etag);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (fatal.has(error.code)) this.#ended ??= error;
      this.#failed.set(step, verb === 'create' && step.present !== null ? await this.#putBack(step, error) : error);
    }
  }

  #send({ step, verb }: Write) {
    const { controller } = this.#running;
    const etag = this.#etags.get(step) ?? step.present?.etag ?? '';
    switch (verb) {
      case 'create':
        return sendCreate(controller, step.wanted!);
      case 'change':
        return sendChange(controller, step, etag);
      case 'release':
        return sendRelease(controller, step, etag);
      case 'delete':
        return sendDelete(controller, step.present!, etag);
      default:
        return verb satisfies never;
    }
  }

  /** What was to be made anew is gone and could not be made: the old one is better than none. */
  async #putBack(step: Step, error: Failure): Promise<Failure> {
    const { present } = step;
    const said = (what: string): Failure => new Failure(error.code, `${error.message}; ${what}`, error.field);
    if (this.#ended !== null) return said('the old one is gone: run it again');
    if (typeof present!.fields.presharedKey === 'string')
      return said('the old one is gone, since its preshared key is not known here');
    const old: Wanted = { ...present!, place: null, secret: null };
    try {
      await sendCreate(this.#running.controller, old);
      return said('the old one was put back');
    } catch (again) {
      if (!(again instanceof Failure)) throw again;
      if (fatal.has(again.code)) this.#ended ??= again;
      return said(`the old one is gone, and could not be put back: ${again.message} (${again.code})`);
    }
  }

  /**
   * A vrouter that gets another network gives every peer an address of it, and so another tag. Those that are otherwise as the plan has
   * seen them are taken with their new ones; the rest somebody else has changed, and keeps the tag that is refused.
   */
  async #retag(rank: readonly Write[]): Promise<void> {
    const grown = rank.filter(
      ({ step, verb }) =>
        step.kind === 'vrouter' && verb === 'change' && step.changes.some(({ field }) => field === 'networks'),
    );
    for (const write of grown) {
      const { vrouter } = write.step;
      const peers = this.#steps.filter((one) => one.kind === 'peer' && one.vrouter === vrouter && one.present !== null);
      if (!this.#done.has(write) || peers.length === 0) continue;
      const now = new Map<string, Present>();
      try {
        for (const peer of await readParts(this.#running.controller, vrouter, 'peer')) now.set(keyOf(peer), peer);
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        this.#ended ??= error;
        return;
      }
      for (const step of peers) {
        const peer = now.get(keyOf(step.present!));
        if (peer !== undefined && JSON.stringify(peer.fields) === JSON.stringify(step.present!.fields))
          this.#etags.set(step, peer.etag);
      }
    }
  }
}

/** `peer phone of edge-1: sentence (code), in field` */
export function failureText({ step, failure }: Outcome): string {
  const where = step.kind === 'vrouter' ? '' : ` of ${step.vrouter}`;
  return `${titleOf(step)}${where}: ${failure!.toString().replace(/^error: /, '')}`;
}
