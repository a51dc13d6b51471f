/**
 * The OpenID Connect provider as the controller needs it: its metadata, its keys, and, where it wants a secret for that, the exchange of
 * a code. Nothing is asked of it before somebody logs in, so a controller starts and works without it.
 */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { FastifyBaseLogger } from 'fastify';
import { createRemoteJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientError,
  ClientSecretBasic,
  ClientSecretPost,
  type Configuration,
  type DeviceAuthorizationResponse,
  discovery,
  genericGrantRequest,
  initiateDeviceAuthorization,
  None,
  ResponseBodyError,
} from 'openid-client';
import { isLoopback } from '../rest/guard.ts';
import { DoubtError } from './id-token.ts';

export interface ProviderOptions {
  /** As it was given; https, or http on the loopback. */
  readonly issuer: string;
  readonly clientId: string;
  /** Null: a public client, whose codes are exchanged by whoever logs in. */
  readonly clientSecret: string | null;
}

/** How often the provider is asked, ms. */
export interface ProviderPace {
  /** Metadata and keys are looked at anew. */
  readonly memoryMs: number;
  /** A key that is not known makes us look, no more often than this. */
  readonly keysMs: number;
  /** A provider that did not answer is left in peace. */
  readonly retryMs: number;
}

const PACE: ProviderPace = { memoryMs: 3_600_000, keysMs: 10_000, retryMs: 2000 };
const TIMEOUT_MS = 5000;
/** RFC 8628, section 3.4 */
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

interface Found {
  readonly configuration: Configuration;
  readonly issuer: string;
  readonly keys: JWTVerifyGetKey;
  readonly untilUnixMs: number;
}

export class Provider {
  readonly options: ProviderOptions;
  readonly #log: Pick<FastifyBaseLogger, 'warn' | 'error'>;
  readonly #unixMs: () => number;
  readonly #pace: ProviderPace;
  #found: Found | null = null;
  #finding: Promise<Found> | null = null;
  #failedUnixMs = Number.NEGATIVE_INFINITY;

  constructor(
    options: ProviderOptions,
    log: Pick<FastifyBaseLogger, 'warn' | 'error'>,
    unixMs: () => number,
    pace: Partial<ProviderPace> = {},
  ) {
    this.options = options;
    this.#log = log;
    this.#unixMs = unixMs;
    this.#pace = { ...PACE, ...pace };
  }

  /** Whether an issuer that a token names can be ours; what it really calls itself, `look` tells. */
  goesBy(issuer: string): boolean {
    return URL.canParse(issuer) && new URL(issuer).href === new URL(this.options.issuer).href;
  }

  /** Its name, exactly, and its keys, which throw `login.unavailable` when they cannot be had. Throws that too. */
  async look(): Promise<{ readonly issuer: string; readonly keys: JWTVerifyGetKey }> {
    return this.#look();
  }

  /** The ID token for a code. Throws DoubtError `code`, ProblemError `login.unavailable`. */
  async exchange(code: string, codeVerifier: string, redirectUri: string): Promise<string> {
    const { configuration } = await this.#look();
    const parameters = { code, code_verifier: codeVerifier, redirect_uri: redirectUri };
    try {
      const { id_token: idToken } = await genericGrantRequest(configuration, 'authorization_code', parameters);
      if (idToken !== undefined) return idToken;
    } catch (thrown) {
      throw this.#failed(thrown, 'code');
    }
    throw new DoubtError('code');
  }

  /** Begins a login on another machine. Throws `login.notOffered`, `login.unavailable`. */
  async beginDevice(scopes: readonly string[]): Promise<DeviceAuthorizationResponse> {
    const { configuration } = await this.#look();
    if (configuration.serverMetadata().device_authorization_endpoint === undefined) {
      const hint = `${this.options.issuer} knows no logins on another machine; log in with a browser`;
      throw new ProblemError(problem('login.notOffered', hint));
    }
    try {
      return await initiateDeviceAuthorization(configuration, { scope: scopes.join(' ') });
    } catch (thrown) {
      throw this.#away(thrown, 'a code for a device');
    }
  }

  /**
   * The ID token at its end, or that it is not there yet, or that we ask too often. Throws DoubtError `denied`, `device`, ProblemError
   * `login.unavailable`.
   */
  async askDevice(deviceCode: string): Promise<{ readonly idToken: string } | 'pending' | 'tooSoon'> {
    const { configuration } = await this.#look();
    try {
      const { id_token: idToken } = await genericGrantRequest(configuration, DEVICE_GRANT, { device_code: deviceCode });
      if (idToken !== undefined) return { idToken };
    } catch (thrown) {
      const error = thrown instanceof ResponseBodyError ? thrown.error : null;
      if (error === 'authorization_pending') return 'pending';
      if (error === 'slow_down') return 'tooSoon';
      if (error === 'access_denied') throw new DoubtError('denied');
      throw this.#failed(thrown, 'device');
    }
    throw new DoubtError('device');
  }

