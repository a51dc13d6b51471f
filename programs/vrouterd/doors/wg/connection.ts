/** One client of an interface's socket: its operations are carried out one after the other, and answered in their order. */
import type { Socket } from 'node:net';
import { toProblem } from '@vrouter/core/problem.ts';
import { Errno } from '@vrouter/wire/uapi/errno.ts';
import { UapiParser, type UapiRequest } from '@vrouter/wire/uapi/parser.ts';
import { formatDevice, formatErrno } from '@vrouter/wire/uapi/reply.ts';
import type { Logger } from 'pino';
import { setDevice } from './set.ts';
import { deviceView, type WgDaemon } from './view.ts';

/** A client that has said nothing for so long is let go, ms. */
const IDLE_MS = 60_000;

/** Serves the client until it hangs up, says too much, or is silent for a minute. */
export async function serveClient(socket: Socket, daemon: WgDaemon, link: string, log: Logger): Promise<void> {
  const parser = new UapiParser();
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  try {
    for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
      const requests: UapiRequest[] = [];
      parser.push(bytes as Buffer, requests);
      for (const request of requests) {
        const reply = await answer(request, daemon, link, log);
        if (socket.destroyed) return;
        // Who asks and does not read is not read from either.
        if (!socket.write(reply)) await drained(socket);
        if (request.op === 'bad' && request.fatal) return;
      }
    }
  } catch (thrown) {
    log.debug({ link, why: toProblem(thrown).message }, 'a client of wg was cut off');
  } finally {
    socket.destroySoon();
  }
}

async function answer(request: UapiRequest, daemon: WgDaemon, link: string, log: Logger): Promise<string> {
  try {
    if (request.op === 'bad') return formatErrno(request.errno);
    if (request.op === 'set') {
      const errno = await setDevice(daemon, link, request.set);
      if (errno !== Errno.none) log.info({ link, errno }, 'wg set was not done');
      return formatErrno(errno);
    }
    const device = await deviceView(daemon, link);
    return device === null ? formatErrno(Errno.io) : formatDevice(device) + formatErrno(Errno.none);
  } catch (thrown) {
    log.error({ link, why: toProblem(thrown).message }, 'wg could not be answered');
    return formatErrno(Errno.io);
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}
