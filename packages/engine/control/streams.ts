/**
 * The watches of one client: rows go out as they come, under the id of the request, until the limits of the filter, `cancel` or the end
 * of the connection. No I/O: whoever owns the connection says when it has room. While it has none, rows wait in the watch, which is
 * bounded and counts what it loses.
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { CaptureWatch, TraceWatch } from '../trace/watch.ts';
import type { WatchTarget } from '../trace/watching.ts';
import type { ControlReply } from './messages.ts';
import type { ParsedRequest } from './parse.ts';
import type { CaptureRow, TraceRow } from './trace-messages.ts';

/** Watches of one client at once. */
const MAX_STREAMS = 8;
/** Rows and bytes of packets in one frame. */
const ROWS_PER_FRAME = 256;
const BYTES_PER_FRAME = 1 << 20;

export interface StreamHost {
  /** Hands a reply over. False: no more for now, `Streams.drained` will be called. */
  send(reply: ControlReply): boolean;
  /** Has the function called soon, once, after the packets at hand. */
  soon(callback: () => void): void;
  /** Has the function called after this time; answers how to prevent it. */
  after(ms: number, callback: () => void): () => void;
}

export type StreamRequest = Extract<ParsedRequest, { readonly method: 'trace' | 'capture' }>;

type Stream = { readonly cancelAlarm: () => void } & (
  | { readonly is: 'trace'; readonly watch: TraceWatch }
  | { readonly is: 'capture'; readonly watch: CaptureWatch }
);

export class Streams {
  readonly #target: WatchTarget;
  readonly #host: StreamHost;
  readonly #streams: Map<number, Stream>;
  /** Those that are being started. */
  readonly #opening: Set<number>;
  #closed: boolean;
  #blocked: boolean;
  #scheduled: boolean;

  constructor(target: WatchTarget, host: StreamHost) {
    this.#target = target;
    this.#host = host;
    this.#streams = new Map();
    this.#opening = new Set();
    this.#closed = false;
    this.#blocked = false;
    this.#scheduled = false;
  }

  /** Starts a watch and answers with a first, empty piece, when everybody who moves packets watches; else says why not. */
  async open(request: StreamRequest): Promise<Problem | null> {
    const { id, filter } = request;
    if (this.#streams.has(id) || this.#opening.has(id))
      return problem('input.invalid', `request ${id} is still being answered`, 'id');
    if (this.#streams.size + this.#opening.size >= MAX_STREAMS)
      return problem('request.limited', `at most ${MAX_STREAMS} watches at once`, 'method');
    const ready = (): void => this.#wake();
    this.#opening.add(id);
    const made = await (request.method === 'trace'
      ? this.#target.trace(filter, ready)
      : this.#target.capture(filter, request.snapLen, ready));
    this.#opening.delete(id);
    if (!made.ok) return made.error;
    if (this.#closed) {
      this.#target.endWatch(made.value);
      return null;
    }
    const seconds = filter.seconds ?? 0;
    const cancelAlarm = seconds === 0 ? () => {} : this.#host.after(seconds * 1000, () => this.cancel(id));
    this.#streams.set(
      id,
      request.method === 'trace'
        ? { is: 'trace', watch: made.value as TraceWatch, cancelAlarm }
        : { is: 'capture', watch: made.value as CaptureWatch, cancelAlarm },
    );
    this.#put(piece(id, this.#streams.get(id)!, [], true));
    // What has come while it was being started was told to nobody.
    this.#wake();
    return null;
  }

  /** Ends a watch; what has come already still goes out, and then its last piece. Nothing happens when there is none. */
  cancel(id: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#target.endWatch(stream.watch);
    this.#wake();
  }

  /** The connection has room again. */
  drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  /** The connection has ended. */
  close(): void {
    this.#closed = true;
    for (const { watch, cancelAlarm } of this.#streams.values()) {
      cancelAlarm();
      this.#target.endWatch(watch);
    }
    this.#streams.clear();
  }

  #wake(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#host.soon(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    for (const [id, stream] of this.#streams) {
      if (this.#blocked) return;
      const done = stream.watch.done;
      const rows: readonly (TraceRow | CaptureRow)[] =
        stream.is === 'trace' ? stream.watch.take() : stream.watch.take().map(captureRow);
      for (const part of parts(rows)) this.#put(piece(id, stream, part, true));
      if (!done) continue;
      stream.cancelAlarm();
      this.#target.endWatch(stream.watch);
      this.#streams.delete(id);
      this.#put(piece(id, stream, [], false));
    }
  }

  #put(reply: ControlReply): void {
    if (!this.#host.send(reply)) this.#blocked = true;
  }
}

function piece(id: number, stream: Stream, rows: readonly (TraceRow | CaptureRow)[], more: boolean): ControlReply {
  const head = { type: 'reply', id, ok: true } as const;
  const tail = { lost: stream.watch.lost, ...(more ? { more: true as const } : {}) };
  return stream.is === 'trace'
    ? { ...head, traced: rows as readonly TraceRow[], ...tail }
    : { ...head, captured: rows as readonly CaptureRow[], ...tail };
}

function captureRow(packet: ReturnType<CaptureWatch['take']>[number]): CaptureRow {
  return { ...packet, data: packet.data.toBase64() };
}

function* parts<T extends TraceRow | CaptureRow>(rows: readonly T[]): Iterable<readonly T[]> {
  let from = 0;
  let bytes = 0;
  for (const [i, row] of rows.entries()) {
    bytes += 'data' in row ? row.data.length : 0;
    if (i + 1 - from < ROWS_PER_FRAME && bytes < BYTES_PER_FRAME) continue;
    yield rows.slice(from, i + 1);
    from = i + 1;
    bytes = 0;
  }
  if (from < rows.length) yield rows.slice(from);
}
