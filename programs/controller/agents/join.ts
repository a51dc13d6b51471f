/**
 * POST /vrouter/register: a token becomes an identity, once. Whatever is wrong with a token, the caller hears the same; the audit
 * knows why. A gateway that lost the reply asks the very same again within ten minutes and gets the same answer.
 */
import { randomUUID } from 'node:crypto';
import { AGENT_PROTOCOL_VERSION, type RegisterReply, type RegisterRequest } from '@vrouter/api/agent/agent.ts';
import { parseIp, unmapped } from '@vrouter/core/ip.ts';
import { containsPrefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { CertificateProvider } from '../ca/provider.ts';
import { type CertificateRequest, readRequest } from '../ca/request.ts';
import type { Desired } from '../desired/desired.ts';
import type { EventBus } from '../events/bus.ts';
import { secretMatches, type TokenParts } from '../identity/token.ts';
import { parseToken } from '../join/token.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { writeAudit } from '../store/audit.ts';
import { insertCertificate } from '../store/certificates.ts';
import { count } from '../store/counters.ts';
import { type GatewayRow, gatewaysOfToken, insertGateway, revokeGatewaysOf } from '../store/gateways.ts';
import { peerByKey } from '../store/peers.ts';
import type { Db } from '../store/schema.ts';
import { consumeToken, findToken, type TokenRow } from '../store/tokens.ts';
import { networksOf } from '../store/vrouters.ts';
import { Limiter } from './limiter.ts';
import { keptReply, type MadeKey, makeKey, readKeptReply } from './made-keys.ts';
import type { Roster } from './roster.ts';

const RETRY_MS = 10 * 60_000;
/** Clocks may differ by this much before a token counts as ended, ms. */
const SKEW_MS = 60_000;

/** Why a join was refused: for the audit alone. */
class Refused extends Error {}

export class JoinService {
  readonly #db: Db;
  readonly #desired: Desired;
  readonly #roster: Roster;
  readonly #provider: CertificateProvider;
  readonly #events: EventBus;
  readonly #metrics: Metrics;
  readonly #controllerId: string;
  readonly #controllers: () => readonly string[];
  /** Who brings no request gets a key that is made here. */
  readonly #makesKeys: boolean;
  readonly #unixMs: () => number;
  /** Failures alone count, so a site of many gateways behind one address joins as fast as it likes. */
  readonly #bySource: Limiter;
  readonly #byToken: Limiter;

  constructor(
    db: Db,
    desired: Desired,
    roster: Roster,
    provider: CertificateProvider,
    events: EventBus,
    metrics: Metrics,
    controllerId: string,
    unixMs: () => number,
    controllers: () => readonly string[],
    makesKeys = false,
  ) {
    this.#makesKeys = makesKeys;
    this.#controllers = controllers;
    this.#db = db;
    this.#desired = desired;
    this.#roster = roster;
    this.#provider = provider;
    this.#events = events;
    this.#metrics = metrics;
    this.#controllerId = controllerId;
    this.#unixMs = unixMs;
    this.#bySource = new Limiter(20, 6000, unixMs);
    this.#byToken = new Limiter(10, 30_000, unixMs);
  }

  /**
   * `source` is whom the limits know, `ip` the address itself. Throws `join.refused`, `request.limited`, `input.invalid` (the request for a certificate, or the protocol), and what the authority
   * throws: then the token is still good.
   */
  async join(request: RegisterRequest, source: string, ip: string): Promise<RegisterReply> {
    const token = parseToken(request.token);
    this.#notTooOften(source, token?.id ?? null);
    if (request.protocolVersion !== AGENT_PROTOCOL_VERSION) {
      const hint = `this controller speaks protocol ${AGENT_PROTOCOL_VERSION}; update the older of the two`;
      throw new ProblemError(problem('input.invalid', hint, 'protocolVersion'));
    }
    if (request.csr === undefined && !this.#makesKeys) {
      // The token is neither judged nor burnt: it was not the trouble.
      await this.#refuse(
        'noRequest: it wants a key that the controller makes, which is off',
        source,
        token?.id ?? null,
      );
      const hint =
        'send a certificate request; this controller makes no keys for gateways (--allow-controller-made-keys)';
      throw new ProblemError(problem('input.invalid', hint, 'csr'));
    }
    try {
      if (token === null) throw new Refused('malformed');
      const row = await findToken(this.#db, token.id);
      if (!secretMatches(token.secret, row?.secretHash ?? null) || row === undefined)
        throw new Refused(row === undefined ? 'unknown' : 'wrongSecret');
      if (row.revokedUnixMs !== null) throw new Refused('revoked');
      if (row.sourcePrefix !== null && !isFrom(ip, row.sourcePrefix)) throw new Refused('elsewhere');
      const { made, csr } = await this.#requestOf(request);
      const again = await this.#repeated(row, request, csr, token);
      return again ?? (await this.#admit(row, request, csr, made, token, source));
    } catch (thrown) {
      if (!(thrown instanceof Refused)) throw thrown;
      await this.#refuse(thrown.message, source, token?.id ?? null);
      throw new ProblemError(problem('join.refused', 'this join string is not good; make a new one on the controller'));
    }
  }

  /** What the gateway asks a certificate for; a key and a request made here when it brings none. */
  async #requestOf({ csr: pem }: RegisterRequest): Promise<{ made: MadeKey | null; csr: CertificateRequest }> {
    if (pem === undefined) {
      const made = await makeKey();
      return { made, csr: made.request };
    }
    const csr = await readRequest(pem);
    if (!csr.ok) throw new ProblemError(csr.error);
    return { made: null, csr: csr.value };
  }

  /** The answer that the same request was given before, if it was. */
  async #repeated(
    token: TokenRow,
    request: RegisterRequest,
    csr: CertificateRequest,
    shown: TokenParts,
  ): Promise<RegisterReply | null> {
    const now = this.#unixMs();
    for (const row of await gatewaysOfToken(this.#db, token.id)) {
      const same = row.csrFingerprint === csr.fingerprint && row.wireguardPublicKey === request.wireguardPublicKey;
      if (!same || row.revokedUnixMs !== null || now - row.registeredUnixMs > RETRY_MS) continue;
      this.#metrics.joins.inc({ result: 'retry' });
      return { ...readKeptReply(row.joinReply, shown), serverTimeUnixMs: now };
    }
    return null;
  }

  async #admit(
    token: TokenRow,
    request: RegisterRequest,
    csr: CertificateRequest,
    made: MadeKey | null,
    shown: TokenParts,
    source: string,
  ): Promise<RegisterReply> {
    const now = this.#unixMs();
    // Looked at again, and for good, by consumeToken: this spares the signature.
    if (token.usesLeft < 1) throw new Refused('used');
    if (token.expiresUnixMs + SKEW_MS <= now) throw new Refused('expired');
    const vrouter = (await this.#desired.find(token.vrouterId))?.row.name;
    if (vrouter === undefined) throw new Refused('vrouterGone');
    const gatewayId = randomUUID();
    // It ends up in people's terminals.
    const hostname = request.hostname.replace(/[^\x20-\x7e]/g, '?');
    const certificate = await this.#provider.issue(gatewayId, csr);
    const { value } = await this.#desired.change(
      vrouter,
      { name: gatewayId, tokenId: null },
      'gateway.join',
      async (tx, _draft, head) => {
        if (!(await consumeToken(tx, token.id, now - SKEW_MS))) throw new Refused('used');
        if (await peerByKey(tx, head.row.id, request.wireguardPublicKey)) throw new Refused('keyIsAPeers');
        const replaced = await revokeGatewaysOf(tx, head.row.id, now);
        const first = (await networksOf(tx, head.row.id))[0];
        const reply: RegisterReply = {
          gatewayId,
          name: head.row.name,
          controllerId: this.#controllerId,
          certificateChain: [...certificate.chain],
          ...(made === null ? {} : { clientKey: made.privateKeyPem }),
          roots: [...this.#provider.roots()],
          controllers: [...this.#controllers()],
          assignedIp: first?.gatewayAddress.split('/')[0] ?? null,
          pollAfterMs: 0,
          serverTimeUnixMs: now,
        };
        const row: GatewayRow = {
          id: gatewayId,
          vrouterId: head.row.id,
          wireguardPublicKey: request.wireguardPublicKey,
          hostname,
          softwareVersion: request.version,
          plane: null,
          registeredUnixMs: now,
          revokedUnixMs: null,
          lastPollUnixMs: null,
          storedVersion: null,
          appliedVersion: null,
          told: null,
          tokenId: token.id,
          csrFingerprint: csr.fingerprint,
          joinReply: keptReply(reply, shown),
        };
        await insertGateway(tx, row);
        const { serial, notBeforeUnixMs, notAfterUnixMs } = certificate;
        await insertCertificate(tx, { serial, gatewayId, notBeforeUnixMs, notAfterUnixMs });
        await count(tx, 'joinsDone');
        await count(tx, 'certificatesIssued');
        const reasons = [
          ...(made === null ? [] : ['its key was made by the controller']),
          ...(replaced.length === 0 ? [] : [`replaces ${replaced.join(', ')}`]),
        ];
        const reason = reasons.length === 0 ? null : reasons.join('; ');
        const entry = { actor: gatewayId, tokenId: null, source, action: 'gateway.join', subject: vrouter, reason };
        await writeAudit(tx, { ...entry, atUnixMs: now, outcome: 'done' });
        return { row, reply };
      },
    );
    this.#roster.add(value.row, certificate);
    this.#metrics.joins.inc({ result: 'done' });
    const how = made === null ? '' : ', with a key that this controller has made';
    const text = `${hostname} has joined as the gateway of ${vrouter}${how}`;
    this.#events.emit({ type: 'gateway.registered', vrouter, subject: gatewayId, version: null, text });
    return value.reply;
  }

  #notTooOften(source: string, tokenId: string | null): void {
    const waitMs = Math.max(this.#bySource.waitMs(source), tokenId === null ? 0 : this.#byToken.waitMs(tokenId));
    if (waitMs === 0) return;
    this.#metrics.joins.inc({ result: 'limited' });
    throw new ProblemError(
      problem('request.limited', `too many refused joins; try again in ${Math.ceil(waitMs / 1000)} s`),
    );
  }

  async #refuse(reason: string, source: string, tokenId: string | null): Promise<void> {
    this.#bySource.take(source);
    if (tokenId !== null) this.#byToken.take(tokenId);
    this.#metrics.joins.inc({ result: 'refused' });
    const entry = { actor: 'join', tokenId: null, source, action: 'gateway.join', subject: tokenId, reason };
    await this.#db.transaction().execute(async (tx) => {
      await writeAudit(tx, { ...entry, atUnixMs: this.#unixMs(), outcome: 'refused' });
      await count(tx, 'joinsRefused');
    });
  }
}

/** Whether an address is in a prefix; an IPv4 one may come as `::ffff:192.0.2.7`. */
function isFrom(ip: string, prefix: string): boolean {
  const outer = parsePrefix(prefix);
  const parsed = parseIp(ip.split('%')[0]!);
  if (!outer.ok || !parsed.ok) return false;
  const address = unmapped(parsed.value);
  return containsPrefix(outer.value, { address, bits: address.length * 8 });
}
