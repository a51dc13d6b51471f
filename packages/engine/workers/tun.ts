/**
 * TUN devices (and, by ethernet.ts, ports into Ethernets) of several workers: the keeper has the descriptors, and all workers do the same actions. What the kernel answered the
 * keeper is told to the others, who wait for it, so that an action ends alike everywhere. Openings and changes of a device are numbered
 * together: whether one is an opening may look different to the keeper (somebody took the device away), that there is one does not.
 */
import { type Problem, ProblemError, toProblem } from '@vrouter/core/problem.ts';
import type { FrameRows, HostSide, Offloads, OpenTun, TunSocket } from '../ports/frames.ts';

/** How a numbered doing ended. */
export type TunOutcome = Problem | null;

/** What the keeper does with devices of any kind, numbered in one row. */
export class KeeperDoings {
  readonly #tell: (number: number, outcome: TunOutcome) => void;
  #done: number;

  /** `tell` hears the outcome of each. */
  constructor(tell: (number: number, outcome: TunOutcome) => void) {
    this.#tell = tell;
    this.#done = 0;
  }

  /** Does it, and tells how it ended; ends as it did. */
  async told<T>(doing: () => Promise<T>): Promise<T> {
    const number = this.#done++;
    try {
      const result = await doing();
      this.#tell(number, null);
      return result;
    } catch (thrown) {
      this.#tell(number, toProblem(thrown));
      throw thrown;
    }
  }
}

/** The keeper's `openTun`: as `open`, and the others hear the outcome of everything that can fail. */
export function keeperTun(open: OpenTun, doings: KeeperDoings): OpenTun {
  return async (name, side) => {
    const socket = await doings.told(() => open(name, side));
    return new KeeperTun(socket, (next) => doings.told(() => socket.configure(next)));
  };
}

class KeeperTun implements TunSocket {
  readonly #socket: TunSocket;
  readonly configure: (side: HostSide) => Promise<void>;

  constructor(socket: TunSocket, configure: (side: HostSide) => Promise<void>) {
    this.#socket = socket;
    this.configure = configure;
  }

  get gone(): boolean {
    return this.#socket.gone;
  }

  get malformed(): number {
    return this.#socket.malformed ?? 0;
  }

  get offloads(): Offloads | null | undefined {
    return this.#socket.offloads;
  }

  receive(into: FrameRows): number {
    return this.#socket.receive(into);
  }

  send(rows: FrameRows): number {
    return this.#socket.send(rows);
  }

  onReadable(callback: () => void): void {
    this.#socket.onReadable(callback);
  }

  close(): Promise<void> {
    return this.#socket.close();
  }
}

/** What the others know of the keeper's devices. */
export class TunOutcomes {
  readonly #early: Map<number, TunOutcome>;
  readonly #waiting: Map<number, (outcome: TunOutcome) => void>;
  #asked: number;

  constructor() {
    this.#early = new Map();
    this.#waiting = new Map();
    this.#asked = 0;
  }

  /** The keeper's doing of this number has ended. */
  heard(number: number, outcome: TunOutcome): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) this.#early.set(number, outcome);
    else {
      this.#waiting.delete(number);
      waiting(outcome);
    }
  }

  /** `openTun` of a worker that is not the keeper: a device that brings nothing and is never sent to. */
  readonly open: OpenTun = async () => {
    await this.next();
    return new ShadowTun(this);
  };

  /** Waits for the next doing of the keeper; rejects as that did. */
  async next(): Promise<void> {
    const number = this.#asked++;
    const early = this.#early.get(number);
    this.#early.delete(number);
    const outcome =
      early === undefined ? await new Promise<TunOutcome>((done) => this.#waiting.set(number, done)) : early;
    if (outcome !== null) throw new ProblemError(outcome);
  }
}

class ShadowTun implements TunSocket {
  readonly gone = false;
  readonly #outcomes: TunOutcomes;

  constructor(outcomes: TunOutcomes) {
    this.#outcomes = outcomes;
  }

  configure(): Promise<void> {
    return this.#outcomes.next();
  }

  receive(into: FrameRows): number {
    into.count = 0;
    return 0;
  }

  send(): number {
    return 0;
  }

  onReadable(): void {}

  async close(): Promise<void> {}
}
