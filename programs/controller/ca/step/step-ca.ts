/** step-ca as the authority: the controller asks it for every certificate, and checks what it gets. README.md has the whole. */
// @peculiar/x509 will not load before this.
import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { ProblemError, problem, toProblem } from '@vrouter/core/problem.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { GATEWAY_URI } from '../issue.ts';
import { generateKeyPair, keyAlgorithm, provider, sha256Hex } from '../keys.ts';
import {
  type CertificateProvider,
  type IssuedCertificate,
  normalSerial,
  type ProviderHealth,
  type ServerCredentials,
  type TrustedIssuer,
} from '../provider.ts';
import type { CertificateRequest } from '../request.ts';
import { StepClient, StepRefusal } from './client.ts';
import { credentialsOf, readList, readServer, writeList, writeServer } from './files.ts';
import { loadProvisioner, type ProvisionerOptions } from './provisioner.ts';
import { oneTimeToken, type ProvisionerKey } from './token.ts';

/** Tokens claim to be this old, for a CA whose clock is behind, ms. */
const TOKEN_AGE_MS = 30_000;
/** Clocks of the CA and of this machine may differ by this much, ms. */
const SKEW_MS = 5 * 60_000;
const LISTENER_KEY_MAX_AGE_MS = 24 * 3_600_000;

export interface StepCaOptions {
  readonly url: string;
  /** SHA-256 of the root's DER, lower-case hex. */
  readonly fingerprint: string;
  readonly provisioner: ProvisionerOptions;
}

interface Trouble {
  readonly code: string;
  readonly sinceUnixMs: number;
  readonly why: string;
}

export class StepCa implements CertificateProvider {
  readonly kind = 'step-ca';
  readonly rootPem: string;
  readonly rootFingerprint: string;
  readonly #folder: string;
  readonly #provisioner: ProvisionerOptions;
  readonly #client: StepClient;
  readonly #unixMs: () => number;
  #key: ProvisionerKey | null = null;
  #roots: readonly string[];
  #issuers: readonly string[];
  #trouble: Trouble | null = null;
  #listenerKeyUnixMs = Number.NEGATIVE_INFINITY;
  /** Files are written one after the other. */
  #turn: Promise<void> = Promise.resolve();

  private constructor(folder: string, options: StepCaOptions, roots: readonly string[], unixMs: () => number) {
    this.#folder = folder;
    this.#provisioner = options.provisioner;
    this.#unixMs = unixMs;
    this.#roots = roots;
    this.#issuers = readList(folder, 'issuers.pem');
    this.#client = new StepClient(options.url, roots, unixMs);
    this.rootPem = roots[0]!;
    this.rootFingerprint = options.fingerprint;
  }

  /**
   * Opens the provider in `folder`. A CA that is away is no hindrance once its root is known. Throws ProblemError: `tls.fingerprint`,
   * `config.invalid` (provisioner, key, password), `ca.unreachable` and `ca.refused` at the first time, `data.corrupt`.
   */
  static async open(folder: string, options: StepCaOptions, unixMs: () => number): Promise<StepCa> {
    ensurePrivateFolder(folder);
    const { url, fingerprint } = options;
    let roots = readList(folder, 'roots.pem');
    if (roots[0] === undefined || fingerprintOf(roots[0]) !== fingerprint) {
      roots = [new X509Certificate(await StepClient.root(url, fingerprint, unixMs)).toString()];
      await writeList(folder, 'roots.pem', roots);
    }
    const opened = new StepCa(folder, options, roots, unixMs);
    try {
      await opened.#provisionerKey();
    } catch (thrown) {
      // A mistake of the configuration is told now, an absence later.
      if (toProblem(thrown).code === 'config.invalid') throw thrown;
      opened.#note(thrown);
    }
    return opened;
  }

  roots(): readonly string[] {
    return this.#roots;
  }

  issuers(): readonly TrustedIssuer[] {
    const now = this.#unixMs();
    return this.#issuers
      .map((pem, i) => ({ pem, active: i === 0, trustedUntilUnixMs: Date.parse(new X509Certificate(pem).validTo) }))
      .filter((issuer) => issuer.trustedUntilUnixMs + SKEW_MS > now);
  }

