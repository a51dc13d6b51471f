/**
 * Requests that no route ever sees, because a path or the HTTP itself cannot be read: refused in the words and the shape of all refusals.
 * To be spread into the options of a Fastify.
 */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from 'fastify';
import { refuse } from './errors.ts';
import { secure } from './headers.ts';

interface Thrown {
  readonly code?: string;
}

export const unreadable = {
  frameworkErrors(thrown: Thrown, _request: FastifyRequest, reply: FastifyReply): void {
    const why =
      thrown.code === 'FST_ERR_MAX_PARAM_LENGTH'
        ? 'a part of the path is too long; no name here is that long'
        : 'the path is not percent-encoded as it should be (RFC 3986, section 2.1)';
    secure(reply);
    refuse(reply, problem('input.invalid', why));
  },
  clientErrorHandler(this: { readonly log: FastifyBaseLogger }, thrown: Thrown, socket: Socket): void {
    // The code alone: what was sent may have a token in it.
    this.log.trace({ code: thrown.code }, 'a request that cannot be read');
    // Nobody is there any more.
    if (thrown.code === 'ECONNRESET' || socket.destroyed) return;
    const { status, why } = ofHttp(thrown.code);
    if (socket.writable) {
      const body = JSON.stringify({ error: why });
      socket.write(
        `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
          `content-length: ${Buffer.byteLength(body)}\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n${body}`,
      );
    }
    socket.destroySoon();
  },
};

/** Node's codes of errors that the server met while it read a request, with statuses of RFC 9110, section 15.5, and RFC 6585. */
function ofHttp(code: string | undefined): { readonly status: number; readonly why: Problem } {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return { status: 408, why: problem('timeout', 'the request did not come to its end in time') };
  if (code === 'HPE_HEADER_OVERFLOW')
    return { status: 431, why: problem('request.tooLarge', 'the header of the request is too large') };
  return { status: 400, why: problem('input.invalid', 'this is not a request of HTTP/1.1 as it should be') };
}
