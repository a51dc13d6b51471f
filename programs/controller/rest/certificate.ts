/**
 * The certificate of REST: from files, which are looked at again and again, or from the authority, which hands over new ones. A running
 * listener takes a new one without losing a connection; one that cannot be used changes nothing.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ProblemError, problem, toProblem } from '@vrouter/core/problem.ts';
import type { FastifyBaseLogger } from 'fastify';
import { readSecret } from '../ca/step/provisioner.ts';

/** Longest file with certificates, bytes. */
const FILE_MAX = 1 << 20;
const DAY_MS = 24 * 3_600_000;
/** Its end is told of from so long before, or from the last third of its life, ms; then once a day. */
const WARN_MS = 14 * DAY_MS;

export interface RestCertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface Credentials {
  readonly key: string;
  /** The leaf, then the intermediates, PEM. */
  readonly cert: string;
}

type Log = Pick<FastifyBaseLogger, 'info' | 'warn' | 'error'>;

export class RestCertificate {
  readonly #files: RestCertificateFiles | null;
  readonly #unixMs: () => number;
  readonly #log: Log;
  #credentials: Credentials;
  #leaf: X509Certificate;
  #use: (options: SecureContextOptions) => void = () => undefined;
  /** What the files were when they were last read. */
  #seen: string;
  /** What they were when they could not be used, and whether that was told. */
  #bad: { readonly seen: string; readonly told: boolean } | null = null;
  #warnedUnixMs = Number.NEGATIVE_INFINITY;

  private constructor(
    files: RestCertificateFiles | null,
    seen: string,
    credentials: Credentials,
    unixMs: () => number,
    log: Log,
  ) {
    this.#files = files;
    this.#credentials = credentials;
    this.#leaf = new X509Certificate(credentials.cert);
    this.#seen = seen;
    this.#unixMs = unixMs;
    this.#log = log;
  }

  /** Throws ProblemError `config.invalid` when the files cannot be used. */
  static ofFiles(files: RestCertificateFiles, unixMs: () => number, log: Log): RestCertificate {
    // Before they are read: what changes meanwhile is seen as a change.
    const seen = lookOf(files);
    return new RestCertificate(files, seen, readCredentials(files), unixMs, log);
  }

  /** One of the authority; `replace` takes the next ones. */
  static of(credentials: Credentials, unixMs: () => number, log: Log): RestCertificate {
    return new RestCertificate(null, '', credentials, unixMs, log);
  }

  get options(): SecureContextOptions {
    return secureOptions(this.#credentials);
  }

  /** True while files could not be read anew, so that an older certificate is shown. */
  get failing(): boolean {
    return this.#bad?.told === true;
  }

  get expiresUnixMs(): number {
    return Date.parse(this.#leaf.validTo);
  }

  /** Whether it is for that name or address. */
  isFor(host: string): boolean {
    return (isIP(host) === 0 ? this.#leaf.checkHost(host) : this.#leaf.checkIP(host)) !== undefined;
  }

  /** `use` puts options into the running listener; connections that there are stay. */
  serve(use: (options: SecureContextOptions) => void): void {
    this.#use = use;
  }

  replace(credentials: Credentials): void {
    this.#credentials = credentials;
    this.#leaf = new X509Certificate(credentials.cert);
    this.#use(this.options);
  }

  /**
   * Reads the files again if they have changed, and tells of an end that is near. Files that cannot be used are told of when they are still
   * that at the next look, since two are seldom written in one moment; with `now`, at once. Never throws.
   */
  look(now = false): void {
    if (this.#files !== null) this.#reread(this.#files, now);
    this.#warn();
  }

  #reread(files: RestCertificateFiles, now: boolean): void {
    const seen = lookOf(files);
    if (seen === this.#seen || (!now && this.#bad?.told === true && this.#bad.seen === seen)) return;
    try {
      const fresh = readCredentials(files);
      const { validTo } = new X509Certificate(fresh.cert);
      if (Date.parse(validTo) <= this.#unixMs()) throw wrong(`the certificate has ended, ${validTo}`, CERTIFICATE);
      this.#seen = seen;
      this.#bad = null;
      this.#warnedUnixMs = Number.NEGATIVE_INFINITY;
      this.replace(fresh);
      this.#log.info({ until: validTo, file: files.certificate }, 'REST shows a new certificate');
    } catch (thrown) {
      const told = now || this.#bad?.seen === seen;
      this.#bad = { seen, told };
      const { message } = toProblem(thrown);
      if (told) this.#log.error({ until: this.#leaf.validTo }, `REST keeps its certificate: ${message}`);
    }
  }

  #warn(): void {
    const now = this.#unixMs();
    const leftMs = this.expiresUnixMs - now;
    const lifeMs = this.expiresUnixMs - Date.parse(this.#leaf.validFrom);
    if (leftMs > Math.min(WARN_MS, lifeMs / 3) || Math.abs(now - this.#warnedUnixMs) < DAY_MS) return;
    this.#warnedUnixMs = now;
    const until = this.#leaf.validTo;
    if (leftMs > 0) this.#log.warn({ until }, 'the certificate of REST ends soon');
    else this.#log.error({ until }, 'the certificate of REST has ended; nobody who checks it can connect');
  }
}

const CERTIFICATE = '--rest-certificate';
const KEY = '--rest-key';

function secureOptions({ key, cert }: Credentials): SecureContextOptions {
  return { key, cert, minVersion: 'TLSv1.2' };
}

/** Throws ProblemError `config.invalid`. What is in a file is not in the sentence. */
function readCredentials(files: RestCertificateFiles): Credentials {
  const key = `${readSecret(files.key, KEY)}\n`;
  let cert: string;
  try {
    if (statSync(files.certificate).size > FILE_MAX) throw wrong(`${files.certificate} is too long`, CERTIFICATE);
    cert = readFileSync(files.certificate, 'utf8');
  } catch (thrown) {
    if (thrown instanceof ProblemError) throw thrown;
    throw wrong(`${files.certificate} cannot be read: ${(thrown as Error).message}`, CERTIFICATE);
  }
  const leaf = attempt(
    () => new X509Certificate(cert),
    `there is no certificate (PEM) in ${files.certificate}`,
    CERTIFICATE,
  );
  const secret = attempt(
    () => createPrivateKey(key),
    `there is no private key (PEM, not encrypted) in ${files.key}`,
    KEY,
  );
  if (!leaf.checkPrivateKey(secret))
    throw wrong(`the key in ${files.key} is not that of the first certificate in ${files.certificate}`, KEY);
  const sentence = `TLS cannot use ${files.certificate} with ${files.key}`;
  attempt(() => createSecureContext(secureOptions({ key, cert })), sentence, CERTIFICATE);
  return { key, cert };
}

function attempt<T>(what: () => T, sentence: string, option: string): T {
  try {
    return what();
  } catch {
    throw wrong(sentence, option);
  }
}

/** Changes whenever one of the files does. */
function lookOf({ certificate, key }: RestCertificateFiles): string {
  return [certificate, key]
    .map((path) => {
      const found = statSync(path, { bigint: true, throwIfNoEntry: false });
      return found === undefined ? 'none' : `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs} ${found.ctimeNs}`;
    })
    .join(', ');
}

function wrong(hint: string, option: string): ProblemError {
  return new ProblemError(problem('config.invalid', hint, option));
}
