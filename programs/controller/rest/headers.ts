/** What browsers are told of every answer: it is data, nothing is loaded for it, and nobody frames it. Of /docs, which is a page, less. */
import type { FastifyReply } from 'fastify';
import type { App } from './app.ts';

const DATA_POLICY = "default-src 'none'; frame-ancestors 'none'";

/** The documentation loads its own files and asks for its own documents; its styles are partly in the page. */
export const DOCS_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * Adds them to all answers, refusals too. No Strict-Transport-Security: it would hold for every port of the host (RFC 6797, section 8.3),
 * and those are not ours.
 */
export function secureHeaders(app: App): void {
  app.addHook('onSend', async (_request, reply, payload) => {
    secure(reply);
    return payload;
  });
}

/** Those of one answer; for answers that pass no hook. */
export function secure(reply: FastifyReply): void {
  reply.header('x-content-type-options', 'nosniff');
  reply.header('referrer-policy', 'no-referrer');
  reply.header('cross-origin-resource-policy', 'same-origin');
  if (!reply.hasHeader('content-security-policy')) reply.header('content-security-policy', DATA_POLICY);
}
