/**
 * What the controllers of one store know of each other's intermediates. Each issues with one of its own, whose key never leaves its
 * folder; its certificate is in the store before anything is issued with it. So whoever is asked believes what any of them has signed,
 * and a rotation shuts nobody out, wherever a gateway polls next. A rotation is a round: whoever issues with an intermediate of an earlier
 * round makes another one when it hears of it.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { allIssuers, forgetIssuers, nextRound, putIssuer, readRound } from '../store/issuers.ts';
import type { Db } from '../store/schema.ts';
import type { TrustedIssuer } from './provider.ts';

interface Known extends TrustedIssuer {
  readonly fingerprint: string;
  readonly round: number;
}

export class IssuerBook {
  readonly #db: Db;
  readonly #unixMs: () => number;
  #known: readonly Known[] = [];
  #round = 0;

  constructor(db: Db, unixMs: () => number) {
    this.#db = db;
    this.#unixMs = unixMs;
  }

  /** Says that certificates of this one are believed until then. Throws `store.unavailable`. */
  async publish(pem: string, trustedUntilUnixMs: number): Promise<void> {
    const round = await readRound(this.#db);
    await putIssuer(this.#db, { fingerprint: fingerprintOf(pem), pem, round, trustedUntilUnixMs });
  }

  /** Reads what all have published; what the root has not signed is nobody's. Throws `store.unavailable`. */
  async look(rootPem: string): Promise<void> {
    const root = new X509Certificate(rootPem);
    await forgetIssuers(this.#db, this.#unixMs());
    this.#round = await readRound(this.#db);
    this.#known = (await allIssuers(this.#db))
      .filter(({ pem }) => {
        const certificate = new X509Certificate(pem);
        return certificate.ca && certificate.checkIssued(root) && certificate.verify(root.publicKey);
      })
      .map(({ fingerprint, pem, round, trustedUntilUnixMs }) => {
        return { fingerprint, pem, round, trustedUntilUnixMs, active: false };
      });
  }

  /** Those of the others; `own` are not among them. */
  others(own: readonly TrustedIssuer[]): TrustedIssuer[] {
    const mine = new Set(own.map(({ pem }) => fingerprintOf(pem)));
    return this.#known
      .filter(({ fingerprint, trustedUntilUnixMs }) => !mine.has(fingerprint) && trustedUntilUnixMs > this.#unixMs())
      .map(({ pem, active, trustedUntilUnixMs }) => ({ pem, active, trustedUntilUnixMs }));
  }

  /** Whether all were told to rotate since this one was made. */
  isOld(pem: string): boolean {
    const row = this.#known.find(({ fingerprint }) => fingerprint === fingerprintOf(pem));
    return row !== undefined && row.round < this.#round;
  }

  /** Tells all to rotate. Throws `store.unavailable`. */
  async nextRound(): Promise<void> {
    await nextRound(this.#db);
  }
}

function fingerprintOf(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}
