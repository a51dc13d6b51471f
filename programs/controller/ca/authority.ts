/**
 * The embedded certificate authority. Root and intermediate are files of `DIR/ca`, key and certificate of each in one, so that no
 * crash can part them; the root signs the intermediate and nothing else.
 */
// @peculiar/x509 will not load before this.
import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PublicKey, X509Certificate } from '@peculiar/x509';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import { type Issuer, issueGateway, issueIntermediate, issueRoot, issueServer } from './issue.ts';
import { generateKeyPair, importPrivateKey, type KeyPair, pemBlock } from './keys.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const ROOT_MS = 3650 * DAY_MS;
const INTERMEDIATE_MS = 1825 * DAY_MS;
/** The intermediate gets a new certificate (same key) when less than this is left. */
const INTERMEDIATE_RENEW_MS = 365 * DAY_MS;
const SERVER_MS = 30 * DAY_MS;
export const GATEWAY_MS = 8 * HOUR_MS;

export interface IssuedCertificate {
  /** Leaf first, then the intermediate, PEM each. */
  readonly chain: readonly string[];
  /** Lower-case hex without leading zeroes or colons. */
  readonly serial: string;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
}

export interface ServerCredentials {
  readonly key: string;
  /** The whole chain, PEM. */
  readonly cert: string;
  readonly notAfterUnixMs: number;
}

export class Authority {
  readonly rootPem: string;
  /** SHA-256 of the root's DER, lower-case hex. */
  readonly rootFingerprint: string;
  readonly #root: Issuer;
  readonly #folder: string;
  readonly #unixMs: () => number;
  #intermediate: Issuer;

  private constructor(root: Issuer, intermediate: Issuer, folder: string, unixMs: () => number) {
    this.#root = root;
    this.#intermediate = intermediate;
    this.#folder = folder;
    this.#unixMs = unixMs;
    this.rootPem = pemOf(root.certificate);
    this.rootFingerprint = fingerprintOf(root.certificate);
  }

  /**
   * Opens the authority in `folder`, or makes one. `knownFingerprint` is that of the root which certificates were issued under; when
   * that root is gone, a new one would lock out every gateway, so this throws `data.corrupt` instead.
   */
  static async open(folder: string, knownFingerprint: string | null, unixMs: () => number): Promise<Authority> {
    ensurePrivateFolder(folder);
    const rootPath = join(folder, 'root.pem');
    let root = await readIssuer(rootPath);
    if (knownFingerprint !== null && (root === null || fingerprintOf(root.certificate) !== knownFingerprint)) {
      const hint = `${rootPath} is missing or is not the root that the gateways know; restore it from a backup`;
      throw new ProblemError(problem('data.corrupt', hint));
    }
    root ??= await makeRoot(rootPath, unixMs());
    const path = join(folder, 'intermediate.pem');
    const intermediate =
      (await readIssuer(path)) ?? (await makeIntermediate(path, root, await generateKeyPair(), unixMs()));
    const authority = new Authority(root, intermediate, folder, unixMs);
    await authority.#renewIntermediate();
    return authority;
  }

  /** The intermediate, PEM. */
  get intermediatePem(): string {
    return pemOf(this.#intermediate.certificate);
  }

  async server(hosts: readonly string[]): Promise<ServerCredentials> {
    await this.#renewIntermediate();
    const pair = await generateKeyPair();
    const subject = this.#subject('vrouter-controller', pair.keys.publicKey, SERVER_MS);
    const certificate = await issueServer(subject, hosts, this.#intermediate);
    const cert = pemOf(certificate) + this.intermediatePem;
    return { key: pair.privateKeyPem, cert, notAfterUnixMs: certificate.notAfter.getTime() };
  }

  /** A gateway's certificate for the key that it showed. */
  async gateway(gatewayId: string, publicKey: PublicKey): Promise<IssuedCertificate> {
    const certificate = await issueGateway(this.#subject(gatewayId, publicKey, GATEWAY_MS), this.#intermediate);
    return {
      chain: [pemOf(certificate), this.intermediatePem],
      serial: normalSerial(certificate.serialNumber),
      notBeforeUnixMs: certificate.notBefore.getTime(),
      notAfterUnixMs: certificate.notAfter.getTime(),
    };
  }

  #subject(commonName: string, publicKey: PublicKey | CryptoKey, lifetimeMs: number) {
    return { commonName, publicKey, lifetimeMs, nowUnixMs: this.#unixMs() };
  }

  /** Same key and name, so what the older certificate has signed stays good. */
  async #renewIntermediate(): Promise<void> {
    const now = this.#unixMs();
    if (this.#intermediate.certificate.notAfter.getTime() - now > INTERMEDIATE_RENEW_MS) return;
    const path = join(this.#folder, 'intermediate.pem');
    const privateKeyPem = pemBlock(readFileSync(path, 'utf8'), 'PRIVATE KEY');
    if (privateKeyPem === null) throw corrupt(path);
    const certificate = await issueIntermediate(
      {
        commonName: 'vrouter intermediate',
        publicKey: this.#intermediate.certificate.publicKey,
        lifetimeMs: INTERMEDIATE_MS,
        nowUnixMs: now,
      },
      this.#root,
    );
    await writeFileDurably(path, privateKeyPem + pemOf(certificate), 0o600);
    this.#intermediate = { certificate, privateKey: this.#intermediate.privateKey };
  }
}

export function normalSerial(serial: string): string {
  return serial.toLowerCase().replace(/^0+/, '');
}

async function readIssuer(path: string): Promise<Issuer | null> {
  if (!existsSync(path)) return null;
  const text = readFileSync(path, 'utf8');
  const key = pemBlock(text, 'PRIVATE KEY');
  const certificate = pemBlock(text, 'CERTIFICATE');
  if (key === null || certificate === null) throw corrupt(path);
  try {
    return { certificate: new X509Certificate(certificate), privateKey: await importPrivateKey(key) };
  } catch {
    throw corrupt(path);
  }
}

async function makeRoot(path: string, nowUnixMs: number): Promise<Issuer> {
  const pair = await generateKeyPair();
  const subject = { commonName: 'vrouter root', lifetimeMs: ROOT_MS, nowUnixMs };
  const certificate = await issueRoot(subject, pair.keys);
  await writeFileDurably(path, pair.privateKeyPem + pemOf(certificate), 0o600);
  return { certificate, privateKey: pair.keys.privateKey };
}

async function makeIntermediate(path: string, root: Issuer, pair: KeyPair, nowUnixMs: number): Promise<Issuer> {
  const subject = {
    commonName: 'vrouter intermediate',
    publicKey: pair.keys.publicKey,
    lifetimeMs: INTERMEDIATE_MS,
    nowUnixMs,
  };
  const certificate = await issueIntermediate(subject, root);
  await writeFileDurably(path, pair.privateKeyPem + pemOf(certificate), 0o600);
  return { certificate, privateKey: pair.keys.privateKey };
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem').trimEnd()}\n`;
}

function fingerprintOf(certificate: X509Certificate): string {
  return createHash('sha256').update(new Uint8Array(certificate.rawData)).digest('hex');
}

function corrupt(path: string): ProblemError {
  return new ProblemError(
    problem('data.corrupt', `${path} does not hold a key and a certificate; restore it from a backup`),
  );
}
