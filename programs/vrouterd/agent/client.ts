/** HTTPS to a controller: JSON out, JSON in, checked against the schema; the controller's problems come back as ours. */
import { createHash, X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { type DiscoverReply, discoverReply, pollRefusal } from '@vrouter/api/agent/agent.ts';
import { type ProblemCode, problemCodes } from '@vrouter/core/codes.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { Agent, buildConnector, request } from 'undici';
import type { z } from 'zod';
import type { ControllerClock } from './clock.ts';
import type { AgentCredentials } from './identity.ts';
import { Distrust, distrust, rootsOf, SKEW_MS, shownChain } from './trust.ts';

/** The controller wants this poll's successor to carry another nonce. */
export class PollRefused extends ProblemError {
  readonly nextNonce: string;

  constructor(message: string, nextNonce: string) {
    super(problem('poll.replay', message));
    this.nextNonce = nextNonce;
  }
}

/** A call that failed, with what says when to make the next one. */
export class CallFailed extends ProblemError {
  /** Nobody took the connection, or not whom we mean: nothing was asked. */
  readonly isAway: boolean;
  /** What `Retry-After` asked for, ms; null when it did not. */
  readonly retryAfterMs: number | null;

  constructor(
    code: ProblemCode,
    message: string,
    { isAway = false, retryAfterMs = null }: { readonly isAway?: boolean; readonly retryAfterMs?: number | null } = {},
  ) {
    super(problem(code, message));
    this.isAway = isAway;
    this.retryAfterMs = retryAfterMs;
  }
}

/** How a connection that never was ends: errno of connect(2), of the resolver, and undici's own. */
const NO_CONNECTION = [
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
];
/** Longest `Retry-After` that is obeyed, ms: who says more is not asked to be waited for. */
const RETRY_AFTER_MAX_MS = 3_600_000;

/** Time that a connection may take, and an answer once it was asked, ms. Short ones where somebody else can be asked instead. */
export interface Patience {
  readonly connectMs: number;
  readonly answerMs: number;
}

export const PATIENT: Patience = { connectMs: 10_000, answerMs: 40_000 };
/** Of two that vanish without a word no gateway notices more than this. An answer may be held for five seconds. */
export const BRISK: Patience = { connectMs: 4000, answerMs: 15_000 };

/** What OpenSSL and Node say of certificates that do not lead to our root, or are for another name. */
const STRANGER_CODES = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
];

/** What OpenSSL says of certificates that are fine but for the time of our clock. */
const TIME_CODES = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];

export class ControllerClient {
  readonly #url: string;
  readonly #roots: string;
  readonly #clock: ControllerClock;
  readonly #tls: { readonly key?: string; readonly cert?: string };
  /** Time that an honest controller is never before, Unix ms. */
  readonly #floorUnixMs: number;
  readonly #patience: Patience;
  #agent: Agent;
  /** Certificates are judged by the controller's clock, since ours is wrong. */
  #isByTheirs: boolean;

  /** Trusts `roots` alone (PEM, one or several); shows `credentials` where there are some. */
  constructor(
    url: string,
    roots: string,
    credentials: Pick<AgentCredentials, 'key' | 'chain'> | null,
    clock: ControllerClock,
    patience: Patience = PATIENT,
  ) {
    this.#url = url;
    this.#patience = patience;
    this.#roots = roots;
    this.#clock = clock;
    this.#tls = credentials === null ? {} : { key: credentials.key, cert: credentials.chain };
    const newest = credentials === null ? rootsOf(roots)[0] : new X509Certificate(credentials.chain);
    this.#floorUnixMs = newest === undefined ? 0 : Date.parse(newest.validFrom) - SKEW_MS;
    this.#isByTheirs = clock.isOursWrong;
    this.#agent = this.#connected();
  }

  /**
   * Throws ProblemError: `controller.unreachable`, or what the controller answered. When it is our clock that makes the controller's
   * certificate look bad, its clock is asked for and the question repeated.
   */
  async post<S extends z.ZodType>(path: string, body: unknown, reply: S, signal: AbortSignal): Promise<z.infer<S>> {
    return this.#ask('POST', path, body, reply, signal);
  }

  /** As `post`, for what is only looked at. */
  async get<S extends z.ZodType>(path: string, reply: S, signal: AbortSignal): Promise<z.infer<S>> {
    return this.#ask('GET', path, undefined, reply, signal);
  }

