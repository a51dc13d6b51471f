/**
 * gRPC over HTTP/2, as clients of the older router know it: no compression, messages of up to 4 MiB, 12 for a method that is not there, 13 for
 * bytes that are no message. A connection is never closed for its age or for being idle.
 */
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { Code, createConnectRouter } from '@connectrpc/connect';
import type { UniversalHandler, UniversalServerResponse } from '@connectrpc/connect/protocol';
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node';
import { RouterService } from '@vrouter/api/router/gen/router_pb.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import type { Logger } from 'pino';
import { unlessAborted } from '../intents/unless-aborted.ts';
import { Held, type Room, Rooms } from './room.ts';
import type { RouterCalls } from './service.ts';
import { Turns } from './turns.ts';

/** Of one message. */
const MESSAGE_BYTES = 4 * 1024 * 1024;
const STATUS = 'grpc-status';
/** A timer takes no more, and goes off at once: 24 days. No call lasts so long, so such a deadline is none. */
const TIMER_MAX_MS = 2 ** 31 - 1;
/** Units of grpc-timeout, ms, as far as eight digits of them come to more than a timer takes. */
const longUnits = { H: 3_600_000, M: 60_000, S: 1000 } as const;

export type Http2Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

export function grpcHandler(calls: RouterCalls, log: Logger): Http2Handler {
  const router = createConnectRouter({
    grpc: true,
    grpcWeb: false,
    connect: false,
    acceptCompression: [],
    readMaxBytes: MESSAGE_BYTES,
  });
  router.service(RouterService, {
    createVLAN: (request, { signal }) => unlessAborted(signal, () => calls.createVlan(request, signal)),
    deleteVLAN: (request, { signal }) => unlessAborted(signal, () => calls.deleteVlan(request, signal)),
    configureNAT: (request, { signal }) => unlessAborted(signal, () => calls.configureNat(request, signal)),
    removeNAT: (request, { signal }) => unlessAborted(signal, () => calls.removeNat(request, signal)),
    configureDNS: (request, { signal }) => unlessAborted(signal, () => calls.configureDns(request, signal)),
    addPortMapping: (request, { signal }) => unlessAborted(signal, () => calls.addPortMapping(request, signal)),
    removePortMapping: (request, { signal }) => unlessAborted(signal, () => calls.removePortMapping(request, signal)),
    listVLANs: (request, { signal }) => unlessAborted(signal, () => calls.listVlans(request)),
    getHealth: () => calls.health(),
  });
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  const turns = new Turns();
  const rooms = new Rooms();
  const begin = (handler: UniversalHandler, request: Http2ServerRequest, response: Http2ServerResponse): void => {
    // Who went while it waited is not served: nobody would tell of it any more.
    const { session, destroyed } = response.stream;
    if (destroyed || session === undefined) return;
    serve(handler, request, response, rooms.of(session)).catch((thrown: unknown) => {
      // The client has gone, mostly.
      log.debug({ path: request.url, why: toProblem(thrown).message }, 'a call was cut off');
      if (!response.stream.destroyed) response.stream.close();
    });
  };
  return (request, response) => {
    const handler = handlers.get(request.url);
    if (handler === undefined) refuseMethod(request, response);
    else if (handler.method === RouterService.method.getHealth) begin(handler, request, response);
    else turns.begin(() => begin(handler, request, response));
  };
}

async function serve(
  handler: UniversalHandler,
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  room: Room,
): Promise<void> {
  // Of a socket that is no network's, clients say whatever they like here, or nothing; it must be a host to be read at all.
  request.headers[':authority'] = 'localhost';
  if (isEndless(request.headers['grpc-timeout'])) delete request.headers['grpc-timeout'];
  const asked = universalRequestFromNodeRequest(request, response, undefined, undefined);
  const held = new Held(room);
  // Not at the end of all this: the body of a client that has gone in the middle of it never ends.
  response.stream.once('close', () => held.release());
  const answer = await handler({ ...asked, body: held.count(asked.body as AsyncIterable<Uint8Array>) });
  await universalResponseToNodeResponse(withStatuses(answer), response);
}

function isEndless(timeout: unknown): boolean {
  const [, digits, unit] = /^(\d{1,8})([HMS])$/.exec(String(timeout)) ?? [];
  return digits !== undefined && Number(digits) * longUnits[unit as keyof typeof longUnits] > TIMER_MAX_MS;
}

/** Our own failures are answers: that what came is no message is all that `invalid_argument` can mean here, and clients know it as 13. */
function withStatuses(answer: UniversalServerResponse): UniversalServerResponse {
  const { body, trailer } = answer;
  if (!(trailer instanceof Headers) || body === undefined || !(Symbol.asyncIterator in body)) return answer;
  async function* patched(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    yield* chunks;
    if (trailer instanceof Headers && trailer.get(STATUS) === String(Code.InvalidArgument))
      trailer.set(STATUS, String(Code.Internal));
  }
  return { ...answer, body: patched(body) };
}

/** RFC 3986 percent-encoding of all but printable ASCII, and of the sign itself: what gRPC has of a text. */
function inPercent(text: string): string {
  return text.replace(/[^ -$&-~]+/g, (some) => encodeURIComponent(some.toWellFormed()));
}

/** The status is among the headers, and nothing follows: trailers alone, as gRPC has it. */
function refuseMethod(request: Http2ServerRequest, { stream }: Http2ServerResponse): void {
  request.resume();
  const isGrpc = /^application\/grpc(?:$|[+;])/.test(request.headers['content-type'] ?? '');
  const headers = isGrpc
    ? {
        ':status': 200,
        'content-type': 'application/grpc',
        [STATUS]: String(Code.Unimplemented),
        'grpc-message': inPercent(`there is no ${request.url.slice(0, 200)} here`),
      }
    : { ':status': 415 };
  if (!stream.destroyed) stream.respond(headers, { endStream: true });
}
