/** step-ca's HTTP API, as far as we use it. What it answers is checked by shape; whether a certificate is good is the caller's to ask. */
import { createHash, X509Certificate } from 'node:crypto';
import { Agent, request } from 'node:https';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { z } from 'zod';

const TIMEOUT_MS = 10_000;
const BODY_MAX = 1024 * 1024;
/** Clocks that differ by more are told, ms; tokens have a leeway of one minute. */
const CLOCK_MS = 60_000;
const PAGES_MAX = 50;

const signReply = z.object({
  crt: z.string(),
  ca: z.string(),
  certChain: z.array(z.string()).min(1).max(10).optional(),
});
const rootReply = z.object({ ca: z.string() });
const rootsReply = z.object({ crts: z.array(z.string()).max(16) });
const provisionersReply = z.object({
  provisioners: z
    .array(z.looseObject({ type: z.string(), name: z.string().optional(), encryptedKey: z.string().optional() }))
    .nullable(),
  nextCursor: z.string().optional(),
});
const failure = z.object({ message: z.string() });

interface Call {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: unknown;
  /** Shown as client certificate, PEM. */
  readonly identity?: { readonly key: string; readonly cert: string };
}

/** The CA does not do what it was asked; `status` as it said. */
export class StepRefusal extends ProblemError {
  readonly status: number;

  constructor(message: string, status: number) {
    super(problem('ca.refused', message));
    this.status = status;
  }
}

export class StepClient {
  readonly #url: URL;
  readonly #unixMs: () => number;
  #agent: Agent;

  /** `roots`: PEM, what the CA's own certificate must lead to. */
  constructor(url: string, roots: readonly string[], unixMs: () => number) {
    this.#url = new URL(url);
    this.#unixMs = unixMs;
    this.#agent = agentOf(roots);
  }

  /** The root with a fingerprint, asked of a server that nobody has verified, and compared in full. Throws ProblemError. */
  static async root(url: string, fingerprint: string, unixMs: () => number): Promise<string> {
    const client = new StepClient(url, [], unixMs);
    client.#agent = new Agent({ rejectUnauthorized: false });
    try {
      const { ca } = await client.#ask({ method: 'GET', path: ['', 'root', fingerprint].join('/') }, rootReply);
      if (fingerprintOf(ca) !== fingerprint)
        throw new ProblemError(problem('tls.fingerprint', `${url} has another root than --step-ca-fingerprint names`));
      return ca;
    } finally {
      client.close();
    }
  }

  /** `https://host/1.0/sign` and its like: what a token names as its audience. */
  audience(call: 'sign' | 'revoke'): string {
    return `https://${this.#url.hostname}/1.0/${call}`;
  }

  /** Takes other roots for new connections. */
  trust(roots: readonly string[]): void {
    const old = this.#agent;
    this.#agent = agentOf(roots);
    old.destroy();
  }

  close(): void {
    this.#agent.destroy();
  }

  async health(): Promise<void> {
    await this.#ask({ method: 'GET', path: '/health' }, z.unknown());
  }