  async #ask<S extends z.ZodType>(
    method: 'GET' | 'POST',
    path: string,
    body: unknown,
    reply: S,
    signal: AbortSignal,
  ): Promise<z.infer<S>> {
    const { answerMs } = this.#patience;
    const ask = () => call(this.#agent, method, this.#url + path, body, reply, signal, answerMs);
    if (this.#isByTheirs !== this.#clock.isOursWrong) await this.#reconnect();
    try {
      return await ask();
    } catch (thrown) {
      if (!(thrown instanceof ClockTrouble)) throw thrown;
      this.#clock.measured(await askClock(this.#url, this.#roots, this.#floorUnixMs, this.#clock.ourUnixMs, signal));
      await this.#reconnect();
      return await ask();
    }
  }

  async #reconnect(): Promise<void> {
    const old = this.#agent;
    this.#isByTheirs = this.#clock.isOursWrong;
    this.#agent = this.#connected();
    await old.destroy();
  }

  #connected(): Agent {
    const options = { ...this.#tls, ca: this.#roots, timeout: this.#patience.connectMs };
    // Good by either clock: by ours it would be anyway, and it may be the controller's that is wrong.
    const judge = (chain: X509Certificate[], host: string) =>
      distrust(chain, this.#roots, host, this.#clock.ourUnixMs()) === null
        ? null
        : distrust(chain, this.#roots, host, this.#clock.unixMs());
    return new Agent({ connections: 2, connect: this.#isByTheirs ? judgedBy(judge, options) : options });
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** A connector that leaves the judgement of the server to us. Sessions are not resumed: they would not show the chain again. */
function judgedBy(
  judge: (chain: X509Certificate[], host: string) => Distrust | null,
  options: buildConnector.BuildOptions,
): buildConnector.connector {
  const connect = buildConnector({ ...options, rejectUnauthorized: false, maxCachedSessions: 0 });
  return (to, done) =>
    connect(to, (...[error, socket]) => {
      if (error !== null) return done(error, null);
      const why = judge(shownChain(socket as TLSSocket), to.hostname.replace(/^\[|\]$/g, ''));
      if (why === null) return done(null, socket);
      socket.destroy();
      return done(why, null);
    });
}

/**
 * The controller's clock minus ours, ms, by its own word; `trust.ts` says when that is believed. Throws ProblemError
 * `controller.unreachable`.
 */
async function askClock(
  url: string,
  roots: string,
  floorUnixMs: number,
  ourUnixMs: () => number,
  signal: AbortSignal,
): Promise<number> {
  let shown: X509Certificate[] = [];
  let host = '';
  const judge = (chain: X509Certificate[], name: string): Distrust | null => {
    shown = chain;
    host = name;
    return distrust(chain, roots, name, null);
  };
  const agent = new Agent({ connections: 1, connect: judgedBy(judge, { ca: roots, timeout: 10_000 }) });
  try {
    const sentUnixMs = ourUnixMs();
    const reply = await call(agent, 'GET', `${url}/vrouter/discover`, undefined, discoverReply, signal);
    const receivedUnixMs = ourUnixMs();
    const why = distrust(shown, roots, host, reply.serverTimeUnixMs);
    const theirs = new Date(reply.serverTimeUnixMs).toISOString();
    if (why !== null)
      throw new ProblemError(
        problem('controller.unreachable', `${url}: ${why.message}, also by its own clock (${theirs})`),
      );
    if (reply.serverTimeUnixMs < floorUnixMs) {
      const floor = new Date(floorUnixMs).toISOString();
      const message = `${url}: its clock says ${theirs}, and our certificate from it is of ${floor}: its clock is behind, or it is not the controller`;
      throw new ProblemError(problem('controller.unreachable', message));
    }
    return reply.serverTimeUnixMs - (sentUnixMs + receivedUnixMs) / 2;
  } finally {
    await agent.destroy();
  }
}

/**
 * Learns a controller's root certificate. The connection is not verified, so nothing but this question is sent over it, and nothing
 * in the answer is used before the root's fingerprint is the one that the join string names. Throws `tls.fingerprint`.
 */
export async function discover(url: string, rootFingerprint: string, signal: AbortSignal): Promise<DiscoverReply> {
  const unverified = new Agent({ connect: { rejectUnauthorized: false, timeout: 10_000 } });
  try {
    const reply = await call(unverified, 'GET', `${url}/vrouter/discover`, undefined, discoverReply, signal);
    if (fingerprintOf(reply.rootCertificate) !== rootFingerprint) {
      const message = `${url} has another root certificate than the join string names: not the controller you mean, or an impostor`;
      throw new ProblemError(problem('tls.fingerprint', message));
    }
    return reply;
  } finally {
    await unverified.destroy();
  }
}

function fingerprintOf(pem: string): string {
  try {
    return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
  } catch {
    return 'not a certificate';
  }
}

async function call<S extends z.ZodType>(
  dispatcher: Agent,
  method: 'GET' | 'POST',
  url: string,
  body: unknown,
  reply: S,
  signal: AbortSignal,
  answerMs: number = PATIENT.answerMs,
): Promise<z.infer<S>> {
  let status: number;
  let text: string;
  let retryAfterMs: number | null;
  try {
    const response = await request(url, {
      dispatcher,
      method,
      signal,
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    status = response.statusCode;
    retryAfterMs = readRetryAfter(response.headers['retry-after'], Date.now());
    text = await response.body.text();
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    const message = `${url}: ${describe(thrown)}`;
    if (isTime(thrown)) throw new ClockTrouble(message);
    if (isStranger(thrown)) throw new CallFailed('tls.fingerprint', message, { isAway: true });
    throw new CallFailed('controller.unreachable', message, { isAway: isAway(thrown) });
  }
  return readReply(url, status, text, reply, retryAfterMs);
}

/**
 * What an answer says. Throws ProblemError: `controller.unreachable` for what nobody can read, `PollRefused`, or the problem that it tells.
 */
export function readReply<S extends z.ZodType>(
  url: string,
  status: number,
  text: string,
  reply: S,
  retryAfterMs: number | null = null,
): z.infer<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new CallFailed('controller.unreachable', `${url} answered ${status} without JSON`, { retryAfterMs });
  }
  const refusal = pollRefusal.safeParse(json);
  if (refusal.success) throw new PollRefused(refusal.data.error.message, refusal.data.nextNonce);
  if (status >= 400) {
    const { code, message } = theirProblem(json, status);
    throw new CallFailed(code, message, { retryAfterMs });
  }
  const parsed = reply.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.join('.') ?? '';
  throw new ProblemError(
    problem('controller.unreachable', `${url} answered what we cannot read: ${where} ${issue?.message}`),
  );
}

function theirProblem(json: unknown, status: number): { code: ProblemCode; message: string } {
  const error = (json as { error?: { code?: unknown; message?: unknown } } | null)?.error;
  const code = problemCodes.find((known) => known === error?.code) ?? 'internal';
  return { code, message: typeof error?.message === 'string' ? error.message : `the controller answered ${status}` };
}

/** RFC 9110 section 10.2.3: seconds, or a date. ms from `nowUnixMs` on; null when it is neither. */
export function readRetryAfter(header: string | string[] | undefined, nowUnixMs: number): number | null {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? '';
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowUnixMs;
  return text === '' || Number.isNaN(ms) ? null : Math.min(RETRY_AFTER_MAX_MS, Math.max(0, ms));
}

/** The server's certificate is bad by our clock, or by what we took for its own. */
class ClockTrouble extends CallFailed {
  constructor(message: string) {
    super('controller.unreachable', message, { isAway: true });
  }
}

/** Nobody took the connection. */
function isAway(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && NO_CONNECTION.includes(String(thrown.code));
}

/** Whoever took it has another authority, or another name: not a controller of ours. */
function isStranger(thrown: unknown): boolean {
  if (thrown instanceof Distrust) return true;
  if (!(thrown instanceof Error) || !('code' in thrown)) return false;
  return STRANGER_CODES.includes(String(thrown.code));
}

function isTime(thrown: unknown): boolean {
  if (thrown instanceof Distrust) return thrown.isTime;
  return thrown instanceof Error && 'code' in thrown && TIME_CODES.includes(String(thrown.code));
}

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return 'code' in thrown && typeof thrown.code === 'string' ? `${thrown.code} ${thrown.message}` : thrown.message;
}
