/** GET /v1/events: server-sent events (WHATWG HTML, section 9.2). */
import type { ServerResponse } from 'node:http';
import type { ControllerEvent } from '@vrouter/api/rest/system.ts';
import { z } from 'zod';
import type { EventBus } from '../events/bus.ts';
import type { Caller, Identity } from '../identity/identity.ts';
import type { App } from './app.ts';
import { callerOf } from './callers.ts';

const HEARTBEAT_MS = 15_000;
/** A listener that does not read is cut off when this much waits for it, bytes. */
const BACKLOG_MAX = 1024 * 1024;

/** Adds the route; returns a function that ends all streams. A stream ends, too, when its token is good no more. */
export function eventRoutes(app: App, events: EventBus, identity: Identity): () => void {
  const streams = new Map<ServerResponse, { readonly caller: Caller; end(): void }>();
  const look = async (stream: ServerResponse): Promise<void> => {
    const open = streams.get(stream);
    if (open !== undefined && !(await identity.stillMay(open.caller, 'viewer'))) open.end();
  };
  const lookFailed = (err: unknown) => app.log.error({ err }, 'whether a listener may go on could not be seen');
  identity.onChange(() => {
    for (const stream of streams.keys()) look(stream).catch(lookFailed);
  });
  app.get(
    '/v1/events',
    {
      // A stream without a body would never end.
      exposeHeadRoute: false,
      schema: {
        tags: ['system'],
        summary: 'What happens, as server-sent events; Last-Event-ID resumes',
        description:
          'Each event has id, event (its type) and data (JSON: id, atUnixMs, type, vrouter, subject, version, text). The event events.missed: what came after Last-Event-ID is not all kept.',
        response: { 200: { content: { 'text/event-stream': { schema: z.string() } } } },
      },
    },
    (request, reply) => {
      const caller = callerOf(request)!;
      reply.hijack();
      const stream = reply.raw;
      stream.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        connection: 'close',
      });
      stream.write('retry: 1000\n\n');
      const last = request.headers['last-event-id'];
      // What is no number is no id of ours, and NaN none that is kept.
      if (last !== undefined) for (const event of events.since(Number(last))) stream.write(frame(event));
      const unsubscribe = events.subscribe((event) => {
        stream.write(frame(event));
        if (stream.writableLength > BACKLOG_MAX) stream.destroy();
      });
      const heartbeat = setInterval(() => {
        stream.write(':\n\n');
        look(stream).catch(lookFailed);
      }, HEARTBEAT_MS);
      // Who reads slowly is there for a while after the end, and must not be written to any more.
      const stop = (): void => {
        clearInterval(heartbeat);
        unsubscribe();
        streams.delete(stream);
      };
      streams.set(stream, {
        caller,
        end() {
          stop();
          stream.end();
        },
      });
      stream.on('close', stop);
    },
  );
  return () => {
    for (const open of [...streams.values()]) open.end();
  };
}

function frame(event: ControllerEvent): string {
  return `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}
