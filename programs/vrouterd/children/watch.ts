/**
 * Whether the engine still answers. A question goes out over a connection of its own; while it is unanswered, every look that follows
 * counts. Looks count rather than time, so that a machine that stood still (suspended, or busy beyond reason) blames nobody: this
 * daemon stood still with it.
 */

export interface Patience {
  /** Between two looks, ms. */
  readonly lookMs: number;
  /** Looks in a row without an answer until it is told. */
  readonly tellAfter: number;
  /** Looks in a row without an answer until it is given up. */
  readonly giveUpAfter: number;
}

/** Told after 30 s, given up after 60 s. A healthy engine under full load answers within milliseconds, in a long apply within seconds. */
export const defaultPatience: Patience = { lookMs: 5000, tellAfter: 6, giveUpAfter: 12 };

export interface WatchedEngine {
  /** Asks; resolves with any answer, and also when there is nobody: who is gone is not stuck. */
  ask(): Promise<void>;
  /** It has not answered for so long, ms. */
  silent(ms: number): void;
  /** It answers again. */
  back(): void;
  /** It is to be given up. Called once per question. */
  giveUp(ms: number): void;
}

export class EngineWatch {
  readonly #engine: WatchedEngine;
  readonly #patience: Patience;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #missed = 0;

  constructor(engine: WatchedEngine, patience: Patience = defaultPatience) {
    this.#engine = engine;
    this.#patience = patience;
  }

  /** Whether it has been told of as silent, and is. */
  get isSilent(): boolean {
    return this.#missed >= this.#patience.tellAfter;
  }

  /** Looks from now on. Idempotent. */
  start(): void {
    this.#timer ??= setInterval(() => this.#look(), this.#patience.lookMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const { lookMs, tellAfter, giveUpAfter } = this.#patience;
    if (!this.#asking) {
      this.#asking = true;
      void this.#engine.ask().then(() => this.#answered());
      return;
    }
    const ms = ++this.#missed * lookMs;
    if (this.#missed === tellAfter) this.#engine.silent(ms);
    if (this.#missed === giveUpAfter) this.#engine.giveUp(ms);
  }

  #answered(): void {
    const { tellAfter, giveUpAfter } = this.#patience;
    if (this.#missed >= tellAfter && this.#missed < giveUpAfter) this.#engine.back();
    this.#asking = false;
    this.#missed = 0;
  }
}
