/** A controller's logins over a store of their own, a real provider, and people who log in there; for tests. */
import type { LoginReply } from '@vrouter/api/rest/login.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { JWTPayload } from 'jose';
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  discovery,
  None,
  randomPKCECodeVerifier,
} from 'openid-client';
import { pino } from 'pino';
import { Identity } from '../identity/identity.ts';
import { Metrics } from '../metrics/metrics.ts';
import { lastAudit } from '../store/audit.ts';
import { settle } from '../store/settings.ts';
import { Browser } from '../testing/browser.ts';
import { CLIENT, type TestProvider } from '../testing/oidc.testing.ts';
import { openDesk } from '../testing/store.ts';
import { Login, type LoginRules } from './login.ts';
import { Provider, type ProviderOptions, type ProviderPace } from './provider.ts';

export const rules: LoginRules = {
  scopes: ['openid', 'profile', 'email'],
  rolesClaim: 'groups',
  roles: new Map([
    ['net-admins', 'admin'],
    ['net-operators', 'operator'],
    ['everyone', 'viewer'],
  ]),
  nameClaim: null,
  sessionMs: 12 * 3_600_000,
};

const REDIRECT = 'http://127.0.0.1:9/callback';

export interface Scening {
  readonly rules?: Partial<LoginRules>;
  readonly provider?: Partial<ProviderOptions>;
  readonly pace?: Partial<ProviderPace>;
}

export async function openScene(path: string, at: TestProvider, more: Scening = {}) {
  // The provider's clock is the real one.
  const desk = await openDesk(path, { unixMs: Date.now() });
  const metrics = new Metrics();
  const identity = new Identity(desk.db, metrics, desk.unixMs);
  const options = { issuer: at.issuer, clientId: CLIENT, clientSecret: null, ...more.provider };
  // Real providers are left in peace for seconds; here nobody waits.
  const pace = { keysMs: 0, retryMs: 0, ...more.pace };
  const key = Buffer.from(
    await settle(desk.db, 'loginNonceKey', Buffer.alloc(32, 7).toString('base64url')),
    'base64url',
  );
  const provider = new Provider(options, pino({ level: 'silent' }), desk.unixMs, pace);
  const login = new Login(identity, provider, { ...rules, ...more.rules }, key, metrics);
  let sources = 0;
  const logIn = (idToken: string, source = `source ${sources++}`): Promise<LoginReply> =>
    login.logIn({ idToken }, { address: '192.0.2.7', source });
  const nonce = (): string => login.offer().oidc!.nonce;
  return {
    ...desk,
    metrics,
    identity,
    provider,
    login,
    logIn,
    nonce,
    /** Logs the person in at the provider, and here. */
    come: async (subject: string): Promise<LoginReply> => logIn(await idTokenOf(at, subject, nonce())),
    /** Claims as the provider would make them, for whoever signs them. */
    claims: (more: { readonly [claim: string]: unknown } = {}): JWTPayload => {
      const now = Math.floor(desk.unixMs() / 1000);
      const usual = { iss: at.issuer, aud: CLIENT, sub: 'kim', iat: now, exp: now + 3600, groups: ['everyone'] };
      return { ...usual, nonce: nonce(), ...more };
    },
    /** What a session is still good for. */
    ask: (token: string) =>
      identity.authenticate({ authorization: `Bearer ${token}`, address: '::1', source: 'x', what: 'GET /' }),
    lastReason: async () => (await lastAudit(desk.db, 1))[0]!,
  };
}

export type Scene = Awaited<ReturnType<typeof openScene>>;

/** The authorization code flow of a person with a browser, up to the code. */
export async function codeOf(at: TestProvider, subject: string, nonce: string, clientId = CLIENT) {
  const configuration = await discovery(new URL(at.issuer), clientId, {}, None(), { execute: [allowInsecureRequests] });
  const codeVerifier = randomPKCECodeVerifier();
  const url = buildAuthorizationUrl(configuration, {
    redirect_uri: REDIRECT,
    scope: 'openid profile email',
    code_challenge: await calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
    state: 'state of a test',
    nonce,
  });
  const page = await new Browser().logIn(url.href, subject, REDIRECT);
  const callback = new URL(page.url);
  return { configuration, codeVerifier, redirectUri: REDIRECT, callback, code: callback.searchParams.get('code')! };
}

/** The ID token at the end of it. */
export async function idTokenOf(at: TestProvider, subject: string, nonce: string, clientId = CLIENT): Promise<string> {
  const { configuration, codeVerifier, callback } = await codeOf(at, subject, nonce, clientId);
  const checks = { pkceCodeVerifier: codeVerifier, expectedState: 'state of a test', expectedNonce: nonce };
  return (await authorizationCodeGrant(configuration, callback, checks)).id_token!;
}

/** For assert.rejects: a refusal with that code. */
export function is(code: string, text?: RegExp) {
  return (thrown: unknown): boolean => {
    if (!(thrown instanceof ProblemError)) throw thrown;
    if (thrown.problem.code !== code || text?.test(thrown.message) === false)
      throw new Error(`${thrown.problem.code}: ${thrown.message}`);
    return true;
  };
}