  async roots(): Promise<readonly string[]> {
    return (await this.#ask({ method: 'GET', path: '/roots' }, rootsReply)).crts;
  }

  /** PEM, leaf first. `notAfter`: a span such as `8h`; undefined takes the provisioner's default. */
  async sign(csr: string, token: string, notAfter: string | undefined): Promise<readonly string[]> {
    const body = { csr, ott: token, ...(notAfter === undefined ? {} : { notAfter }) };
    return chainOf(await this.#ask({ method: 'POST', path: '/1.0/sign', body }, signReply));
  }

  /** The same certificate for the same key, from now on. */
  async renew(identity: { readonly key: string; readonly cert: string }): Promise<readonly string[]> {
    return chainOf(await this.#ask({ method: 'POST', path: '/1.0/renew', identity }, signReply));
  }

  /** `serial`: decimal. */
  async revoke(serial: string, token: string): Promise<void> {
    const body = { serial, ott: token, passive: true, reasonCode: 0, reason: 'revoked by vrouter-controller' };
    await this.#ask({ method: 'POST', path: '/1.0/revoke', body }, z.unknown());
  }

  /** The encrypted key of a JWK provisioner. Throws ProblemError `config.invalid` when there is none of that name. */
  async encryptedKey(name: string): Promise<string> {
    let cursor = '';
    for (let page = 0; page < PAGES_MAX; page++) {
      const path = `/provisioners?limit=100&cursor=${encodeURIComponent(cursor)}`;
      const reply = await this.#ask({ method: 'GET', path }, provisionersReply);
      const found = (reply.provisioners ?? []).find((one) => one.type === 'JWK' && one.name === name);
      if (found !== undefined) {
        if (found.encryptedKey !== undefined && found.encryptedKey !== '') return found.encryptedKey;
        const hint = `the CA does not hold the key of provisioner "${name}"; name it with --step-ca-key`;
        throw new ProblemError(problem('config.invalid', hint, '--step-ca-provisioner'));
      }
      cursor = reply.nextCursor ?? '';
      if (cursor === '') break;
    }
    const hint = `the CA has no JWK provisioner of the name "${name}"`;
    throw new ProblemError(problem('config.invalid', hint, '--step-ca-provisioner'));
  }

  async #ask<S extends z.ZodType>(call: Call, schema: S): Promise<z.output<S>> {
    const { status, text, date } = await this.#exchange(call);
    const where = `${this.#url.origin}${call.path.split('?')[0]}`;
    if (status >= 400) {
      const said = failure.safeParse(parseJson(text));
      const why = `${where} answered ${status}${said.success ? `: ${said.data.message.slice(0, 500)}` : ''}${this.#clockText(date)}`;
      if (status === 502 || status === 503 || status === 504) throw new ProblemError(problem('ca.unreachable', why));
      throw new StepRefusal(why, status);
    }
    const read = schema.safeParse(parseJson(text));
    if (!read.success) throw new StepRefusal(`${where} answered what we cannot read`, status);
    return read.data;
  }

  /** What a refusal may come from, when it does. */
  #clockText(date: string | undefined): string {
    const aheadMs = Date.parse(date ?? '') - this.#unixMs();
    if (Number.isNaN(aheadMs) || Math.abs(aheadMs) < CLOCK_MS) return '';
    const span = `${Math.round(Math.abs(aheadMs) / 1000)} s`;
    return `; the CA's clock is ${span} ${aheadMs > 0 ? 'ahead of' : 'behind'} ours, and tokens bear one minute`;
  }

  #exchange({
    method,
    path,
    body,
    identity,
  }: Call): Promise<{ status: number; text: string; date: string | undefined }> {
    return new Promise((resolve, reject) => {
      const silent = (why: string): void =>
        reject(new ProblemError(problem('ca.unreachable', `the CA at ${this.#url.origin}: ${why}`)));
      const sent = request(
        new URL(path, this.#url),
        {
          method,
          agent: this.#agent,
          timeout: TIMEOUT_MS,
          signal: AbortSignal.timeout(2 * TIMEOUT_MS),
          ...(identity === undefined ? {} : identity),
          headers: {
            accept: 'application/json',
            ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
            if (text.length > BODY_MAX) response.destroy(new Error('the answer is too long'));
          });
          response.on('error', (thrown) => silent(thrown.message));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text, date: response.headers.date }));
        },
      );
      sent.on('timeout', () => sent.destroy(new Error('it does not answer in time')));
      sent.on('error', (thrown) =>
        silent('code' in thrown ? `${String(thrown.code)} ${thrown.message}` : thrown.message),
      );
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

function agentOf(roots: readonly string[]): Agent {
  return new Agent({ keepAlive: true, ca: [...roots], maxSockets: 8 });
}

function chainOf({ crt, ca, certChain }: z.output<typeof signReply>): readonly string[] {
  return certChain ?? [crt, ca];
}

function fingerprintOf(pem: string): string {
  try {
    return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
  } catch {
    return 'not a certificate';
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
