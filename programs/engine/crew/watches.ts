/**
 * Traces and captures over several workers, on the main thread: each watch is started on all of them, and what they see is joined in the
 * order of time. It ends everywhere when its reader has enough; what the workers still hold then is the last to come.
 */
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import type { TraceFilter, TraceRow } from '@vrouter/engine/control/trace-messages.ts';
import { PacketFilter } from '@vrouter/engine/trace/filter.ts';
import { CaptureJoin, HOLD_MS, TraceJoin } from '@vrouter/engine/trace/join.ts';
import { type CapturedPacket, CaptureWatch, type TraceWatch, Watch } from '@vrouter/engine/trace/watch.ts';
import { checkSnapLen, type WatchTarget } from '@vrouter/engine/trace/watching.ts';
import type { Order, Seen } from './messages.ts';

/** How often what waits is looked at. */
const RELEASE_MS = HOLD_MS / 2;

interface Running {
  readonly number: number;
  readonly join: TraceJoin | CaptureJoin;
  readonly ready: () => void;
  /** Workers that do not watch yet, and those that have not stopped. */
  starting: number;
  running: number;
  readonly started: (problemOrNone: 'started' | 'closing') => void;
  isEnding: boolean;
}

export interface CrewWatchesOptions {
  readonly workers: number;
  readonly linkExists: (name: string) => boolean;
  /** Says it to all workers, or to one. */
  tell(order: Order, worker?: number): void;
  unixMs(): number;
}

export class CrewWatches implements WatchTarget {
  readonly #options: CrewWatchesOptions;
  readonly #running: Map<number, Running>;
  #number: number;
  #timer: NodeJS.Timeout | null;
  #closed: boolean;

  constructor(options: CrewWatchesOptions) {
    this.#options = options;
    this.#running = new Map();
    this.#number = 0;
    this.#timer = null;
    this.#closed = false;
  }

  trace(filter: TraceFilter, ready: () => void): Result<TraceWatch> | Promise<Result<TraceWatch>> {
    const made = PacketFilter.of(filter, this.#options.linkExists);
    if (!made.ok) return made;
    const watch: TraceWatch = new Watch(made.value, ready);
    return this.#start(watch, new TraceJoin(watch), filter, null, ready);
  }

  capture(
    filter: TraceFilter,
    snapLen: number,
    ready: () => void,
  ): Result<CaptureWatch> | Promise<Result<CaptureWatch>> {
    const made = PacketFilter.of(filter, this.#options.linkExists);
    if (!made.ok) return made;
    const bad = checkSnapLen(snapLen);
    if (bad !== null) return err(bad);
    const watch = new CaptureWatch(made.value, snapLen, ready);
    return this.#start(watch, new CaptureJoin(watch), filter, snapLen, ready);
  }

  /** The watch is done when all workers have told the rest, in a moment. Safe to call again. */
  endWatch(watch: TraceWatch | CaptureWatch): void {
    for (const one of this.#running.values()) {
      if (one.join.watch !== watch || one.isEnding) continue;
      one.isEnding = true;
      this.#options.tell({ do: 'unwatch', number: one.number });
    }
  }

  /** A worker watches. */
  watching(number: number): void {
    const one = this.#running.get(number);
    if (one !== undefined && --one.starting === 0) one.started('started');
  }

  seen(worker: number, { number, rows, lost, last }: Seen): void {
    const one = this.#running.get(number);
    if (one === undefined) return;
    one.join.watch.lost += lost;
    if (one.join instanceof TraceJoin) one.join.add(rows as readonly TraceRow[]);
    else one.join.add(rows as readonly CapturedPacket[]);
    if (last) {
      if (--one.running === 0) this.#end(one);
    } else this.#options.tell({ do: 'more', number }, worker);
    if (one.join.waiting) this.#arm();
  }

  /** No worker will say any more. */
  close(): void {
    this.#closed = true;
    for (const one of this.#running.values()) {
      this.#end(one);
      one.started('closing');
    }
  }

  #start<W extends TraceWatch | CaptureWatch>(
    watch: W,
    join: TraceJoin | CaptureJoin,
    filter: TraceFilter,
    snapLen: number | null,
    ready: () => void,
  ): Promise<Result<W>> {
    const closing = (): Result<W> => err(problem('engine.unreachable', 'the engine is stopping'));
    if (this.#closed) return Promise.resolve(closing());
    const number = ++this.#number;
    const { workers } = this.#options;
    return new Promise((resolve) => {
      const started = (how: 'started' | 'closing'): void => resolve(how === 'started' ? ok(watch) : closing());
      this.#running.set(number, { number, join, ready, starting: workers, running: workers, started, isEnding: false });
      // How many are enough is known where all come together.
      const { count: _, ...rest } = filter;
      this.#options.tell({ do: 'watch', number, filter: rest, snapLen });
    });
  }

  #end(one: Running): void {
    this.#running.delete(one.number);
    one.join.release(this.#options.unixMs(), true);
    one.join.watch.end();
    one.ready();
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      const now = this.#options.unixMs();
      let waiting = false;
      for (const { join } of this.#running.values()) {
        join.release(now, false);
        waiting ||= join.waiting;
      }
      if (waiting) this.#arm();
    }, RELEASE_MS);
  }
}
