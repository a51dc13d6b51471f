/**
 * Looks after everything about certificates that has its time: the listener's own, the authority's health, gateways whose renewal is
 * late, revocations that the authority has not heard of. It goes by the clock at each tick, so that a jump or a sleep costs one tick.
 */
import type { CaReply } from '@vrouter/api/rest/ca.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import type { FastifyBaseLogger } from 'fastify';
import type { Roster } from '../agents/roster.ts';
import type { Desired } from '../desired/desired.ts';
import type { Actor } from '../desk/actor.ts';
import type { EventBus } from '../events/bus.ts';
import { recordAudit } from '../store/audit.ts';
import { latestBegin, revokedSerials } from '../store/certificates.ts';
import type { Db } from '../store/schema.ts';
import { describeIssuer } from './describe.ts';
import type { CertificateProvider, ProviderHealth, ServerCredentials } from './provider.ts';

/** The listener's certificate is made anew at half its life, and each day. ms. */
const SERVER_MAX_AGE_MS = 24 * 3_600_000;

export interface KeeperParts {
  readonly db: Db;
  readonly provider: CertificateProvider;
  readonly desired: Desired;
  readonly roster: Roster;
  readonly events: EventBus;
  /** Names and addresses of the gateways' listener. */
  readonly hosts: readonly string[];
  readonly unixMs: () => number;
  readonly log: FastifyBaseLogger;
}

export class CertificateKeeper {
  readonly #parts: KeeperParts;
  #server: ServerCredentials;
  #serverMadeUnixMs: number;
  /** Hands credentials to the listener once there is one. */
  #use: (credentials: ServerCredentials) => void = () => undefined;
  #healthTold: ProviderHealth['state'] = 'working';
  /** Serials that the authority has heard of. */
  readonly #revoked = new Set<string>();
  #ticking = false;

  private constructor(parts: KeeperParts, server: ServerCredentials) {
    this.#parts = parts;
    this.#server = server;
    this.#serverMadeUnixMs = parts.unixMs();
  }

  /** Throws ProblemError when the authority gives the listener no certificate and there is none from before. */
  static async start(parts: KeeperParts): Promise<CertificateKeeper> {
    return new CertificateKeeper(parts, await parts.provider.server(parts.hosts, null, await latestBegin(parts.db)));
  }

  get server(): ServerCredentials {
    return this.#server;
  }

