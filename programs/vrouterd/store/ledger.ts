/** The driver's ledger in the gateway's database: what is to be given back, by keys of objects. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Ledger } from '@vrouter/drivers/linux/ledger.ts';
import { named } from './database.ts';

export class StoredLedger implements Ledger {
  readonly #db: DatabaseSync;
  readonly #get: StatementSync;
  readonly #set: StatementSync;
  readonly #delete: StatementSync;
  readonly #entries: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#get = db.prepare('SELECT value FROM ledger WHERE key = ?');
    this.#set = db.prepare('INSERT OR REPLACE INTO ledger (key, value) VALUES (?, ?)');
    this.#delete = db.prepare('DELETE FROM ledger WHERE key = ?');
    this.#entries = db.prepare('SELECT key, value FROM ledger WHERE substr(key, 1, ?) = ? ORDER BY key');
  }

  get(key: string): string | null {
    const row = named(this.#db, () => this.#get.get(key));
    return row === undefined ? null : String(row.value);
  }

  /** Throws ProblemError `data.unwritable`: then nothing may be done that would have to be given back. */
  set(key: string, value: string): void {
    named(this.#db, () => this.#set.run(key, value));
  }

  delete(key: string): void {
    named(this.#db, () => this.#delete.run(key));
  }

  entries(prefix: string): readonly (readonly [string, string])[] {
    const rows = named(this.#db, () => this.#entries.all(prefix.length, prefix));
    return rows.map(({ key, value }) => [String(key), String(value)] as const);
  }
}
