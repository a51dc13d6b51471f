/** All gateways that may poll, by id and by vrouter. Loaded at the start, so no poll asks the store who it is. */
import type { CertificateTimes } from '@vrouter/api/agent/lifetime.ts';
import { GRACE_MS } from '../ca/provider.ts';
import { latestCertificate, latestCertificates } from '../store/certificates.ts';
import {
  activeGateway,
  activeGatewayOf,
  activeGateways,
  activeGatewaysSeen,
  type GatewayRow,
  saveSeen,
} from '../store/gateways.ts';
import type { Db } from '../store/schema.ts';
import { Gateway, LOST_MS } from './gateway.ts';

export class Roster {
  /** An ended certificate can still be renewed for so long, ms. */
  readonly graceMs: number;
  readonly #db: Db;
  readonly #shared: boolean;
  readonly #byId = new Map<string, Gateway>();
  readonly #byVrouter = new Map<string, Gateway>();
  /** How often somebody came or went. */
  #changes = 0;

  /** `shared`: other controllers write to the store as well. */
  constructor(db: Db, graceMs: number = GRACE_MS, shared = false) {
    this.graceMs = graceMs;
    this.#db = db;
    this.#shared = shared;
  }

  async load(): Promise<void> {
    const latest = await latestCertificates(this.#db);
    for (const row of await activeGateways(this.#db)) this.add(row, latest.get(row.id) ?? null);
  }

  /** Takes over who another controller has admitted to a vrouter, or that nobody is any more. */
  async refresh(vrouterId: string): Promise<void> {
    for (;;) {
      const changes = this.#changes;
      const row = await activeGatewayOf(this.#db, vrouterId);
      const known = this.#byVrouter.get(vrouterId);
      const isNew = row !== undefined && row.id !== known?.id;
      const latest = isNew ? ((await latestCertificate(this.#db, row.id)) ?? null) : null;
      // What was read is older than what has been done here meanwhile.
      if (changes !== this.#changes) continue;
      if (row === undefined) this.dropOf(vrouterId);
      else if (isNew) this.add(row, latest);
      else known?.heardElsewhere(row);
      return;
    }
  }

  /** The same for all, and what other controllers have heard from those that poll there. */
  async refreshAll(): Promise<void> {
    const rows = new Map((await activeGatewaysSeen(this.#db)).map((row) => [row.vrouterId, row]));
    for (const vrouterId of new Set([...this.#byVrouter.keys(), ...rows.keys()])) {
      const row = rows.get(vrouterId);
      const known = this.#byVrouter.get(vrouterId);
      if (row === undefined || known?.id !== row.id) await this.refresh(vrouterId);
      else known.heardElsewhere(row);
    }
  }

  /** As `byId`, and looks into the store for one that another controller has just admitted. */
  async find(id: string): Promise<Gateway | undefined> {
    if (!this.#byId.has(id)) {
      const row = await activeGateway(this.#db, id);
      if (row !== undefined) await this.refresh(row.vrouterId);
    }
    return this.#byId.get(id);
  }

  /** A new gateway takes its vrouter's place from whoever had it. */
  add(row: GatewayRow, certificate: CertificateTimes | null): Gateway {
    this.dropOf(row.vrouterId);
    this.#changes++;
    const gateway = new Gateway(row, certificate, this.graceMs);
    this.#byId.set(gateway.id, gateway);
    this.#byVrouter.set(gateway.vrouterId, gateway);
    return gateway;
  }

  /** Forgets a vrouter's gateway; its held polls end at once. */
  dropOf(vrouterId: string): void {
    const gateway = this.#byVrouter.get(vrouterId);
    if (gateway === undefined) return;
    this.#changes++;
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
    try {
      const seen = dirty.map((gateway) => gateway.seen(this.#shared));
      await this.#db.transaction().execute((tx) => saveSeen(tx, seen));
    } catch (thrown) {
      for (const gateway of dirty) gateway.dirty = true;
      throw thrown;
    }
  }
}
