/** A real OpenID Connect provider on the loopback (oidc-provider), with people, groups and keys that a test chooses; for tests. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';
import type { Configuration } from 'oidc-provider';
import type { TestCertificate } from './certificates.ts';

export interface TestPerson {
  /** What the person types in as its login is the subject. */
  readonly groups?: readonly string[] | string;
  readonly preferred_username?: string;
  readonly email?: string;
  readonly realm_access?: object;
}

export const CLIENT = 'vrouter';
export const OTHER_CLIENT = 'wiki';
export const SECRET_CLIENT = 'vrouter-with-secret';
export const SECRET = 'a client secret: with %, & and +';

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
const native = {
  application_type: 'native' as const,
  redirect_uris: ['http://127.0.0.1/callback'],
  response_types: ['code' as const],
  grant_types: ['authorization_code', DEVICE],
};

export class TestProvider implements AsyncDisposable {
  /** By subject. */
  readonly people = new Map<string, TestPerson>();
  /** How often each path was asked for. */
  readonly asked = new Map<string, number>();
  #server: Server | null = null;
  #port = 0;
  #keys: { readonly jwk: JWK; readonly kid: string }[] = [];
  #answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;

  readonly #tls: TestCertificate | null;

  private constructor(tls: TestCertificate | null) {
    this.#tls = tls;
  }

  /** Over TLS with a certificate, else in the clear. */
  static async start(tls: TestCertificate | null = null): Promise<TestProvider> {
    const provider = new TestProvider(tls);
    await provider.up();
    await provider.rotate();
    return provider;
  }

  get issuer(): string {
    return `${this.#tls === null ? 'http' : 'https'}://127.0.0.1:${this.#port}`;
  }

  times(path: string): number {
    return this.asked.get(path) ?? 0;
  }

  /** Listens, on the port of before. */
  async up(): Promise<void> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      const path = request.url!.split('?')[0]!;
      this.asked.set(path, this.times(path) + 1);
      // Or a client that keeps a connection would take a provider that is back for one that is away.
      response.setHeader('connection', 'close');
      this.#answer(request, response);
    };
    const server = this.#tls === null ? createServer(answer) : createTlsServer(this.#tls, answer);
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }

  /** Signs with a new key from now on; the old one is gone. Whoever had a session there has none. */
  async rotate(): Promise<void> {
    const { privateKey } = await generateKeyPair('RS256', { extractable: true });
    const kid = `key-${this.#keys.length + 1}`;
    const jwk = { ...(await exportJWK(privateKey)), kid, alg: 'RS256', use: 'sig' };
    this.#keys.push({ jwk, kid });
    this.#answer = await quietly(async () => {
      const { default: Provider } = await import('oidc-provider');
      return new Provider(this.issuer, this.#configuration(jwk)).callback();
    });
  }

  /** A token as the provider would sign it, with claims that it would not make; `key`: that of another rotation than the last. */
  async sign(claims: JWTPayload, header: object = {}, key = this.#keys.length - 1): Promise<string> {
    const { jwk, kid } = this.#keys[key]!;
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid, ...header }).sign(jwk);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  #configuration(jwk: JWK): Configuration {
    return {
      clients: [
        { ...native, client_id: CLIENT, token_endpoint_auth_method: 'none' },
        { ...native, client_id: OTHER_CLIENT, token_endpoint_auth_method: 'none' },
        { ...native, client_id: SECRET_CLIENT, client_secret: SECRET },
      ],
      jwks: { keys: [jwk] } as NonNullable<Configuration['jwks']>,
      cookies: { keys: ['signs cookies of a test'] },
      // Claims of the scopes stand in the ID token, as with most providers that people run.
      conformIdTokenClaims: false,
      claims: {
        openid: ['sub'],
        profile: ['preferred_username', 'groups', 'realm_access'],
        email: ['email', 'email_verified'],
      },
      features: {
        devInteractions: { enabled: true },
        deviceFlow: {
          enabled: true,
          // Its own pages, without its notice that one may have others.
          userCodeConfirmSource: async (context, form) => {
            context.body = form;
          },
          successSource: async (context) => {
            context.body = 'done';
          },
        },
      },
      ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 3600, DeviceCode: 600 },
      findAccount: (_context, subject) => {
        const person = this.people.get(subject);
        if (person === undefined) return undefined;
        return { accountId: subject, claims: () => ({ sub: subject, ...person }) };
      },
    };
  }
}

/** It warns that its login page is for tests, which this is, and of every release of Node that is not its own. */
async function quietly<T>(make: () => Promise<T>): Promise<T> {
  const { warn, info } = console;
  console.warn = () => undefined;
  console.info = () => undefined;
  try {
    return await make();
  } finally {
    console.warn = warn;
    console.info = info;
  }
}
