/** HTTPS to a controller: JSON out, JSON in, checked against the schema; the controller's problems come back as ours. */
import { createHash, X509Certificate } from 'node:crypto';
import { type DiscoverReply, discoverReply, pollRefusal } from '@vrouter/api/agent/agent.ts';
import { type ProblemCode, problemCodes } from '@vrouter/core/codes.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { Agent, request } from 'undici';
import type { z } from 'zod';
import type { AgentCredentials } from './identity.ts';

/** The controller wants this poll's successor to carry another nonce. */
export class PollRefused extends ProblemError {
  readonly nextNonce: string;

  constructor(message: string, nextNonce: string) {
    super(problem('poll.replay', message));
    this.nextNonce = nextNonce;
  }
}

export class ControllerClient {
  readonly #url: string;
  readonly #agent: Agent;

  /** Trusts `root` alone; shows `credentials` where there are some. */
  constructor(url: string, root: string, credentials: Pick<AgentCredentials, 'key' | 'chain'> | null) {
    this.#url = url;
    this.#agent = new Agent({
      connections: 2,
      connect: {
        ca: root,
        timeout: 10_000,
        ...(credentials === null ? {} : { key: credentials.key, cert: credentials.chain }),
      },
    });
  }

  /** Throws ProblemError: `controller.unreachable`, or what the controller answered. */
  async post<S extends z.ZodType>(path: string, body: unknown, reply: S, signal: AbortSignal): Promise<z.infer<S>> {
    return call(this.#agent, 'POST', this.#url + path, body, reply, signal);
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
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
): Promise<z.infer<S>> {
  let status: number;
  let text: string;
  try {
    const response = await request(url, {
      dispatcher,
      method,
      signal,
      headersTimeout: 40_000,
      bodyTimeout: 40_000,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    });
    status = response.statusCode;
    text = await response.body.text();
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    throw new ProblemError(problem('controller.unreachable', `${url}: ${describe(thrown)}`));
  }
  return readReply(url, status, text, reply);
}

/**
 * What an answer says. Throws ProblemError: `controller.unreachable` for what nobody can read, `PollRefused`, or the problem that it tells.
 */
export function readReply<S extends z.ZodType>(url: string, status: number, text: string, reply: S): z.infer<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ProblemError(problem('controller.unreachable', `${url} answered ${status} without JSON`));
  }
  const refusal = pollRefusal.safeParse(json);
  if (refusal.success) throw new PollRefused(refusal.data.error.message, refusal.data.nextNonce);
  if (status >= 400) throw new ProblemError(theirProblem(json, status));
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

function describe(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  return 'code' in thrown && typeof thrown.code === 'string' ? `${thrown.code} ${thrown.message}` : thrown.message;
}