  /** The timer of the caller is enough for everything but a revocation, which the authority hears of at once. */
  watch(): () => void {
    return this.#parts.events.subscribe(({ type }) => {
      if (type === 'gateway.revoked' || type === 'gateway.registered') void this.#passOn();
    });
  }

  /** `use` puts credentials into the running listener; connections that there are stay. */
  serve(use: (credentials: ServerCredentials) => void): void {
    this.#use = use;
  }

  /**
   * A new intermediate, and a certificate of the listener by it. Gateways notice nothing: they know the root. Throws ProblemError
   * `intent.unsupported`, `data.unwritable`.
   */
  async rotate(actor: Actor): Promise<CaReply> {
    const { provider, db, events, unixMs } = this.#parts;
    await provider.rotate();
    await this.#renewServer();
    const subject = describeIssuer(provider.issuers()[0]!).serial;
    const who = { actor: actor.name, tokenId: actor.tokenId, source: actor.source };
    const entry = { ...who, action: 'ca.rotate', subject, reason: null };
    await recordAudit(db, { ...entry, atUnixMs: unixMs(), outcome: 'done' });
    events.emit({ type: 'ca.rotated', vrouter: '', subject, version: null, text: 'a new intermediate issues now' });
    return this.describe();
  }

  describe(): CaReply {
    const { provider, unixMs } = this.#parts;
    const health = provider.health();
    return {
      kind: provider.kind,
      state: health.state,
      failingSinceUnixMs: health.state === 'failing' ? health.sinceUnixMs : null,
      lastError: health.state === 'failing' ? health.why : null,
      rootFingerprint: provider.rootFingerprint,
      roots: provider.roots().length,
      issuers: provider.issuers().map(describeIssuer),
      serverCertificateExpiresUnixMs: this.#server.notAfterUnixMs,
      serverTimeUnixMs: unixMs(),
    };
  }

  /** Does what is due. Never rejects. */
  async tick(): Promise<void> {
    if (this.#ticking) return;
    this.#ticking = true;
    try {
      if (this.#serverIsDue())
        await this.#attempt('the certificate of the listener was not renewed', () => this.#renewServer());
      await this.#attempt('what other controllers issue with was not looked up', () => this.#follow());
      await this.#parts.provider.check();
      await this.#passOn();
      this.#tellHealth();
      this.#tellLate();
    } finally {
      this.#ticking = false;
    }
  }

  #serverIsDue(): boolean {
    const now = this.#parts.unixMs();
    const { notBeforeUnixMs, notAfterUnixMs } = this.#server;
    const age = now - this.#serverMadeUnixMs;
    // Also when the clock was put back behind its begin: it would be good for nobody.
    return age > SERVER_MAX_AGE_MS || now > (notBeforeUnixMs + notAfterUnixMs) / 2 || now < notBeforeUnixMs;
  }

  async #renewServer(): Promise<void> {
    const { provider, hosts, db } = this.#parts;
    this.#server = await provider.server(hosts, this.#server, await latestBegin(db));
    this.#serverMadeUnixMs = this.#parts.unixMs();
    this.#use(this.#server);
  }

  /** Another controller was told to rotate, and so were all. */
  async #follow(): Promise<void> {
    const { provider, events } = this.#parts;
    const before = provider.issuers()[0]?.pem;
    await provider.follow();
    const now = provider.issuers()[0];
    if (now === undefined || now.pem === before || provider.kind !== 'embedded') return;
    await this.#renewServer();
    const subject = describeIssuer(now).serial;
    const text = 'a new intermediate issues here, since another controller was told to rotate';
    events.emit({ type: 'ca.rotated', vrouter: '', subject, version: null, text });
  }

  #passOn(): Promise<void> {
    return this.#attempt('a revocation did not reach the authority', () => this.#passOnRevocations());
  }

  async #passOnRevocations(): Promise<void> {
    const { db, provider, unixMs } = this.#parts;
    const serials = await revokedSerials(db, unixMs());
    for (const serial of serials.filter((one) => !this.#revoked.has(one))) {
      await provider.revoke(serial);
      this.#revoked.add(serial);
    }
    // What has ended need not be remembered.
    for (const serial of this.#revoked) if (!serials.includes(serial)) this.#revoked.delete(serial);
  }

  #tellHealth(): void {
    const { provider, events, log } = this.#parts;
    const health = provider.health();
    if (health.state === this.#healthTold) return;
    this.#healthTold = health.state;
    if (health.state === 'failing') {
      log.error({ why: health.why }, 'the certificate authority fails; joins and renewals wait');
      events.emit({ type: 'ca.failing', vrouter: '', subject: null, version: null, text: health.why });
    } else {
      const text = 'the certificate authority works again';
      events.emit({ type: 'ca.working', vrouter: '', subject: null, version: null, text });
    }
  }

  #tellLate(): void {
    const { roster, desired, events, log, unixMs } = this.#parts;
    for (const gateway of roster.all()) {
      const state = gateway.worseCertificate(unixMs());
      if (state === null) continue;
      const vrouter = desired.byId(gateway.vrouterId)?.row.name ?? gateway.vrouterId;
      const until = new Date(gateway.lockoutUnixMs ?? 0).toISOString();
      const text = `the certificate of ${vrouter}'s gateway is ${state}; from ${until} on it must join anew`;
      events.emit({ type: 'certificate.late', vrouter, subject: gateway.id, version: null, text });
      if (state === 'late') log.warn({ vrouter, state }, text);
      else log.error({ vrouter, state }, text);
    }
  }

  async #attempt(whatFailed: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (thrown) {
      const { code, message } = toProblem(thrown);
      this.#parts.log.warn({ code, why: message }, whatFailed);
    }
  }
}
