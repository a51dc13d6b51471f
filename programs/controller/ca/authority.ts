/**
 * The embedded certificate authority. Root and intermediate are files of `DIR/ca`, key and certificate of each in one, so that no
 * crash can part them; the root signs intermediates and nothing else.
 */
// @peculiar/x509 will not load before this.
import 'reflect-metadata';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PublicKey, X509Certificate } from '@peculiar/x509';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import { Intermediates } from './intermediates.ts';
import { type Issuer, issueGateway, issueRoot, issueServer, readIssuer } from './issue.ts';
import type { IssuerBook } from './issuer-book.ts';
import { generateKeyPair, pemOf, sha256Hex } from './keys.ts';
import {
  type CertificateProvider,
  GATEWAY_MS,
  type IssuedCertificate,
  normalSerial,
  type ProviderHealth,
  type ServerCredentials,
  type TrustedIssuer,
} from './provider.ts';
import type { CertificateRequest } from './request.ts';

const DAY_MS = 24 * 3_600_000;
const ROOT_MS = 3650 * DAY_MS;
const SERVER_MS = 30 * DAY_MS;

export class Authority implements CertificateProvider {
  readonly kind = 'embedded';
  readonly rootPem: string;
  readonly rootFingerprint: string;
  readonly #intermediates: Intermediates;
  readonly #book: IssuerBook | null;
  readonly #unixMs: () => number;

  private constructor(root: Issuer, intermediates: Intermediates, book: IssuerBook | null, unixMs: () => number) {
    this.#book = book;
    this.#intermediates = intermediates;
    this.#unixMs = unixMs;
    this.rootPem = pemOf(root.certificate);
    this.rootFingerprint = fingerprintOf(root.certificate);
  }

  /**
   * Opens the authority in `folder`, or makes one. `knownFingerprint` is that of the root which certificates were issued under; when
   * that root is gone, a new one would lock out every gateway, so this throws `data.corrupt` instead. `book`: where controllers that
   * share a store tell each other of their intermediates.
   */
  static async open(
    folder: string,
    knownFingerprint: string | null,
    unixMs: () => number,
    book: IssuerBook | null = null,
  ): Promise<Authority> {
    ensurePrivateFolder(folder);
    const path = join(folder, 'root.pem');
    let root = existsSync(path) ? await readIssuer(path, readFileSync(path, 'utf8')) : null;
    if (knownFingerprint !== null && (root === null || fingerprintOf(root.certificate) !== knownFingerprint)) {
      const hint = `${path} is missing or is not the root that the gateways know; restore it from a backup. A further controller on the same store gets it by --ca-key-file, with the key file of the others, or by a copy of their folder ca/`;
      throw new ProblemError(problem('data.corrupt', hint));
    }
    root ??= await makeRoot(path, unixMs());
    const authority = new Authority(root, await Intermediates.open(folder, root, unixMs, book), book, unixMs);
    await book?.look(authority.rootPem);
    return authority;
  }

  roots(): readonly string[] {
    return [this.rootPem];
  }

  issuers(): readonly TrustedIssuer[] {
    const own = this.#intermediates.trusted();
    return [...own, ...(this.#book?.others(own) ?? [])];
  }

  async issue(gatewayId: string, { publicKey }: Pick<CertificateRequest, 'publicKey'>): Promise<IssuedCertificate> {
    const issuer = await this.#intermediates.active();
    const certificate = await issueGateway(this.#subject(gatewayId, publicKey, GATEWAY_MS), issuer);
    return {
      chain: [pemOf(certificate), pemOf(issuer.certificate)],
      serial: normalSerial(certificate.serialNumber),
      notBeforeUnixMs: certificate.notBefore.getTime(),
      notAfterUnixMs: certificate.notAfter.getTime(),
    };
  }

  /** Nobody but the controller asks, and it asks its own store. */
  async revoke(_serial: string): Promise<void> {}

  async server(
    hosts: readonly string[],
    _before: ServerCredentials | null,
    knownUnixMs: number,
  ): Promise<ServerCredentials> {
    const issuer = await this.#intermediates.active();
    const pair = await generateKeyPair();
    const lifetimeMs = SERVER_MS + Math.max(0, knownUnixMs - this.#unixMs());
    const subject = this.#subject('vrouter-controller', pair.keys.publicKey, lifetimeMs);
    const certificate = await issueServer(subject, hosts, issuer);
    return {
      key: pair.privateKeyPem,
      cert: pemOf(certificate) + pemOf(issuer.certificate),
      notBeforeUnixMs: certificate.notBefore.getTime(),
      notAfterUnixMs: certificate.notAfter.getTime(),
    };
  }

  health(): ProviderHealth {
    return { state: 'working' };
  }

  async check(): Promise<void> {}

  async follow(): Promise<void> {
    if (this.#book === null) return;
    await this.#book.look(this.rootPem);
    if (!this.#book.isOld(this.#intermediates.trusted()[0]!.pem)) return;
    await this.#intermediates.rotate();
    await this.#book.look(this.rootPem);
  }

  async rotate(): Promise<void> {
    // Whoever is cut off after this rotates at its next start, as the others do.
    await this.#book?.nextRound();
    await this.#intermediates.rotate();
    await this.#book?.look(this.rootPem);
  }

  #subject(commonName: string, publicKey: PublicKey | CryptoKey, lifetimeMs: number) {
    return { commonName, publicKey, lifetimeMs, nowUnixMs: this.#unixMs() };
  }
}

async function makeRoot(path: string, nowUnixMs: number): Promise<Issuer> {
  const text = await newRoot(nowUnixMs);
  await writeFileDurably(path, text, 0o600);
  return readIssuer(path, text);
}

/** Key and certificate of a new root, PEM, as `root.pem` has them. */
export async function newRoot(nowUnixMs: number): Promise<string> {
  const pair = await generateKeyPair();
  const certificate = await issueRoot({ commonName: 'vrouter root', lifetimeMs: ROOT_MS, nowUnixMs }, pair.keys);
  return pair.privateKeyPem + pemOf(certificate);
}

/** SHA-256 of the certificate in such a text, lower-case hex. Throws `data.corrupt`, naming `path`. */
export async function rootFingerprintOf(path: string, text: string): Promise<string> {
  return fingerprintOf((await readIssuer(path, text)).certificate);
}

function fingerprintOf(certificate: X509Certificate): string {
  return sha256Hex(new Uint8Array(certificate.rawData));
}
