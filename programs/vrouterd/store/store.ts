/**
 * The verbs on the gateway's database. Every method is one transaction; a crash leaves the state before or after it, never between. What
 * writes throws ProblemError `data.unwritable` (a full or locked disk) or `data.corrupt`; then nothing of it was stored.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Json } from '@vrouter/core/json.ts';
import type { IntentKey, IntentSource } from '@vrouter/intent/model/intents.ts';
import { named, transaction } from './database.ts';
import { StoredLedger } from './ledger.ts';

/** Who we are to our controller. */
export interface Enrolment {
  readonly gatewayId: string;
  readonly name: string;
  readonly assignedIp: string | null;
  readonly wireguardPublicKey: string;
  readonly controllerUrl: string;
  readonly controllerId: string;
  readonly rootFingerprint: string;
  /** SHA-256 of the token that was used, hex: a join string with another one is a wish to join anew. */
  readonly joinTokenHash: string;
}

/** Who named an address of a controller: the join string that was used, or the controllers. */
export type StoredAddressSource = 'join' | 'learnt';

export interface SyncState {
  readonly version: number;
  readonly hash: string | null;
  readonly lastPollUnixMs: number | null;
}

/** An intent as its source worded it. */
export interface StoredIntent {
  readonly source: IntentSource;
  readonly key: IntentKey;
  readonly body: Json;
  /** What its door must know of it besides, and no plane asks for. */
  readonly note?: Json;
}

export interface IntentChange {
  readonly put: readonly Omit<StoredIntent, 'source'>[];
  readonly remove: readonly IntentKey[];
}

export interface InterfaceRecord {
  readonly name: string;
  readonly index: number | null;
  readonly type: string;
  /** Where each peer (base64 key) was last heard; the hint that lets a new plane greet them first. */
  readonly endpoints: { readonly [publicKey: string]: string };
}

/** A peer's next key that was heard, and is the peer's since then. */
export interface StoredSuccession {
  readonly link: string;
  readonly publicKey: string;
  readonly rotation: string;
}

/** A TAI64N label as hex, which sorts as the times do. */
export interface HandshakeTimestamp {
  readonly link: string;
  readonly publicKey: string;
  readonly label: string;
}

