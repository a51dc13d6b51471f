/**
 * The engine on several threads, seen from the control socket: actions go to all workers in the same order, rows of peers come from
 * their owners, counters are read where they lie. The main thread moves no packets.
 */
import { Worker } from 'node:worker_threads';
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';
import type {
  Action,
  CountersReply,
  DumpRow,
  NatSessionsReply,
  NeighboursReply,
  RowId,
} from '@vrouter/engine/control/messages.ts';
import type { TraceFilter } from '@vrouter/engine/control/trace-messages.ts';
import { ROWS_PER_PAGE, type TakePage } from '@vrouter/engine/engine.ts';
import { defaultNatSettings } from '@vrouter/engine/nat/settings.ts';
import { type ReadStats, readCounters, readLinkNames } from '@vrouter/engine/stats/reader.ts';
import { limitsOf } from '@vrouter/engine/tables/nat.ts';
import type { CaptureWatch, TraceWatch } from '@vrouter/engine/trace/watch.ts';
import { makeBells } from '@vrouter/engine/workers/bell.ts';
import { joinResults, joinRows } from '@vrouter/engine/workers/join-rows.ts';
import { makeRing } from '@vrouter/engine/workers/ring.ts';
import { keeperOf, RING_BYTES, type Share } from '@vrouter/engine/workers/share.ts';
import { type StatsMemory, statsReader } from '../stats.ts';
import type { Machine } from './machine.ts';
import type { Birth, Order, Report } from './messages.ts';
import { SocketGroups } from './sockets.ts';
import { CrewWatches } from './watches.ts';

/** How long workers may take to close their sockets when something has failed. */
const ABANDON_MS = 1000;

export interface CrewOptions {
  readonly epoch: string;
  /** Where each of them counts, which also says how many there are. */
  readonly stats: readonly StatsMemory[];
  /** A worker failed or ended by itself: a bug, after which nobody can vouch for the tables. Called once. */
  readonly onFailure: (thrown: Error) => void;
  /** The program of a worker; tests have others. */
  readonly thread?: URL;
}

interface Waiting<T> {
  readonly answers: (T | null)[];
  missing: number;
  readonly done: (answers: readonly T[]) => void;
}

export class Crew implements Machine {
  readonly epoch: string;
  readonly workers: number;
  readonly #options: CrewOptions;
  readonly #workers: Worker[];
  readonly #ended: Promise<void>[];
  readonly #sockets: SocketGroups;
  readonly #stats: readonly ReadStats[];
  #notReady: number;
  readonly #applies: Map<number, Waiting<readonly (Problem | null)[]>>;
  readonly #dumps: Map<number, Waiting<readonly DumpRow[]>>;
  /** Rows that have come of dumps that have not ended, by dump and worker. */
  readonly #pages: Map<string, DumpRow[]>;
  readonly #natSessions: Map<number, (reply: NatSessionsReply) => void>;
  readonly #neighbours: Map<number, (reply: NeighboursReply) => void>;
  readonly #watches: CrewWatches;
  readonly #keeper: number;
  #id: number;
  #closing: boolean;
  #failed: boolean;
  readonly #failure: PromiseWithResolvers<void>;
  #allReady: () => void;

  constructor(options: CrewOptions) {
    this.epoch = options.epoch;
    this.workers = options.stats.length;
    this.#options = options;
    this.#workers = [];
    this.#ended = [];
    this.#sockets = new SocketGroups(options.stats.length);
    this.#stats = options.stats.map(statsReader);
    this.#notReady = options.stats.length;
    this.#applies = new Map();
    this.#dumps = new Map();
    this.#pages = new Map();
    this.#natSessions = new Map();
    this.#neighbours = new Map();
    this.#watches = new CrewWatches({
      workers: options.stats.length,
      linkExists: (name) => readLinkNames(this.#stats[this.#keeper]!)?.includes(name) === true,
      tell: (order, worker) => (worker === undefined ? this.#tell(order) : this.#workers[worker]!.postMessage(order)),
      unixMs: () => Date.now(),
    });
    this.#keeper = keeperOf(options.stats.length);
    this.#id = 0;
    this.#closing = false;
    this.#failed = false;
    this.#failure = Promise.withResolvers();
    this.#allReady = () => {};
  }