  async issue(gatewayId: string, request: CertificateRequest): Promise<IssuedCertificate> {
    // The CA lets a request name itself as its token does, and no further: its certificates are good for servers too.
    if (request.commonName !== null && request.commonName !== '' && request.commonName !== gatewayId) {
      const hint = 'the request names itself otherwise than this gateway is called here; update vrouterd';
      throw new ProblemError(problem('input.invalid', hint, 'csr'));
    }
    const uri = GATEWAY_URI + gatewayId;
    const chain = await this.#attempt(async () => {
      await this.#learnRoots();
      const signed = await this.#sign(gatewayId, [uri], request.pem, '8h');
      return this.#checked(signed, new Uint8Array(request.publicKey.rawData), [`URI:${uri}`]);
    });
    const leaf = new X509Certificate(chain[0]!);
    return {
      chain,
      serial: normalSerial(leaf.serialNumber),
      notBeforeUnixMs: Date.parse(leaf.validFrom),
      notAfterUnixMs: Date.parse(leaf.validTo),
    };
  }

  async revoke(serial: string): Promise<void> {
    const decimal = BigInt(`0x${serial}`).toString();
    await this.#attempt(async () => {
      try {
        await this.#withToken({ call: 'revoke', subject: decimal, sans: [], requestDer: null }, (token) =>
          this.#client.revoke(decimal, token),
        );
      } catch (thrown) {
        // It says so with 400, and with nothing that could be told from other mistakes but its words.
        if (!(thrown instanceof StepRefusal) || !/already revoked/.test(thrown.message)) throw thrown;
      }
    });
  }

  async server(
    hosts: readonly string[],
    before: ServerCredentials | null,
    _knownUnixMs: number,
  ): Promise<ServerCredentials> {
    const kept = before ?? readServer(this.#folder);
    try {
      const made = await this.#attempt(() => this.#newServer(hosts, before));
      await writeServer(this.#folder, made);
      return made;
    } catch (thrown) {
      // Even one that has ended is better than no listener at all: another one is asked for all the time.
      if (before === null && kept !== null && isFor(kept, hosts)) return kept;
      throw thrown;
    }
  }

  health(): ProviderHealth {
    if (this.#trouble === null) return { state: 'working' };
    const { sinceUnixMs, why } = this.#trouble;
    return { state: 'failing', sinceUnixMs, why };
  }

  /** Each controller hears of the authority's intermediates from the authority. */
  async follow(): Promise<void> {}

  async check(): Promise<void> {
    try {
      await this.#client.health();
      // That it answers says nothing of whether it would do what it refused.
      if (this.#trouble?.code === 'ca.unreachable') this.#trouble = null;
    } catch (thrown) {
      this.#note(thrown);
    }
  }

  async rotate(): Promise<void> {
    const hint = 'the intermediate is the business of step-ca; give it another there, its root stays the same';
    throw new ProblemError(problem('intent.unsupported', hint));
  }

  close(): void {
    this.#client.close();
  }

  async #newServer(hosts: readonly string[], before: ServerCredentials | null): Promise<ServerCredentials> {
    await this.#learnRoots();
    const now = this.#unixMs();
    const isFresh = now - this.#listenerKeyUnixMs < LISTENER_KEY_MAX_AGE_MS;
    if (before !== null && isFresh && before.notAfterUnixMs > now && isFor(before, hosts)) {
      try {
        const key = new X509Certificate(before.cert).publicKey.export({ type: 'spki', format: 'der' });
        const chain = await this.#checked(await this.#client.renew(before), key, []);
        return credentialsOf(before.key, chain.join(''));
      } catch (thrown) {
        // Renewal may be forbidden for this provisioner; signing is not.
        if (!(thrown instanceof StepRefusal)) throw thrown;
      }
    }
    const pair = await generateKeyPair();
    const csr = await Pkcs10CertificateRequestGenerator.create(
      { name: '', keys: pair.keys, signingAlgorithm: keyAlgorithm },
      provider,
    );
    const signed = await this.#sign('vrouter-controller', hosts, `${csr.toString('pem').trimEnd()}\n`, undefined);
    const key = new Uint8Array(await provider.subtle.exportKey('spki', pair.keys.publicKey));
    const chain = await this.#checked(signed, key, []);
    this.#listenerKeyUnixMs = now;
    return credentialsOf(pair.privateKeyPem, chain.join(''));
  }

  #sign(
    subject: string,
    sans: readonly string[],
    csr: string,
    notAfter: string | undefined,
  ): Promise<readonly string[]> {
    const requestDer = Buffer.from(csr.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
    return this.#withToken({ call: 'sign', subject, sans, requestDer }, (token) =>
      this.#client.sign(csr, token, notAfter),
    );
  }

  /**
   * A 401 has reasons that another token mends: a CA that was started after the time that the token claims, and a provisioner that was
   * given another key. So it is tried once more, with a token of now and the key read anew.
   */
  async #withToken<T>(
    what: { call: 'sign' | 'revoke'; subject: string; sans: readonly string[]; requestDer: Uint8Array | null },
    use: (token: string) => Promise<T>,
  ): Promise<T> {
    const make = async (ageMs: number): Promise<string> => {
      const { call, ...claims } = what;
      const issuedUnixMs = this.#unixMs() - ageMs;
      return oneTimeToken(await this.#provisionerKey(), {
        ...claims,
        audience: this.#client.audience(call),
        issuedUnixMs,
      });
    };
    try {
      return await use(await make(TOKEN_AGE_MS));
    } catch (thrown) {
      if (!(thrown instanceof StepRefusal) || thrown.status !== 401) throw thrown;
      this.#key = null;
      return await use(await make(0));
    }
  }

  async #provisionerKey(): Promise<ProvisionerKey> {
    this.#key ??= await loadProvisioner(this.#provisioner, this.#client);
    return this.#key;
  }

  /** A chain without its root, once it is what was asked for; its issuer is believed from now on, also after a restart. */
  async #checked(
    signed: readonly string[],
    publicKey: Uint8Array,
    names: readonly string[],
  ): Promise<readonly string[]> {
    const refuse = (why: string): never => {
      throw new ProblemError(problem('ca.refused', `the CA's certificate cannot be used: ${why}`));
    };
    let shown: X509Certificate[] = [];
    try {
      shown = signed.map((pem) => new X509Certificate(pem));
    } catch {
      refuse('it is none');
    }
    const certificates = shown.filter((one) => !one.checkIssued(one));
    const [leaf, issuer] = certificates;
    if (leaf === undefined || issuer === undefined || leaf.ca) return refuse('leaf or intermediate is missing');
    if (!leaf.publicKey.export({ type: 'spki', format: 'der' }).equals(publicKey)) refuse('it is for another key');
    if (names.length > 0 && leaf.subjectAltName !== names.join(', ')) refuse('it has other names');
    const roots = this.#roots.map((pem) => new X509Certificate(pem));
    for (const [i, one] of certificates.entries()) {
      const above = certificates[i + 1];
      const isSigned = (by: X509Certificate): boolean => by.ca && one.checkIssued(by) && one.verify(by.publicKey);
      if (above === undefined ? !roots.some(isSigned) : !isSigned(above))
        refuse('it does not lead to a root that we know');
    }
    const now = this.#unixMs();
    const [begin, end] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)];
    if (begin > now + SKEW_MS) refuse(`it begins ${leaf.validFrom}: the clock of the CA is ahead of ours`);
    if (end <= now) refuse(`it ended ${leaf.validTo}: the clock of the CA is behind ours`);
    if (end > Date.parse(issuer.validTo)) refuse('it outlives its issuer');
    await this.#believe(issuer.toString());
    return certificates.map((one) => one.toString());
  }

  async #believe(pem: string): Promise<void> {
    await this.#write(async () => {
      if (this.#issuers[0] === pem) return;
      const others = this.#issuers.filter(
        (one) => one !== pem && Date.parse(new X509Certificate(one).validTo) > this.#unixMs(),
      );
      const issuers = [pem, ...others];
      await writeList(this.#folder, 'issuers.pem', issuers);
      this.#issuers = issuers;
    });
  }

  /** Over a connection that one of the known roots vouches for, so that what it names can be handed on. */
  async #learnRoots(): Promise<void> {
    const named = (await this.#client.roots()).map((pem) => new X509Certificate(pem));
    if (!named.every((root) => root.ca && root.checkIssued(root) && root.verify(root.publicKey))) return;
    await this.#write(async () => {
      const others = named.map((root) => root.toString()).filter((pem) => pem !== this.rootPem);
      // The root of the join strings stays the first, also when the CA no longer has it.
      const roots = [this.rootPem, ...new Set(others)];
      if (roots.join('') === this.#roots.join('')) return;
      await writeList(this.#folder, 'roots.pem', roots);
      this.#roots = roots;
      this.#client.trust(roots);
    });
  }

  #write(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      const done = await work();
      this.#trouble = null;
      return done;
    } catch (thrown) {
      this.#note(thrown);
      const { code, message } = toProblem(thrown);
      // A gateway is not told of our configuration in the words for a mistake of its own.
      throw code === 'config.invalid' ? new ProblemError(problem('ca.refused', message)) : thrown;
    }
  }

  #note(thrown: unknown): void {
    const { code, message } = toProblem(thrown);
    if (code !== 'ca.unreachable' && code !== 'ca.refused' && code !== 'config.invalid') return;
    this.#trouble = { code, why: message, sinceUnixMs: this.#trouble?.sinceUnixMs ?? this.#unixMs() };
  }
}

function isFor({ cert }: ServerCredentials, hosts: readonly string[]): boolean {
  const leaf = new X509Certificate(cert);
  return hosts.every((host) => (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)) !== undefined);
}

function fingerprintOf(pem: string): string {
  return sha256Hex(new X509Certificate(pem).raw);
}