export class Store implements Disposable {
  readonly ledger: StoredLedger;
  readonly #db: DatabaseSync;
  readonly #putIntent: StatementSync;
  readonly #removeIntent: StatementSync;
  readonly #putSync: StatementSync;
  readonly #putRoute: StatementSync;
  readonly #removeRoute: StatementSync;
  readonly #putTimestamp: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.ledger = new StoredLedger(db);
    this.#putIntent = db.prepare(
      `INSERT INTO intents (source, key, body, note) VALUES (?, ?, ?, ?)
       ON CONFLICT (source, key) DO UPDATE SET body = excluded.body, note = excluded.note`,
    );
    this.#removeIntent = db.prepare('DELETE FROM intents WHERE source = ? AND key = ?');
    this.#putSync = db.prepare(
      'INSERT OR REPLACE INTO sync_state (id, last_version, state_hash, last_poll_unix_ms) VALUES (1, ?, ?, ?)',
    );
    this.#putRoute = db.prepare('INSERT OR REPLACE INTO routes (vrf, prefix, next_hop) VALUES (?, ?, ?)');
    this.#removeRoute = db.prepare('DELETE FROM routes WHERE vrf = ? AND prefix = ?');
    this.#putTimestamp = db.prepare(
      'INSERT OR REPLACE INTO handshake_timestamps (link, public_key, label) VALUES (?, ?, ?)',
    );
  }

  enrolment(): Enrolment | null {
    const row = this.#db.prepare('SELECT * FROM controller_state WHERE id = 1').get();
    if (row === undefined) return null;
    return {
      gatewayId: String(row.node_id),
      name: String(row.name),
      assignedIp: row.assigned_ip === null ? null : String(row.assigned_ip),
      wireguardPublicKey: String(row.wireguard_public_key),
      controllerUrl: String(row.controller_url),
      controllerId: String(row.controller_id),
      rootFingerprint: String(row.root_fingerprint),
      joinTokenHash: String(row.join_token_hash),
    };
  }

  /** Addresses of controllers as `source` has named them. The one that was joined is always among those of the join string. */
  controllerAddresses(source: StoredAddressSource): string[] {
    const rows = this.#db.prepare('SELECT url FROM controller_addresses WHERE source = ? ORDER BY url').all(source);
    const urls = rows.map((row) => String(row.url));
    const joined = source === 'join' ? this.enrolment()?.controllerUrl : undefined;
    return joined === undefined || urls.includes(joined) ? urls : [joined, ...urls];
  }

  /** Replaces them. */
  saveControllerAddresses(source: StoredAddressSource, urls: readonly string[]): void {
    transaction(this.#db, () => this.#putAddresses(source, urls));
  }

  #putAddresses(source: StoredAddressSource, urls: readonly string[]): void {
    this.#db.prepare('DELETE FROM controller_addresses WHERE source = ?').run(source);
    const insert = this.#db.prepare('INSERT OR IGNORE INTO controller_addresses (url, source) VALUES (?, ?)');
    for (const url of urls) insert.run(url, source);
  }

  /** When a controller said that this gateway was deleted, Unix ms; null: none did, or it has joined anew. */
  deletedUnixMs(): number | null {
    const at = this.#db.prepare('SELECT deleted_unix_ms FROM controller_state WHERE id = 1').get()?.deleted_unix_ms;
    return at == null ? null : Number(at);
  }

  /** Null takes it back. */
  noteDeleted(unixMs: number | null): void {
    this.#db.prepare('UPDATE controller_state SET deleted_unix_ms = ? WHERE id = 1').run(unixMs);
  }

  /**
   * A new enrolment is at no version; what an earlier controller said stays until the new one's whole state takes its place. `addresses`:
   * where the join string and the answer to it say that controllers are.
   */
  saveEnrolment(e: Enrolment, addresses: { readonly [S in StoredAddressSource]: readonly string[] }): void {
    transaction(this.#db, () => {
      this.#db
        .prepare(
          `INSERT OR REPLACE INTO controller_state (id, node_id, name, assigned_ip, wireguard_public_key, controller_url,
             controller_id, root_fingerprint, join_token_hash) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)`,
        )
        .run(
          e.gatewayId,
          e.name,
          e.assignedIp,
          e.wireguardPublicKey,
          e.controllerUrl,
          e.controllerId,
          e.rootFingerprint,
          e.joinTokenHash,
        );
      this.#db.prepare('DELETE FROM sync_state').run();
      for (const source of ['join', 'learnt'] as const) this.#putAddresses(source, addresses[source]);
    });
  }

  syncState(): SyncState {
    const row = this.#db.prepare('SELECT * FROM sync_state WHERE id = 1').get();
    if (row === undefined) return { version: 0, hash: null, lastPollUnixMs: null };
    const polled = row.last_poll_unix_ms;
    return {
      version: Number(row.last_version),
      hash: row.state_hash === null ? null : String(row.state_hash),
      lastPollUnixMs: polled === null ? null : Number(polled),
    };
  }

  /** Notes when the controller last answered, though it had nothing new. */
  notePoll(unixMs: number): void {
    named(this.#db, () => this.#db.prepare('UPDATE sync_state SET last_poll_unix_ms = ? WHERE id = 1').run(unixMs));
  }

  /** Stores a source's intents and the version that they make in one transaction: a crash never leaves one without the other. */
  commit(source: IntentSource, change: IntentChange, sync: SyncState | null): void {
    transaction(this.#db, () => {
      for (const key of change.remove) this.#removeIntent.run(source, key);
      for (const { key, body, note } of change.put)
        this.#putIntent.run(source, key, JSON.stringify(body), note === undefined ? null : JSON.stringify(note));
      if (sync !== null) this.#putSync.run(sync.version, sync.hash, sync.lastPollUnixMs);
    });
  }

  /** Every stored intent, in the order in which they were first said. */
  intents(): StoredIntent[] {
    const rows = this.#db.prepare('SELECT source, key, body, note FROM intents ORDER BY age').all();
    return rows.map((row) => ({
      source: String(row.source) as IntentSource,
      key: String(row.key) as IntentKey,
      body: JSON.parse(String(row.body)) as Json,
      ...(row.note === null ? {} : { note: JSON.parse(String(row.note)) as Json }),
    }));
  }

  /** The number of `name` among its kind, the same for ever: the lowest free one from `lowest` on when it is new. */
  allocate(kind: string, name: string, lowest: number): number {
    const found = named(this.#db, () =>
      this.#db.prepare('SELECT number FROM allocations WHERE kind = ? AND name = ?').get(kind, name),
    );
    if (found !== undefined) return Number(found.number);
    return transaction(this.#db, () => {
      const row = this.#db
        .prepare(
          `SELECT MIN(n) AS free FROM (SELECT ? AS n UNION SELECT number + 1 FROM allocations WHERE kind = ? AND number >= ?)
           WHERE n NOT IN (SELECT number FROM allocations WHERE kind = ?)`,
        )
        .get(lowest, kind, lowest, kind);
      const number = Number(row?.free);
      this.#db.prepare('INSERT INTO allocations (kind, name, number) VALUES (?, ?, ?)').run(kind, name, number);
      return number;
    });
  }

  interfaces(): InterfaceRecord[] {
    return this.#db
      .prepare('SELECT * FROM interfaces')
      .all()
      .map((row) => ({
        name: String(row.name),
        index: row.sw_if_index === null ? null : Number(row.sw_if_index),
        type: String(row.type),
        endpoints: JSON.parse(String(row.endpoints)) as { [publicKey: string]: string },
      }));
  }

  /** Replaces what is known of the plane's interfaces. */
  saveInterfaces(records: readonly InterfaceRecord[]): void {
    transaction(this.#db, () => {
      this.#db.exec('DELETE FROM interfaces');
      const insert = this.#db.prepare(
        'INSERT INTO interfaces (name, sw_if_index, type, endpoints) VALUES (?, ?, ?, ?)',
      );
      for (const r of records) insert.run(r.name, r.index, r.type, JSON.stringify(r.endpoints));
    });
  }

  /** The newest label of each peer's initiations, also of peers that were taken away; at most `most`, the oldest are dropped. */
  handshakeTimestamps(most: number): HandshakeTimestamp[] {
    this.#db
      .prepare(
        `DELETE FROM handshake_timestamps WHERE (link, public_key) IN
           (SELECT link, public_key FROM handshake_timestamps ORDER BY label DESC LIMIT -1 OFFSET ?)`,
      )
      .run(most);
    return this.#db
      .prepare('SELECT * FROM handshake_timestamps')
      .all()
      .map((row) => ({ link: String(row.link), publicKey: String(row.public_key), label: String(row.label) }));
  }

  saveHandshakeTimestamps(changes: readonly HandshakeTimestamp[]): void {
    if (changes.length === 0) return;
    transaction(this.#db, () => {
      for (const { link, publicKey, label } of changes) this.#putTimestamp.run(link, publicKey, label);
    });
  }

  successions(): StoredSuccession[] {
    return this.#db
      .prepare('SELECT * FROM successions')
      .all()
      .map((row) => ({
        link: String(row.link),
        publicKey: String(row.public_key),
        rotation: String(row.rotation),
      }));
  }

  saveSuccessions(heard: readonly StoredSuccession[]): void {
    const put = this.#db.prepare('INSERT OR REPLACE INTO successions (link, public_key, rotation) VALUES (?, ?, ?)');
    transaction(this.#db, () => {
      for (const { link, publicKey, rotation } of heard) put.run(link, publicKey, rotation);
    });
  }

  forgetSuccession(link: string, publicKey: string): void {
    this.#db.prepare('DELETE FROM successions WHERE link = ? AND public_key = ?').run(link, publicKey);
  }

  /** Notes routes that the plane now has (`nextHop` set) or no longer has (null). */
  saveRoutes(changes: readonly { vrf: string; prefix: string; nextHop: string | null }[]): void {
    if (changes.length === 0) return;
    transaction(this.#db, () => {
      for (const { vrf, prefix, nextHop } of changes)
        nextHop === null ? this.#removeRoute.run(vrf, prefix) : this.#putRoute.run(vrf, prefix, nextHop);
    });
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
