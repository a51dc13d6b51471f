/** What the rest of the controller may ask of a database, whichever it is. Only the files of this folder know more. */
import type { Dialect } from 'kysely';
import type { Db, Tx } from '../schema.ts';

/** How several controllers on one store hear of each other's changes. */
export interface ChangeFeed {
  /** False: nobody else writes to this store, so there is nothing to hear. */
  readonly shared: boolean;
  /** In the transaction of a change: the others hear of the vrouter once it is committed, and not if it is not. */
  tell(tx: Tx, vrouterId: string): Promise<void>;
  /** Calls `heard` with the vrouter that another controller has changed; null: some may have been missed. Until it is closed. */
  follow(heard: (vrouterId: string | null) => void): Promise<FeedSubscription>;
}

export interface FeedSubscription {
  close(): Promise<void>;
}

export interface StoreBackend {
  readonly dialect: Dialect;
  /** For sentences; no secret is in it. */
  readonly where: string;
  readonly feed: ChangeFeed;
  /** Keeps every other controller from migrating until the transaction ends. */
  lockMigrations(tx: Tx): Promise<void>;
  /** Puts a copy aside before a schema of version `schema` is changed. Returns what to tell people about it. */
  saveBefore(db: Db, schema: number): Promise<string>;
  /** After rows were written with the numbers of their own: the next number that the database gives is a free one. */
  settleNumbers(tx: Tx): Promise<void>;
}

/** Of a store that one controller alone has. */
export const alone: ChangeFeed = {
  shared: false,
  tell: async () => {},
  follow: async () => ({ close: async () => {} }),
};
