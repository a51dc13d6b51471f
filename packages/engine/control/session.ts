/**
 * One client of the engine: requests in, replies out, one after the other. No I/O; the program moves the bytes and decides when to
 * read on, so a client that does not read its replies only stops itself.
 */
import { type Problem, problem, toProblem } from '@vrouter/core/problem.ts';
import { encodeFrame } from './frame.ts';
import type {
  Action,
  ControlReply,
  CountersReply,
  DumpRow,
  Hello,
  MachineFacts,
  NatSessionsReply,
  NeighboursReply,
  RowId,
} from './messages.ts';
import { CONTROL_VERSION } from './messages.ts';
import { noId, type ParsedRequest, parseAction, parseRequest, requestId } from './parse.ts';
import type { StreamRequest, Streams } from './streams.ts';

/** The engine as a session sees it. */
export interface ControlTarget {
  readonly epoch: string;
  apply(actions: readonly Action[]): Promise<(Problem | null)[]>;
  /** Hands over all rows, or those of the named that exist, page by page. */
  look(only: readonly RowId[] | undefined, page: (rows: readonly DumpRow[]) => void): Promise<void>;
  counters(): CountersReply;
  natSessions(limit: number): NatSessionsReply | Promise<NatSessionsReply>;
  neighbours(limit: number): NeighboursReply | Promise<NeighboursReply>;
}

/** What a session does with a message: replies to send in order, and whether to go on. */
export interface Outcome {
  /** Replies, or frames that are text already: with more than one, packets are to have a turn between them. */
  readonly replies: Iterable<ControlReply | Uint8Array>;
  /** `close`: this client speaks another language. `stop`: it asked the engine to end; send the replies first. */
  readonly next: 'continue' | 'close' | 'stop';
}

/** What the engine says first to everybody. */
export function hello(
  version: string,
  pid: number,
  epoch: string,
  more: { readonly machine?: MachineFacts; readonly stats?: readonly string[] } = {},
): Hello {
  return { type: 'hello', controlVersion: CONTROL_VERSION, version, pid, epoch, ...more };
}

export class ControlSession {
  readonly #target: ControlTarget;

  constructor(target: ControlTarget) {
    this.#target = target;
  }

  /** Never rejects: what goes wrong is a reply. `streams` are those of this client, which answer a trace or capture themselves. */
  async handle(message: unknown, streams: Streams | null = null): Promise<Outcome> {
    const id = requestId(message);
    if (id === null) return this.refuse(noId());
    const request = parseRequest(message);
    if (!request.ok) return { replies: [failed(id, request.error)], next: 'continue' };
    try {
      return await this.#do(request.value, streams);
    } catch (thrown) {
      return { replies: [failed(id, toProblem(thrown))], next: 'continue' };
    }
  }

  /** The last words to a client that sent something else than requests. */
  refuse(error: Problem): Outcome {
    return { replies: [failed(0, error)], next: 'close' };
  }

  async #do(request: ParsedRequest, streams: Streams | null): Promise<Outcome> {
    const { id } = request;
    switch (request.method) {
      case 'apply':
        return {
          replies: [{ type: 'reply', id, ok: true, results: await this.#apply(request.actions) }],
          next: 'continue',
        };
      case 'dump':
        return { replies: await this.#pages(id, request.only), next: 'continue' };
      case 'counters':
        return { replies: [{ type: 'reply', id, ok: true, counters: this.#target.counters() }], next: 'continue' };
      case 'natSessions':
        return {
          replies: [{ type: 'reply', id, ok: true, natSessions: await this.#target.natSessions(request.limit) }],
          next: 'continue',
        };
      case 'neighbours':
        return {
          replies: [{ type: 'reply', id, ok: true, neighbours: await this.#target.neighbours(request.limit) }],
          next: 'continue',
        };
      case 'trace':
      case 'capture':
        return { replies: await started(request, streams), next: 'continue' };
      case 'cancel':
        streams?.cancel(request.stream);
        return { replies: [{ type: 'reply', id, ok: true }], next: 'continue' };
      case 'stop':
        return { replies: [{ type: 'reply', id, ok: true }], next: 'stop' };
    }
  }

  /**
   * Rows become text page by page, as they are made: thousands of rows kept as objects would live through collections of garbage, which
   * stop packets for as long as the tables are large.
   */
  async #pages(id: number, only?: readonly RowId[]): Promise<readonly (ControlReply | Uint8Array)[]> {
    const frames: (ControlReply | Uint8Array)[] = [];
    let last: readonly DumpRow[] | null = null;
    await this.#target.look(only, (rows) => {
      if (last !== null) frames.push(encodeFrame({ type: 'reply', id, ok: true, rows: last, more: true }));
      last = rows;
    });
    frames.push({ type: 'reply', id, ok: true, rows: last ?? [] });
    return frames;
  }

  /** Malformed actions are answered in their place; the others are done. */
  async #apply(raw: readonly unknown[]): Promise<readonly (Problem | null)[]> {
    const parsed = raw.map(parseAction);
    const done = await this.#target.apply(parsed.filter((one) => one.ok).map((one) => one.value));
    let next = 0;
    return parsed.map((one) => (one.ok ? (done[next++] ?? null) : one.error));
  }
}

async function started(request: StreamRequest, streams: Streams | null): Promise<readonly ControlReply[]> {
  const refused =
    streams === null
      ? problem('input.invalid', 'this connection carries no watches', 'method')
      : await streams.open(request);
  return refused === null ? [] : [failed(request.id, refused)];
}

function failed(id: number, error: Problem): ControlReply {
  return { type: 'reply', id, ok: false, error };
}

/** What a client hears when there are too many of them. */
export function tooMany(limit: number): ControlReply {
  return failed(0, problem('engine.unreachable', `the engine serves ${limit} clients already`));
}
