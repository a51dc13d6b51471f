/** POST /vrouter/renew: another certificate for a gateway that shows a good one, or one that ended less than a week ago. */
import type { RenewReply } from '@vrouter/api/agent/agent.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { CertificateProvider } from '../ca/provider.ts';
import { readRequest } from '../ca/request.ts';
import type { Desired } from '../desired/desired.ts';
import type { EventBus } from '../events/bus.ts';
import { writeAudit } from '../store/audit.ts';
import { insertCertificate } from '../store/certificates.ts';
import { count } from '../store/counters.ts';
import { setRequestFingerprint } from '../store/gateways.ts';
import type { Db } from '../store/schema.ts';
import type { Gateway } from './gateway.ts';
import { Limiter } from './limiter.ts';

export class RenewService {
  readonly #db: Db;
  readonly #desired: Desired;
  readonly #provider: CertificateProvider;
  readonly #events: EventBus;
  readonly #unixMs: () => number;
  readonly #limiter: Limiter;

  constructor(db: Db, desired: Desired, provider: CertificateProvider, events: EventBus, unixMs: () => number) {
    this.#db = db;
    this.#desired = desired;
    this.#provider = provider;
    this.#events = events;
    this.#unixMs = unixMs;
    this.#limiter = new Limiter(10, 60_000, unixMs);
  }

  /** `grace`: the certificate that was shown has ended. Throws `request.limited`, `input.invalid` (csr), `poll.identity`, `ca.*`. */
  async renew(gateway: Gateway, csrPem: string, source: string, grace: boolean): Promise<RenewReply> {
    if (this.#limiter.waitMs(gateway.id) > 0)
      throw new ProblemError(problem('request.limited', 'too many renewals; the certificates that you have are good'));
    this.#limiter.take(gateway.id);
    const csr = await readRequest(csrPem);
    if (!csr.ok) throw new ProblemError(csr.error);
    const certificate = await this.#provider.issue(gateway.id, csr.value);
    const { serial, notBeforeUnixMs, notAfterUnixMs } = certificate;
    const now = this.#unixMs();
    const vrouter = (await this.#desired.find(gateway.vrouterId))?.row.name;
    if (vrouter === undefined || gateway.revoked)
      throw new ProblemError(problem('poll.identity', 'this gateway is not known here any more; join again'));
    await this.#db.transaction().execute(async (tx) => {
      await insertCertificate(tx, { serial, gatewayId: gateway.id, notBeforeUnixMs, notAfterUnixMs });
      await count(tx, 'certificatesIssued');
      // From now on it is the gateway's own.
      if (gateway.hasMadeKey) await setRequestFingerprint(tx, gateway.id, csr.value.fingerprint);
      const reason = grace ? 'the certificate shown had ended' : null;
      const entry = { actor: gateway.id, tokenId: null, source, action: 'certificate.renew', subject: serial, reason };
      await writeAudit(tx, { ...entry, atUnixMs: now, outcome: 'done' });
    });
    gateway.certificate = certificate;
    if (gateway.hasMadeKey) gateway.row.csrFingerprint = csr.value.fingerprint;
    const text = `the gateway of ${vrouter} has a new certificate`;
    this.#events.emit({ type: 'certificate.renewed', vrouter, subject: gateway.id, version: null, text });
    return { certificateChain: [...certificate.chain], roots: [...this.#provider.roots()], serverTimeUnixMs: now };
  }
}
