/** LISTEN and NOTIFY: what one controller commits, the others hear of within the moment. */
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import pg from 'pg';
import type { Tx } from '../schema.ts';
import type { ChangeFeed, FeedSubscription } from './backend.ts';

const CHANNEL = 'vrouter_changes';
/** Between two tries to listen again, ms; the slow look at everything (desired/follower.ts) stands in meanwhile. */
const RETRY_MS = 500;

export function postgresFeed(config: pg.ClientConfig): ChangeFeed {
  // What we have told ourselves is no news.
  const own = randomUUID();
  return {
    shared: true,
    async tell(tx: Tx, vrouterId: string) {
      await sql`select pg_notify(${CHANNEL}, ${`${own} ${vrouterId}`})`.execute(tx);
    },
    async follow(heard) {
      const listener = new Listener(config, (text) => {
        const [from, vrouterId] = text.split(' ');
        if (from !== own) heard(vrouterId ?? null);
      });
      await listener.start(() => heard(null));
      return listener;
    },
  };
}

class Listener implements FeedSubscription {
  readonly #config: pg.ClientConfig;
  readonly #notified: (text: string) => void;
  #client: pg.Client | null = null;
  #retry: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(config: pg.ClientConfig, notified: (text: string) => void) {
    this.#config = config;
    this.#notified = notified;
  }

  /** Listens, and again when the connection is lost; `back` is called each time, since meanwhile nobody listened. */
  async start(back: () => void): Promise<void> {
    if (this.#closed) return;
    const client = new pg.Client(this.#config);
    this.#client = client;
    let lost = false;
    const again = (): void => {
      if (lost) return;
      lost = true;
      client.removeAllListeners('notification');
      client.end().catch(() => undefined);
      if (!this.#closed) this.#retry = setTimeout(() => void this.start(back), RETRY_MS);
    };
    client.on('error', again);
    client.on('end', again);
    client.on('notification', ({ payload }) => this.#notified(payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      back();
    } catch {
      again();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#client?.end().catch(() => undefined);
  }
}
