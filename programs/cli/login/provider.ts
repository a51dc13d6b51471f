/** The OpenID Connect provider, as whoever logs in needs it. */
import type { LoginRequest, OidcOffer } from '@vrouter/api/rest/login.ts';
import {
  AuthorizationResponseError,
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  ClientError,
  type Configuration,
  calculatePKCECodeChallenge,
  clockTolerance,
  discovery,
  None,
  ResponseBodyError,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client';
import { Failure } from '../failure.ts';
import { listenForCallback } from './callback.ts';

const TIMEOUT_S = 15;
const SKEW_S = 60;

/** Finds the provider. Failure `login.unavailable`, or `config.invalid` when the controller names one that nobody should trust. */
export async function findProvider({ issuer, clientId }: OidcOffer): Promise<Configuration> {
  const url = URL.canParse(issuer) ? new URL(issuer) : null;
  const here = url !== null && /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(url.hostname);
  if (url === null || !(url.protocol === 'https:' || (url.protocol === 'http:' && here)))
    throw new Failure('config.invalid', `the controller names a provider that is not asked over https: ${issuer}`);
  const execute = url.protocol === 'http:' ? [allowInsecureRequests] : [];
  try {
    return await discovery(url, clientId, { [clockTolerance]: SKEW_S }, None(), { timeout: TIMEOUT_S, execute });
  } catch (thrown) {
    throw away(issuer, thrown);
  }
}

/** The authorization code flow with PKCE and a browser (RFC 8252): what to show the controller then. */
export async function byBrowser(
  configuration: Configuration,
  offer: OidcOffer,
  redirectPort: number,
  show: (page: string) => void,
  signal: AbortSignal,
): Promise<LoginRequest> {
  await using callback = await listenForCallback(redirectPort);
  const { redirectUri } = callback;
  const codeVerifier = randomPKCECodeVerifier();
  const state = randomState();
  const page = buildAuthorizationUrl(configuration, {
    redirect_uri: redirectUri,
    scope: offer.scopes.join(' '),
    code_challenge: await calculatePKCECodeChallenge(codeVerifier),
    code_challenge_method: 'S256',
    state,
    nonce: offer.nonce,
  });
  const answered = callback.answer(state, signal);
  show(page.href);
  const answer = await answered;
  if (offer.exchange === 'controller') return { code: codeOf(answer, configuration), codeVerifier, redirectUri };
  const checks = { pkceCodeVerifier: codeVerifier, expectedState: state, expectedNonce: offer.nonce };
  try {
    const { id_token: idToken } = await authorizationCodeGrant(configuration, answer, checks);
    // With a nonce to be checked, an answer without an ID token is an error.
    return { idToken: idToken! };
  } catch (thrown) {
    throw refused(offer.issuer, thrown);
  }
}

/** What openid-client looks at when it exchanges the code itself. */
function codeOf(answer: URL, configuration: Configuration): string {
  const { issuer, authorization_response_iss_parameter_supported: named } = configuration.serverMetadata();
  const { searchParams: parameters } = answer;
  const error = parameters.get('error');
  if (error !== null)
    throw new Failure('login.refused', `${issuer} says: ${plain(parameters.get('error_description') ?? error)}`);
  const code = parameters.get('code');
  const from = parameters.get('iss');
  // RFC 9207, section 2.4
  if (code === null || (from === null ? named === true : from !== issuer))
    throw new Failure('login.refused', `the answer is not one of ${issuer}; log in once more`);
  return code;
}

function refused(issuer: string, thrown: unknown): Failure {
  if (thrown instanceof AuthorizationResponseError || thrown instanceof ResponseBodyError) {
    if (thrown instanceof ResponseBodyError && thrown.status >= 500) return away(issuer, thrown);
    return new Failure('login.refused', `${issuer} says: ${plain(thrown.error_description ?? thrown.error)}`);
  }
  if (thrown instanceof ClientError && thrown.code !== 'OAUTH_TIMEOUT')
    return new Failure('login.refused', `the answer of ${issuer} is not as it should be: ${plain(thrown.message)}`);
  return away(issuer, thrown);
}

function away(issuer: string, thrown: unknown): Failure {
  const { cause, message } = thrown as Error;
  const why = cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message;
  return new Failure('login.unavailable', `cannot ask the provider at ${issuer}: ${plain(why)}`);
}

/** A stranger's words, for a terminal. */
function plain(text: string): string {
  return text.replaceAll(/[^\x20-\x7e\xa0-\uffff]+/g, ' ').slice(0, 300);
}
