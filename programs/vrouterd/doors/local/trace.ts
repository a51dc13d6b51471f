/**
 * `GET /v1/trace` and `GET /v1/capture`: what the engine sees, as it sees it. Each has a connection to the engine of its own; a reader
 * that is too slow is passed on to the engine as a pause, and loses packets there, counted.
 */
import { captureQuery, type TraceEvent, type TraceQuery, traceQuery } from '@vrouter/api/gateway/gateway.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { TraceFilter, TraceRow } from '@vrouter/engine/control/trace-messages.ts';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AsideConnection } from '../../children/engine.ts';
import type { Daemon } from '../../daemon.ts';
import { CaptureFile } from './capture-file.ts';
import { PeerNames } from './peer-names.ts';
import { parsed } from './query.ts';

const DEFAULT_SNAP_LEN = 65_535;
/** Nobody waits longer for an engine to begin, ms: one that is stuck takes the connection and says nothing. */
const START_MS = 5000;

export async function traceRoute(daemon: Daemon, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const query = parsed(traceQuery.safeParse(request.query));
  const names = new PeerNames(daemon);
  const filter = filterOf(query, names);
  await stream(daemon, reply, 'text/event-stream', ({ client }, write, signal) =>
    client.trace(
      filter,
      (rows, lost) => {
        // The first piece is empty: it says that the engine looks from now on.
        if (rows.length === 0) write(': looking\n\n');
        for (const row of rows) write(`data: ${JSON.stringify(eventOf(row, lost, names))}\n\n`);
      },
      signal,
    ),
  );
}

export async function captureRoute(daemon: Daemon, request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const query = parsed(captureQuery.safeParse(request.query));
  const snapLen = query.snaplen ?? DEFAULT_SNAP_LEN;
  const filter = filterOf(query, new PeerNames(daemon));
  const file = new CaptureFile(query.format ?? 'pcap', snapLen);
  const type = query.format === 'pcapng' ? 'application/x-pcapng' : 'application/vnd.tcpdump.pcap';
  await stream(daemon, reply, type, ({ client }, write, signal) => {
    let begun = false;
    return client.capture(
      filter,
      snapLen,
      (rows) => {
        if (!begun) write(file.start());
        begun = true;
        for (const row of rows) for (const piece of file.packet(row)) write(piece);
      },
      signal,
    );
  });
}

/**
 * Runs a watch until it or its reader ends. What the engine refuses at once is an ordinary refusal, and so is that it does not begin
 * in time (`timeout`); the status is 200 from then on.
 */
async function stream(
  daemon: Daemon,
  reply: FastifyReply,
  contentType: string,
  run: (
    connection: AsideConnection,
    write: (piece: string | Uint8Array) => void,
    signal: AbortSignal,
  ) => Promise<{ readonly lost: number }>,
): Promise<void> {
  const gone = new AbortController();
  // Listened to before anything is awaited: a reader may be gone by then.
  reply.raw.on('close', () => gone.abort());
  const start = AbortSignal.timeout(START_MS);
  const connection = await daemon.engine.connectAside(AbortSignal.any([start, gone.signal]));
  const response = reply.raw;
  let hijacked = false;
  const write = (piece: string | Uint8Array): void => {
    if (!hijacked) {
      hijacked = true;
      reply.hijack();
      response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store', trailer: 'x-lost' });
    }
    if (!response.write(piece)) connection.pause();
  };
  response.on('drain', () => connection.resume());
  // A paused connection would never bring the last piece.
  gone.signal.addEventListener('abort', () => connection.resume());
  const late = (): void => {
    if (!hijacked) connection.client.close();
  };
  start.addEventListener('abort', late);
  if (start.aborted) late();
  try {
    const { lost } = await run(connection, write, gone.signal);
    if (!hijacked) return;
    response.addTrailers({ 'x-lost': String(lost) });
    response.end();
  } catch (thrown) {
    if (!hijacked) throw start.aborted ? new ProblemError(problem('timeout', 'the engine does not begin')) : thrown;
    // The engine went away in the middle: the stream ends without its last chunk, which readers take for what it is.
    response.destroy();
  } finally {
    connection.client.close();
  }
}

function eventOf(row: TraceRow, lost: number, names: PeerNames): TraceEvent {
  return {
    ...row,
    steps: row.steps.map(({ node, facts }) => ({ node, facts: { ...facts } })),
    peerName: names.nameOf(row.peer),
    outPeerName: names.nameOf(row.outPeer),
    lost,
  };
}

function filterOf(query: TraceQuery, names: PeerNames): TraceFilter {
  const filter: { -readonly [K in keyof TraceFilter]: TraceFilter[K] } = {};
  if (query.link !== undefined) filter.link = query.link;
  if (query.peer !== undefined) filter.peer = names.keyOf(query.peer);
  if (query.source !== undefined) filter.source = query.source;
  if (query.destination !== undefined) filter.destination = query.destination;
  if (query.protocol !== undefined) filter.protocol = query.protocol;
  if (query.port !== undefined) filter.port = query.port;
  if (query.drops !== undefined) filter.drops = query.drops;
  if (query.count !== undefined) filter.count = query.count;
  if (query.seconds !== undefined) filter.seconds = query.seconds;
  return filter;
}
