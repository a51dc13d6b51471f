/**
 * The gateway's keys and certificates, as files of the data folder's `keys/`, 0600 from the first byte on:
 *   wireguard.key  base64
 *   agent.pem      private key and certificate chain (leaf first) in one file, so that no crash can part them
 *   pending.pem    private key and request of a join or renewal under way, so that a restart repeats the very same request
 *   root.crt       the controller's root; for a while its successor too
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateTimes } from '@vrouter/api/agent/lifetime.ts';
import { formatKey, parseKey } from '@vrouter/core/bytes.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { generatePrivateKey } from '@vrouter/host/crypto/system.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';

/** What mutual TLS needs, PEM each. */
export interface AgentCredentials {
  readonly key: string;
  readonly chain: string;
  readonly root: string;
}

/** A key and the request that proves that we have it, PEM each. The key never leaves this host. */
export interface KeyAndRequest {
  readonly key: string;
  readonly csr: string;
}

export class Identity {
  readonly #folder: string;

  constructor(dataFolder: string) {
    this.#folder = join(dataFolder, 'keys');
  }

  /** The WireGuard private key: made at first use, then the same for ever. 32 bytes. Throws `data.corrupt`. */
  async wireguardKey(): Promise<Uint8Array> {
    const text = this.#read('wireguard.key');
    if (text === null) {
      const key = generatePrivateKey();
      await this.#write('wireguard.key', `${formatKey(key)}\n`);
      return key;
    }
    const parsed = parseKey(text.trim());
    if (parsed.ok) return parsed.value;
    throw this.#corrupt('wireguard.key', 'a WireGuard key');
  }

  /** The certificate that the controller gave us; null before enrolment. Throws `data.corrupt`. */
  credentials(): AgentCredentials | null {
    const pem = this.#read('agent.pem');
    const root = this.#read('root.crt');
    if (pem === null || root === null) return null;
    const key = blocks(pem, 'PRIVATE KEY')[0];
    const chain = blocks(pem, 'CERTIFICATE');
    if (key === undefined || chain.length === 0) throw this.#corrupt('agent.pem', 'a key and its certificates');
    return { key, chain: chain.join(''), root };
  }

  /** Keeps a certificate and its key, and forgets the request that led to it. */
  async save(credentials: AgentCredentials): Promise<void> {
    await this.#write('root.crt', credentials.root);
    await this.#write('agent.pem', `${credentials.key.trimEnd()}\n${credentials.chain}`);
    rmSync(join(this.#folder, 'pending.pem'), { force: true });
  }

  /** The request under way, made by `make` and kept when there is none; the same bytes each time. */
  async pending(make: () => Promise<KeyAndRequest>): Promise<KeyAndRequest> {
    const kept = this.#readPending();
    if (kept !== null) return kept;
    const made = await make();
    await this.#write('pending.pem', `${made.key.trimEnd()}\n${made.csr.trimEnd()}\n`);
    return this.#readPending() ?? made;
  }

  #readPending(): KeyAndRequest | null {
    const pem = this.#read('pending.pem') ?? '';
    const key = blocks(pem, 'PRIVATE KEY')[0];
    const csr = blocks(pem, 'CERTIFICATE REQUEST')[0];
    return key === undefined || csr === undefined ? null : { key, csr };
  }

  #read(name: string): string | null {
    const path = join(this.#folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8') : null;
  }

  async #write(name: string, text: string): Promise<void> {
    ensurePrivateFolder(this.#folder);
    await writeFileDurably(join(this.#folder, name), text, 0o600);
  }

  #corrupt(name: string, what: string): ProblemError {
    const path = join(this.#folder, name);
    return new ProblemError(
      problem('data.corrupt', `${path} does not hold ${what}; restore it, or remove it and join again`),
    );
  }
}

/** The PEM blocks of one label, each with its final newline. */
function blocks(pem: string, label: string): string[] {
  const pattern = new RegExp(`-----BEGIN ${label}-----[A-Za-z0-9+/=\\s]+-----END ${label}-----`, 'g');
  return (pem.match(pattern) ?? []).map((block) => `${block}\n`);
}

/** When a certificate begins and ends, Unix ms. */
export function certificateTimes(pem: string): CertificateTimes {
  const certificate = new X509Certificate(pem);
  return { notBeforeUnixMs: Date.parse(certificate.validFrom), notAfterUnixMs: Date.parse(certificate.validTo) };
}
