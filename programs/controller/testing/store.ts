/** A real store in memory with everything of the desk around it and a clock that tests move; for tests. */
import { Roster } from '../agents/roster.ts';
import { Desired } from '../desired/desired.ts';
import type { Actor } from '../desk/actor.ts';
import type { Desk } from '../desk/desk.ts';
import type { Page } from '../desk/page.ts';
import { EventBus } from '../events/bus.ts';
import { sqliteDialect } from '../store/dialect/sqlite.ts';
import { openStore } from '../store/open.ts';

/** The first page of a list, and of those in tests all of it. */
export const firstPage: Page = { limit: 1000, after: null };

export const tester: Actor = { name: 'tester', tokenId: null, source: '127.0.0.1' };

export interface TestDesk extends Desk {
  /** Wall clock, Unix ms. */
  clock: { unixMs: number };
}

/** `path`: a database file. A second desk on the same file sees what the first has committed. */
export async function openDesk(path: string, clock = { unixMs: 1_800_000_000_000 }): Promise<TestDesk> {
  const unixMs = (): number => clock.unixMs;
  const db = await openStore(sqliteDialect(path), path);
  const desired = new Desired(db, unixMs);
  await desired.load();
  const roster = new Roster(db);
  await roster.load();
  const events = new EventBus(unixMs);
  const agentsUrl = () => 'https://127.0.0.1:8443';
  return { clock, db, desired, roster, events, unixMs, agentsUrl, rootFingerprint: 'ab'.repeat(32) };
}
