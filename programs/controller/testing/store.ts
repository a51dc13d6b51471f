/** A real store with everything of the desk around it and a clock that tests move; for tests. */
import { Roster } from '../agents/roster.ts';
import { GRACE_MS } from '../ca/provider.ts';
import { Desired } from '../desired/desired.ts';
import type { Actor } from '../desk/actor.ts';
import type { Desk } from '../desk/desk.ts';
import type { Page } from '../desk/page.ts';
import { EventBus } from '../events/bus.ts';
import type { ChangeFeed } from '../store/dialect/backend.ts';
import { openStore } from '../store/open.ts';
import { backendFor } from './place.ts';

/** The first page of a list, and of those in tests all of it. */
export const firstPage: Page = { limit: 1000, after: null };

export const tester: Actor = { name: 'tester', tokenId: null, source: '127.0.0.1' };

export interface TestDesk extends Desk {
  /** Wall clock, Unix ms. */
  clock: { unixMs: number };
  feed: ChangeFeed;
}

/** `path`: a database file, or the name of one in PostgreSQL (place.ts). A second desk on the same one sees what the first has committed. */
export async function openDesk(path: string, clock = { unixMs: 1_800_000_000_000 }): Promise<TestDesk> {
  const unixMs = (): number => clock.unixMs;
  const backend = await backendFor(path);
  const db = await openStore(backend);
  const desired = new Desired(db, unixMs, backend.feed);
  await desired.load();
  const roster = new Roster(db, GRACE_MS, backend.feed.shared);
  await roster.load();
  const events = new EventBus(unixMs);
  const agentsUrls = () => ['https://127.0.0.1:8443'];
  const { feed } = backend;
  return { clock, feed, db, desired, roster, events, unixMs, agentsUrls, rootFingerprint: 'ab'.repeat(32) };
}
