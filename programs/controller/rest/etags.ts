/**
 * ETags of what is answered, 304 for who has it already, and If-Match for who changes only what they know. A single resource has
 * `"configuration.rest"`: the first part is its member `etag`, the rest tells apart everything else that the answer shows but clocks.
 * Whatever else GET answers has a weak tag of its text.
 */
import { ProblemError } from '@vrouter/core/problem.ts';
import type { FastifyRequest } from 'fastify';
import { sha256 } from '../ca/keys.ts';
import type { App } from './app.ts';
import { configurationOf, type EntityTags, matchesWeakly, parseEntityTags } from './entity-tag.ts';

/** Members that change while nothing does. */
const CLOCKS: ReadonlySet<string> = new Set(['serverTimeUnixMs', 'lastPollAgeMs']);
/** Members of the answer to a change that are not of what was changed. */
const OF_THE_CHANGE: ReadonlySet<string> = new Set(['version', 'join', 'effect']);

export function answerTags(app: App): void {
  app.addHook('preHandler', async (request) => {
    if (request.method !== 'PATCH' && request.method !== 'DELETE') return;
    const tags = tagsOf(request, 'if-match');
    if (tags === null || tags === '*') return;
    // Strong comparison (RFC 9110, section 13.1.1): a weak tag matches nothing.
    const ifMatch = tags.filter(({ weak }) => !weak).map(({ tag }) => configurationOf(tag));
    request.terms = { ...request.terms, ifMatch };
  });

  app.addHook('preSerialization', async (_request, reply, payload) => {
    const tag = resourceTag(payload);
    if (tag !== null) reply.header('etag', tag);
    return payload;
  });

  app.addHook('onSend', async (request, reply, payload) => {
    if (!request.url.startsWith('/v1/') || (request.method !== 'GET' && request.method !== 'HEAD')) return payload;
    // What a gateway tells changes at any time, so nobody may show an old answer without asking.
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-cache');
    if (reply.statusCode !== 200 || typeof payload !== 'string') return payload;
    if (!reply.hasHeader('etag')) reply.header('etag', `W/"${short(payload)}"`);
    const tags = tagsOf(request, 'if-none-match');
    if (tags === null || !matchesWeakly(tags, String(reply.getHeader('etag')))) return payload;
    reply.code(304).removeHeader('content-type');
    // Fastify measures what HEAD would have had, and null has no length.
    return request.method === 'HEAD' ? '' : null;
  });
}

/** Null when the answer is no single resource. */
export function resourceTag(payload: unknown): string | null {
  if (!isObject(payload)) return null;
  const resource = [payload, ...Object.values(payload)].find(isTagged);
  if (resource === undefined) return null;
  // A vrouter is shown by itself, and in the answer to a change as a member of it: the same thing has the same tag.
  const shown = payload.vrouter === resource ? resource : without(payload);
  const text = JSON.stringify(shown, (name, value: unknown) => (CLOCKS.has(name) ? undefined : value));
  return `"${resource.etag}.${short(text)}"`;
}

function without(payload: { readonly [name: string]: unknown }): object {
  return Object.fromEntries(Object.entries(payload).filter(([name]) => !OF_THE_CHANGE.has(name)));
}

/** Null: the header was not sent. Throws `input.invalid`. */
function tagsOf({ headers }: FastifyRequest, name: 'if-match' | 'if-none-match'): EntityTags | null {
  const text = headers[name];
  if (text === undefined) return null;
  const read = parseEntityTags(text, name);
  if (!read.ok) throw new ProblemError(read.error);
  return read.value;
}

function isTagged(value: unknown): value is { readonly etag: string } {
  return isObject(value) && typeof value.etag === 'string';
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** 72 bits, which tell apart what one resource was at different times. */
function short(text: string): string {
  return Buffer.from(sha256(text).subarray(0, 9)).toString('base64url');
}
