/**
 * Who a REST request comes from. Every request looks its token up in the store, so that a token that was revoked, anywhere, is good
 * no more. Whatever is wrong with one, the caller hears the same; the audit knows why.
 */
import type { Role } from '@vrouter/api/rest/identity.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { Limiter } from '../agents/limiter.ts';
import type { Actor } from '../desk/actor.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { findApiToken, forgetApiTokens, type OwnedToken, saveUses, whyNotGood } from '../store/api-tokens.ts';
import { recordAudit } from '../store/audit.ts';
import type { Db } from '../store/schema.ts';
import { forgetNonces } from '../store/used-nonces.ts';
import { actorName } from './origin.ts';
import { lesser, suffices } from './roles.ts';
import { parseBearer, secretMatches } from './token.ts';

/** The time of the last use is written when it is this much later than the one that is written, ms. */
const USE_STEP_MS = 60_000;
/** Tokens are forgotten this long after their end, ms. */
const TOKEN_MEMORY_MS = 30 * 24 * 3_600_000;
/** Used nonces are forgotten this long after their end: no clock that is put back a little brings them to life. ms. */
const NONCE_MEMORY_MS = 24 * 3_600_000;

export interface Caller {
  readonly actor: Actor;
  /** What it may do. */
  readonly role: Role;
  readonly token: OwnedToken;
}

/** What is asked, for the audit and the rate limit. */
export interface Asking {
  readonly authorization: string | undefined;
  /** Address that it came from. */
  readonly address: string;
  /** Whose failures count together: the address, or the network that its owner may choose from. */
  readonly source: string;
  /** `GET /v1/vrouters` */
  readonly what: string;
}

export class Identity {
  readonly db: Db;
  readonly unixMs: () => number;
  readonly #metrics: Pick<Metrics, 'unauthenticated'>;
  /**
   * Failures alone count, and who shows a good token passes all the same: else a stranger on the same address could lock people out.
   * No rate at which 256 random bits can be guessed matters; the limit keeps the audit small and the disk quiet.
   */
  readonly #bySource: Limiter;
  readonly #uses = new Map<string, number>();
  readonly #listeners = new Set<() => void>();

  constructor(db: Db, metrics: Pick<Metrics, 'unauthenticated'>, unixMs: () => number) {
    this.db = db;
    this.unixMs = unixMs;
    this.#metrics = metrics;
    this.#bySource = new Limiter(20, 6000, unixMs);
  }

  /** Throws `request.unauthenticated`, or `request.limited` after too many of those. */
  async authenticate(asking: Asking): Promise<Caller> {
    const parts = parseBearer(asking.authorization);
    if (parts === 'missing' || parts === null) return this.#refuse(asking, null, parts ?? 'malformed');
    const token = await findApiToken(this.db, parts.id);
    const matches = secretMatches(parts.secret, token?.secretHash ?? null);
    if (token === undefined) return this.#refuse(asking, parts.id, 'unknown');
    if (!matches) return this.#refuse(asking, parts.id, 'wrongSecret');
    const why = whyNotGood(token, this.unixMs());
    if (why !== null) return this.#refuse(asking, parts.id, why);
    this.#used(token);
    const name = actorName(token.userName, token.userIssuer);
    const actor = { name, tokenId: token.id, source: asking.address };
    return { actor, role: lesser(token.role, token.userRole), token };
  }

  /** Whether a caller that was let in before would still be, for what needs the role. */
  async stillMay(caller: Caller, needed: Role): Promise<boolean> {
    const token = await findApiToken(this.db, caller.token.id);
    if (token === undefined || whyNotGood(token, this.unixMs()) !== null) return false;
    return suffices(lesser(token.role, token.userRole), needed);
  }

  /** Hears when users or tokens have changed here; what another controller changed shows when it is looked up. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** Tells that users or tokens have changed. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Writes down when tokens were last used. */
  async flush(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = new Map(this.#uses);
    this.#uses.clear();
    await this.db.transaction().execute((tx) => saveUses(tx, uses));
  }

  /** Forgets tokens that ended a while ago, and nonces that are too old to be used. */
  async forget(): Promise<void> {
    await forgetApiTokens(this.db, this.unixMs() - TOKEN_MEMORY_MS);
    await forgetNonces(this.db, this.unixMs() - NONCE_MEMORY_MS);
  }

  #used(token: OwnedToken): void {
    const now = this.unixMs();
    if (Math.abs(now - (token.lastUsedUnixMs ?? 0)) >= USE_STEP_MS) this.#uses.set(token.id, now);
  }

  async #refuse(asking: Asking, tokenId: string | null, reason: string): Promise<never> {
    const { source, address, what } = asking;
    const waitMs = this.#bySource.waitMs(source);
    this.#metrics.unauthenticated.inc({ reason: waitMs > 0 ? 'limited' : reason });
    if (waitMs > 0) {
      const hint = `too many requests without a good token; try again in ${Math.ceil(waitMs / 1000)} s`;
      throw new ProblemError(problem('request.limited', hint));
    }
    this.#bySource.take(source);
    await recordAudit(this.db, {
      atUnixMs: this.unixMs(),
      actor: 'rest',
      tokenId: null,
      source: address,
      action: 'authenticate',
      subject: tokenId,
      outcome: 'refused',
      reason: `${reason}: ${what}`.slice(0, 500),
    });
    const hint = 'this needs an API token that is good: Authorization: Bearer vra_...';
    throw new ProblemError(problem('request.unauthenticated', hint));
  }
}