  async #look(): Promise<Found> {
    const now = this.#unixMs();
    const known = this.#found;
    if (known !== null && now < known.untilUnixMs) return known;
    // Answers of a moment ago are as good as its own.
    if (Math.abs(now - this.#failedUnixMs) < this.#pace.retryMs) {
      if (known !== null) return known;
      throw unavailable();
    }
    this.#finding ??= this.#find().finally(() => {
      this.#finding = null;
    });
    try {
      return await this.#finding;
    } catch (thrown) {
      this.#failedUnixMs = this.#unixMs();
      // What it said an hour ago holds until it says something else.
      if (known !== null) return known;
      throw thrown;
    }
  }

  async #find(): Promise<Found> {
    const { issuer: url, clientId } = this.options;
    const insecure = isLoopbackUrl(url);
    let configuration: Configuration;
    try {
      const settings = { timeout: TIMEOUT_MS / 1000, execute: insecure ? [allowInsecureRequests] : [] };
      // How the secret is to be shown, the metadata says, which this fetches.
      configuration = await discovery(
        new URL(url),
        clientId,
        {},
        this.#authentication(() => configuration),
        settings,
      );
    } catch (thrown) {
      throw this.#away(thrown, 'its metadata');
    }
    const { issuer, jwks_uri: keysAt } = configuration.serverMetadata();
    if (keysAt === undefined || !URL.canParse(keysAt) || !isFit(keysAt, insecure))
      throw this.#away(new Error(`jwks_uri is ${String(keysAt)}`), 'its metadata');
    const { memoryMs, keysMs } = this.#pace;
    const sameKeys = this.#found?.configuration.serverMetadata().jwks_uri === keysAt ? this.#found.keys : null;
    const keys = sameKeys ?? this.#keys(new URL(keysAt), keysMs, memoryMs);
    this.#found = { configuration, issuer, keys, untilUnixMs: this.#unixMs() + memoryMs };
    return this.#found;
  }

  #authentication(configuration: () => Configuration): ClientAuth {
    const { clientSecret } = this.options;
    if (clientSecret === null) return None();
    return (as, client, body, headers) => {
      const { token_endpoint_auth_methods_supported: ways } = configuration().serverMetadata();
      // OpenID Connect Discovery 1.0, section 3: client_secret_basic where nothing is said.
      const basic = ways === undefined || ways.includes('client_secret_basic');
      return (basic ? ClientSecretBasic : ClientSecretPost)(clientSecret)(as, client, body, headers);
    };
  }

  #keys(url: URL, cooldownDuration: number, cacheMaxAge: number): JWTVerifyGetKey {
    const keys = createRemoteJWKSet(url, { timeoutDuration: TIMEOUT_MS, cooldownDuration, cacheMaxAge });
    return async (header, token) => {
      try {
        return await keys(header, token);
      } catch (thrown) {
        const known = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];
        if (known.some((one) => thrown instanceof one)) throw thrown;
        throw this.#away(thrown, 'its keys');
      }
    };
  }

  /** Whose fault it is that the token endpoint gave nothing: of who asks, or of provider and controller. */
  #failed(thrown: unknown, doubt: 'code' | 'device'): unknown {
    // It came, and is not for us or not of now; what is wrong with it does not matter.
    if (thrown instanceof ClientError && thrown.code?.startsWith('OAUTH_JWT_') === true) return new DoubtError(doubt);
    if (!(thrown instanceof ResponseBodyError)) return this.#away(thrown, 'its token endpoint');
    if (thrown.error === 'invalid_client' || thrown.error === 'unauthorized_client' || thrown.status >= 500)
      return this.#away(thrown, 'its token endpoint, as this client');
    return new DoubtError(doubt);
  }

  #away(err: unknown, what: string): ProblemError {
    this.#log.warn({ err, issuer: this.options.issuer }, `the provider did not give ${what}; nobody can log in`);
    return unavailable();
  }
}

function unavailable(): ProblemError {
  const hint =
    'the provider that people log in at does not answer this controller; API tokens and sessions work as before';
  return new ProblemError(problem('login.unavailable', hint));
}

/** Whether it may be spoken to in the clear: on this machine alone. */
export function isLoopbackUrl(text: string): boolean {
  const { protocol, hostname } = new URL(text);
  return protocol === 'http:' && isLoopback(hostname.replace(/^\[|\]$/g, ''));
}

function isFit(url: string, insecure: boolean): boolean {
  return new URL(url).protocol === 'https:' || (insecure && isLoopbackUrl(url));
}
