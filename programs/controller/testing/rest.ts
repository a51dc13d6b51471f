/** REST over a desk of its own, asked without a socket; for tests that want to look behind it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Authority } from '../ca/authority.ts';
import { CertificateKeeper } from '../ca/keeper.ts';
import { Fleet } from '../fleet/fleet.ts';
import { putToken } from '../identity/api-tokens.ts';
import { Identity } from '../identity/identity.ts';
import { newTokenText } from '../identity/token.ts';
import type { Login } from '../login/login.ts';
import { Metrics } from '../metrics/metrics.ts';
import type { App } from '../rest/app.ts';
import { restServer } from '../rest/server.ts';
import { findUser, insertUser } from '../store/users.ts';
import type { TestDesk } from './store.ts';

export interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: unknown };
  readonly text: string;
  /** Parsed, when it is JSON. */
  readonly json: unknown;
}

export class Rest {
  readonly app: App;
  readonly #token: string;

  private constructor(app: App, token: string) {
    this.app = app;
    this.#token = token;
  }

  /** Its caller is the administrator `tester`, the same one over a desk that is opened again. */
  static async over(desk: TestDesk, login: Login | null = null): Promise<Rest> {
    const words = {
      version: () => {
        throw new Error('no test asks for it');
      },
      agentsDocument: () => ({}),
    };
    const metrics = new Metrics();
    const identity = new Identity(desk.db, metrics, desk.unixMs);
    const options = { bound: '127.0.0.1', metricsOpen: false, login, certificate: null };
    const log = pino({ level: 'silent' });
    const folder = mkdtempSync(join(tmpdir(), 'vrouter-ca-'));
    const provider = await Authority.open(folder, null, desk.unixMs);
    const keeper = await CertificateKeeper.start({ ...desk, provider, hosts: ['127.0.0.1'], log });
    const fleet = await Fleet.enter({
      ...desk,
      shared: false,
      dataFolder: folder,
      urls: ['https://127.0.0.1:8443'],
      log,
    });
    // All of it is read and made; the tests do not renew anything.
    rmSync(folder, { recursive: true });
    const { app } = await restServer(desk, identity, keeper, fleet, metrics, words, options, log);
    await app.ready();
    return new Rest(app, await testerToken(desk, identity));
  }

  async call(method: string, url: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await this.app.inject({
      method: method as 'GET',
      url,
      headers: {
        host: '127.0.0.1',
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
    const text = answer.body;
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text,
      json: text.startsWith('{') ? (JSON.parse(text) as unknown) : undefined,
    };
  }
}

async function testerToken(desk: TestDesk, identity: Identity): Promise<string> {
  const { id, text, secretHash } = newTokenText('vra');
  await desk.db.transaction().execute(async (tx) => {
    const there = await findUser(tx, 'tester');
    const userId = there?.id ?? 'tester';
    if (there === undefined)
      await insertUser(tx, {
        id: userId,
        name: 'tester',
        role: 'admin',
        createdUnixMs: 0,
        disabledUnixMs: null,
        issuer: null,
        subject: null,
      });
    await putToken(tx, identity, { id, userId, name: 'test', role: 'admin', secretHash }, null);
  });
  return text;
}

/** The code of a refusal. */
export function codeOf({ json }: Pick<Answer, 'json'>): string | undefined {
  return (json as { readonly error?: { readonly code: string } } | undefined)?.error?.code;
}
