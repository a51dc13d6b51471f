/** All gateways that may poll, by id and by vrouter. Loaded at the start, so no poll asks the store who it is. */
import type { CertificateTimes } from '@vrouter/api/agent/lifetime.ts';
import { GRACE_MS } from '../ca/provider.ts';
import { latestCertificates } from '../store/certificates.ts';
import { activeGateways, type GatewayRow, saveSeen } from '../store/gateways.ts';
import type { Db } from '../store/schema.ts';
import { Gateway, LOST_MS } from './gateway.ts';

export class Roster {
  /** An ended certificate can still be renewed for so long, ms. */
  readonly graceMs: number;
  readonly #db: Db;
  readonly #byId = new Map<string, Gateway>();
  readonly #byVrouter = new Map<string, Gateway>();

  constructor(db: Db, graceMs: number = GRACE_MS) {
    this.graceMs = graceMs;
    this.#db = db;
  }

  async load(): Promise<void> {
    const latest = await latestCertificates(this.#db);
    for (const row of await activeGateways(this.#db)) this.add(row, latest.get(row.id) ?? null);
  }

  /** A new gateway takes its vrouter's place from whoever had it. */
  add(row: GatewayRow, certificate: CertificateTimes | null): Gateway {
    this.dropOf(row.vrouterId);
    const gateway = new Gateway(row, certificate, this.graceMs);
    this.#byId.set(gateway.id, gateway);
    this.#byVrouter.set(gateway.vrouterId, gateway);
    return gateway;
  }

  /** Forgets a vrouter's gateway; its held polls end at once. */
  dropOf(vrouterId: string): void {
    const gateway = this.#byVrouter.get(vrouterId);
    if (gateway === undefined) return;
    this.#byVrouter.delete(vrouterId);
    this.#byId.delete(gateway.id);
    gateway.revoke();
  }

  byId(id: string): Gateway | undefined {
    return this.#byId.get(id);
  }

  of(vrouterId: string): Gateway | undefined {
    return this.#byVrouter.get(vrouterId);
  }

  all(): Iterable<Gateway> {
    return this.#byId.values();
  }

  /** Gateways that were connected and have not been heard for too long; they count as lost from now on. */
  sweep(nowUnixMs: number): Gateway[] {
    const lost = [...this.#byId.values()].filter(
      (gateway) =>
        gateway.connected && gateway.held.size === 0 && nowUnixMs - (gateway.row.lastPollUnixMs ?? 0) > LOST_MS,
    );
    for (const gateway of lost) gateway.connected = false;
    return lost;
  }

  /** Writes what polls have told since the last time, in one transaction. */
  async flush(): Promise<void> {
    const dirty = [...this.#byId.values()].filter((gateway) => gateway.dirty);
    if (dirty.length === 0) return;
    for (const gateway of dirty) gateway.dirty = false;
    await this.#db.transaction().execute((tx) =>
      saveSeen(
        tx,
        dirty.map((gateway) => gateway.seen()),
      ),
    );
  }
}
