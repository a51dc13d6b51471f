/** The other end of the control socket, for drivers and tests. Pure: whoever connects hands in the stream. */
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import { encodeFrame, FrameDecoder } from './frame.ts';
import {
  type Action,
  CONTROL_VERSION,
  type ControlReply,
  type CountersReply,
  type DumpRow,
  type Hello,
  type NatSessionsReply,
  type NeighboursReply,
  type RowId,
} from './messages.ts';
import type { CaptureRow, TraceFilter, TraceRow } from './trace-messages.ts';

/** A connected stream of bytes. `onData` and `onClose` are set once, by the client. Writes after the end may be ignored. */
export interface ByteStream {
  write(bytes: Uint8Array): void;
  onData(callback: (chunk: Uint8Array) => void): void;
  /** Called once when the stream has ended, whoever ended it. */
  onClose(callback: () => void): void;
  close(): void;
}

/** What a watch needs of an AbortSignal. */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', callback: () => void): void;
  removeEventListener(type: 'abort', callback: () => void): void;
}

/** Far below what a frame or a request may hold, and parsed before a packet has waited long. */
const ACTIONS_PER_REQUEST = 250;
const NAMES_PER_REQUEST = 250;

/** What a request is without its id. */
type Body =
  | { readonly method: 'apply'; readonly actions: readonly Action[] }
  | { readonly method: 'dump'; readonly only?: readonly RowId[] }
  | { readonly method: 'counters' }
  | { readonly method: 'natSessions' | 'neighbours'; readonly limit: number }
  | { readonly method: 'trace'; readonly filter: TraceFilter }
  | { readonly method: 'capture'; readonly filter: TraceFilter; readonly snapLen: number }
  | { readonly method: 'cancel'; readonly stream: number }
  | { readonly method: 'stop' };

type Reply = Extract<ControlReply, { ok: true }>;

/** A piece of a trace or a capture. */
type Piece = Extract<Reply, { lost: number }>;

interface Waiting {
  readonly rows: DumpRow[];
  /** For what comes in pieces. */
  readonly piece: ((piece: Piece) => void) | null;
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: ProblemError) => void;
}

/** Every call rejects with ProblemError: `engine.unreachable` once the stream has ended, else what the engine answered. */
export class EngineClient {
  /** The engine's first words. Rejects when the stream ends before, or speaks another version (`engine.protocol`). */
  readonly hello: Promise<Hello>;
  /** Resolves when the stream has ended. */
  readonly closed: Promise<void>;
  readonly #stream: ByteStream;
  readonly #decoder: FrameDecoder;
  readonly #waiting: Map<number, Waiting>;
  readonly #greet: { resolve(hello: Hello): void; reject(error: ProblemError): void };
  readonly #end: () => void;
  #nextId: number;
  #failed: Problem | null;

  constructor(stream: ByteStream) {
    const greeting = Promise.withResolvers<Hello>();
    const ending = Promise.withResolvers<void>();
    // A client that only watches for the end need not look at the greeting.
    greeting.promise.catch(() => null);
    this.hello = greeting.promise;
    this.closed = ending.promise;
    this.#stream = stream;
    this.#decoder = new FrameDecoder();
    this.#waiting = new Map();
    this.#greet = greeting;
    this.#end = () => ending.resolve();
    this.#nextId = 1;
    this.#failed = null;
    stream.onData((chunk) => this.#data(chunk));
    stream.onClose(() => {
      this.#fail(problem('engine.unreachable', 'the connection to the engine has ended'));
      this.#end();
    });
  }

  /** One answer per action: null when done, else why not. Many actions go in several requests, one after the other. */
  async apply(actions: readonly Action[]): Promise<readonly (Problem | null)[]> {
    const results: (Problem | null)[] = [];
    for (let at = 0; at < actions.length; at += ACTIONS_PER_REQUEST) {
      const part = actions.slice(at, at + ACTIONS_PER_REQUEST);
      const reply = await this.#ask({ method: 'apply', actions: part });
      if (!('results' in reply) || reply.results.length !== part.length) throw this.#nonsense();
      for (const result of reply.results) results.push(result);
    }
    return results;
  }

  /** All rows as of one moment between actions; or those of the named that exist, many by several requests. */
  async dump(only?: readonly RowId[]): Promise<readonly DumpRow[]> {
    if (only === undefined) return this.#rows({ method: 'dump' });
    const rows: DumpRow[] = [];
    for (let at = 0; at < only.length; at += NAMES_PER_REQUEST) {
      const part = await this.#rows({ method: 'dump', only: only.slice(at, at + NAMES_PER_REQUEST) });
      for (const row of part) rows.push(row);
    }
    return rows;
  }

  async #rows(body: Body): Promise<readonly DumpRow[]> {
    const reply = await this.#ask(body);
    if ('rows' in reply) return reply.rows;
    throw this.#nonsense();
  }