  /** Starts the threads; resolves when all of them are ready. */
  async start(): Promise<void> {
    const { workers } = this;
    const { stats, epoch, thread = new URL('thread.ts', import.meta.url) } = this.#options;
    const ready = new Promise<void>((resolve) => {
      this.#allReady = resolve;
    });
    const bells = makeBells(workers);
    const rings = Array.from({ length: workers }, (_, from) =>
      Array.from({ length: workers }, (_, to) => (from === to ? null : makeRing(RING_BYTES))),
    );
    for (let index = 0; index < workers; index++) {
      const share: Share = { index, workers, bells, rings };
      const birth: Birth = { epoch, share, stats: stats[index]! };
      const worker = new Worker(thread, { workerData: birth, name: `worker ${index}` });
      worker.on('message', (report: Report) => this.#heard(index, report));
      // Said by the thread itself as a rule; a busy machine may tell of its end first.
      worker.on('error', (thrown) =>
        this.#failedIn(index, thrown instanceof Error ? thrown : new Error(String(thrown))),
      );
      const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
      worker.once('exit', (code) => {
        if (!this.#closing) this.#fail(new Error(`worker ${index} ended by itself with code ${code}`));
      });
      this.#workers.push(worker);
      this.#ended.push(ended);
    }
    await ready;
  }

  /** As `Engine.apply`. The workers have the same tables, so they agree; the first problem is the answer. */
  apply(actions: readonly Action[]): Promise<(Problem | null)[]> {
    if (this.#closing)
      return Promise.resolve(actions.map(() => problem('engine.unreachable', 'the engine is stopping')));
    return this.#orWhenFailed(
      new Promise((resolve) => {
        const id = this.#expect(this.#applies, (answers) => resolve(joinResults(actions.length, answers)));
        this.#tell({ do: 'apply', id, actions });
      }),
      () => actions.map(() => problem('engine.unreachable', 'a worker of the engine has failed')),
    );
  }

  /** All rows, or those of the named that exist. */
  dump(only?: readonly RowId[]): Promise<DumpRow[]> {
    if (this.#closing) return Promise.resolve([]);
    return this.#orWhenFailed(
      new Promise<DumpRow[]>((resolve) => {
        const id = this.#expect(this.#dumps, (answers) => resolve(joinRows(answers, this.#options.stats.length)));
        this.#tell({ do: 'dump', id, only: only ?? null });
      }),
      () => [],
    );
  }

  /** As `dump`, page by page; this thread moves no packets. */
  async look(only: readonly RowId[] | undefined, page: TakePage): Promise<void> {
    const rows = await this.dump(only);
    for (let at = 0; at < rows.length; at += ROWS_PER_PAGE) page(rows.slice(at, at + ROWS_PER_PAGE));
  }

  /** Asks nobody. */
  counters(): CountersReply {
    const counters = readCounters(this.#stats);
    if (counters === null) throw new ProblemError(problem('timeout', 'the counters are being changed; ask again'));
    return counters;
  }

  /** The keeper's: nobody else has any. */
  natSessions(limit: number): Promise<NatSessionsReply> {
    if (this.#closing) {
      const limits = limitsOf(defaultNatSettings);
      return Promise.resolve({ total: 0, hosts: 0, mostOfHost: 0, limits, bytes: 0, sessions: [] });
    }
    return new Promise((resolve) => {
      const id = ++this.#id;
      this.#natSessions.set(id, resolve);
      this.#workers[this.#keeper]!.postMessage({ do: 'natSessions', id, limit } satisfies Order);
    });
  }

  /** The keeper's, as the ports are. */
  neighbours(limit: number): Promise<NeighboursReply> {
    if (this.#closing) return Promise.resolve({ ports: [], total: 0, neighbours: [] });
    return new Promise((resolve) => {
      const id = ++this.#id;
      this.#neighbours.set(id, resolve);
      this.#workers[this.#keeper]!.postMessage({ do: 'neighbours', id, limit } satisfies Order);
    });
  }

  trace(filter: TraceFilter, ready: () => void): Result<TraceWatch> | Promise<Result<TraceWatch>> {
    return this.#watches.trace(filter, ready);
  }

  capture(
    filter: TraceFilter,
    snapLen: number,
    ready: () => void,
  ): Result<CaptureWatch> | Promise<Result<CaptureWatch>> {
    return this.#watches.capture(filter, snapLen, ready);
  }

  endWatch(watch: TraceWatch | CaptureWatch): void {
    this.#watches.endWatch(watch);
  }

  /** Lets every worker finish what it was asked for, close its sockets, erase its keys and end. Safe to call again. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#tell({ do: 'close' });
      this.#watches.close();
    }
    await Promise.all(this.#ended);
    this.#sockets.close();
  }

  /** As `close`, for the time that is left when something has failed: a thread that ends with a readable socket crashes the process. */
  async abandon(): Promise<void> {
    const late = new Promise<void>((resolve) => setTimeout(resolve, ABANDON_MS));
    await Promise.race([this.close(), late]);
  }

  #heard(index: number, report: Report): void {
    switch (report.is) {
      case 'ready':
        if (--this.#notReady === 0) this.#allReady();
        return;
      case 'applied':
        answer(this.#applies, report.id, index, report.results);
        return;
      case 'rows':
        this.#gather(index, report);
        return;
      case 'natSessions':
        this.#natSessions.get(report.id)!(report.reply);
        this.#natSessions.delete(report.id);
        return;
      case 'neighbours':
        this.#neighbours.get(report.id)!(report.reply);
        this.#neighbours.delete(report.id);
        return;
      case 'tunDone':
        for (const [other, worker] of this.#workers.entries())
          if (other !== index)
            worker.postMessage({ do: 'tunDone', number: report.number, outcome: report.outcome } satisfies Order);
        return;
      case 'watching':
        this.#watches.watching(report.number);
        return;
      case 'seen':
        this.#watches.seen(index, report);
        return;
      case 'open': {
        const { number } = report;
        const order: Order = { do: 'opened', number, socket: this.#sockets.take(index, number, report) };
        this.#workers[index]!.postMessage(order);
        return;
      }
      case 'failed': {
        this.#failedIn(index, report);
        return;
      }
      default:
        report satisfies never;
    }
  }

  #gather(index: number, { id, rows, more }: Extract<Report, { is: 'rows' }>): void {
    const key = `${id} ${index}`;
    const known = this.#pages.get(key) ?? [];
    for (const row of rows) known.push(row);
    if (more) this.#pages.set(key, known);
    else {
      this.#pages.delete(key);
      answer(this.#dumps, id, index, known);
    }
  }

  #tell(order: Order): void {
    for (const worker of this.#workers) worker.postMessage(order);
  }

  #expect<T>(where: Map<number, Waiting<T>>, done: (answers: readonly T[]) => void): number {
    const id = ++this.#id;
    const { workers } = this;
    where.set(id, { answers: new Array<T | null>(workers).fill(null), missing: workers, done });
    return id;
  }

  #failedIn(
    index: number,
    { message, stack }: { readonly message: string; readonly stack?: string | undefined },
  ): void {
    const thrown = new Error(`worker ${index}: ${message}`);
    if (stack !== undefined) thrown.stack = stack;
    this.#fail(thrown);
  }

  /** A worker that is gone answers nobody, and whoever waits for it would wait for ever. */
  #orWhenFailed<T>(answer: Promise<T>, otherwise: () => T): Promise<T> {
    return Promise.race([answer, this.#failure.promise.then(otherwise)]);
  }

  #fail(thrown: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure.resolve();
    this.#options.onFailure(thrown);
  }
}

function answer<T>(where: Map<number, Waiting<T>>, id: number, index: number, value: T): void {
  const waiting = where.get(id)!;
  waiting.answers[index] = value;
  if (--waiting.missing > 0) return;
  where.delete(id);
  waiting.done(waiting.answers as readonly T[]);
}