  async counters(): Promise<CountersReply> {
    const reply = await this.#ask({ method: 'counters' });
    if ('counters' in reply) return reply.counters;
    throw this.#nonsense();
  }

  /** Ethernet ports, and at most `limit` (1000) of their neighbours. */
  async neighbours(limit: number): Promise<NeighboursReply> {
    const reply = await this.#ask({ method: 'neighbours', limit });
    if ('neighbours' in reply) return reply.neighbours;
    throw this.#nonsense();
  }

  /** NAT sessions, at most `limit` (1000) of them, and how many there are. */
  async natSessions(limit: number): Promise<NatSessionsReply> {
    const reply = await this.#ask({ method: 'natSessions', limit });
    if ('natSessions' in reply) return reply.natSessions;
    throw this.#nonsense();
  }

  /**
   * Packets that match, each with the nodes that it visits, until the limits of the filter or the signal. `onRows` is called first
   * without rows, when the engine has begun to look. Resolves with how many rows were lost because they were not read in time.
   */
  trace(
    filter: TraceFilter,
    onRows: (rows: readonly TraceRow[], lost: number) => void,
    signal: CancelSignal,
  ): Promise<{ readonly lost: number }> {
    return this.#watch({ method: 'trace', filter }, signal, (piece) => {
      if (!('traced' in piece)) throw this.#nonsense();
      onRows(piece.traced, piece.lost);
    });
  }

  /** Packets themselves, as they come in, go out or are dropped; at most `snapLen` bytes of each. Otherwise like `trace`. */
  capture(
    filter: TraceFilter,
    snapLen: number,
    onRows: (rows: readonly CaptureRow[], lost: number) => void,
    signal: CancelSignal,
  ): Promise<{ readonly lost: number }> {
    return this.#watch({ method: 'capture', filter, snapLen }, signal, (piece) => {
      if (!('captured' in piece)) throw this.#nonsense();
      onRows(piece.captured, piece.lost);
    });
  }

  /** Resolves when the engine has understood; it ends a moment later (see `closed`). */
  async stop(): Promise<void> {
    await this.#ask({ method: 'stop' });
  }

  close(): void {
    this.#stream.close();
  }

  async #watch(body: Body, signal: CancelSignal, piece: (piece: Piece) => void): Promise<{ readonly lost: number }> {
    if (signal.aborted) return { lost: 0 };
    const stream = this.#nextId;
    const ended = this.#ask(body, piece);
    const cancel = (): void => void this.#ask({ method: 'cancel', stream }).catch(() => null);
    signal.addEventListener('abort', cancel);
    try {
      const last = await ended;
      return { lost: 'lost' in last ? last.lost : 0 };
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  #ask(body: Body, piece: ((piece: Piece) => void) | null = null): Promise<Reply> {
    if (this.#failed !== null) return Promise.reject(new ProblemError(this.#failed));
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.#waiting.set(id, { rows: [], piece, resolve, reject });
    this.#stream.write(encodeFrame({ id, ...body }));
    return promise;
  }

  #data(chunk: Uint8Array): void {
    this.#decoder.push(chunk);
    for (let next = this.#decoder.next(); next !== null && this.#failed === null; next = this.#decoder.next()) {
      if (next.ok) this.#message(next.value as Hello | ControlReply);
      else this.#hangUp(next.error);
    }
  }

  /** The engine is our own program, so its messages are believed once their envelope is right. */
  #message(message: Hello | ControlReply): void {
    if (message?.type === 'hello') {
      if (message.controlVersion === CONTROL_VERSION) this.#greet.resolve(message);
      else this.#hangUp(problem('engine.protocol', `the engine speaks version ${message.controlVersion}`));
      return;
    }
    const waiting = message?.type === 'reply' ? this.#waiting.get(message.id) : undefined;
    if (waiting === undefined) {
      // Id 0 is nobody's: the engine's last words before it hangs up.
      if (message?.type === 'reply' && !message.ok) this.#hangUp(message.error);
      else this.#hangUp(problem('engine.protocol', 'the engine answered what nobody asked'));
      return;
    }
    if (message.ok && 'rows' in message) {
      for (const row of message.rows) waiting.rows.push(row);
      if (message.more === true) return;
    }
    if (message.ok && 'lost' in message && waiting.piece !== null) {
      if (message.more === true) {
        waiting.piece(message);
        return;
      }
    }
    this.#waiting.delete(message.id);
    if (!message.ok) waiting.reject(new ProblemError(message.error));
    else waiting.resolve('rows' in message ? { ...message, rows: waiting.rows } : message);
  }

  #nonsense(): ProblemError {
    const what = problem('engine.protocol', 'the answer of the engine is not of the kind that was asked for');
    this.#hangUp(what);
    return new ProblemError(what);
  }

  #hangUp(what: Problem): void {
    this.#fail(what);
    this.#stream.close();
  }

  #fail(what: Problem): void {
    this.#failed ??= what;
    const error = new ProblemError(this.#failed);
    this.#greet.reject(error);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
