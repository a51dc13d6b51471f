/** The controllers that share this store, this one among them: README.md has the rules. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Controller } from '@vrouter/api/rest/controllers.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import type { FastifyBaseLogger } from 'fastify';
import type { Actor } from '../desk/actor.ts';
import type { EventBus } from '../events/bus.ts';
import { writeAudit } from '../store/audit.ts';
import {
  allControllers,
  type ControllerRow,
  deleteController,
  forgetControllers,
  putController,
} from '../store/controllers.ts';
import type { Db } from '../store/schema.ts';
import { VERSION } from '../version.ts';

/** How often the own row is written, ms. */
const BEAT_MS = 15_000;
/** One that was not seen for so long does not run, ms. */
export const RUNNING_MS = 60_000;
/** One that was not seen for so long leaves the list, ms. */
export const GONE_MS = 7 * 24 * 3_600_000;

export interface FleetParts {
  readonly db: Db;
  /** Others write to the store too. */
  readonly shared: boolean;
  readonly dataFolder: string;
  /** Where gateways reach this controller. */
  readonly urls: readonly string[];
  readonly events: EventBus;
  readonly unixMs: () => number;
  readonly log: FastifyBaseLogger;
}

export class Fleet {
  readonly #parts: FleetParts;
  readonly #own: ControllerRow;
  #rows: readonly ControllerRow[];
  #beatUnixMs: number;
  #stopped = false;

  private constructor(parts: FleetParts, own: ControllerRow, rows: readonly ControllerRow[]) {
    this.#parts = parts;
    this.#own = own;
    this.#rows = rows;
    this.#beatUnixMs = own.seenUnixMs;
  }

  /** Takes this controller's place among them. Throws `store.unavailable`, `data.unwritable`. */
  static async enter(parts: FleetParts): Promise<Fleet> {
    const { db, dataFolder, urls, unixMs } = parts;
    const now = unixMs();
    const own: ControllerRow = {
      id: await memberId(dataFolder),
      host: hostname(),
      version: VERSION,
      urls: JSON.stringify(urls),
      startedUnixMs: now,
      seenUnixMs: now,
      stoppedUnixMs: null,
    };
    await putController(db, own);
    return new Fleet(parts, own, await allControllers(db));
  }

  /** All addresses, this controller's first: what join strings and gateways are told. */
  urls(): string[] {
    const now = this.#parts.unixMs();
    const others = this.#rows.filter(({ id, seenUnixMs }) => id !== this.#own.id && now - seenUnixMs <= GONE_MS);
    return [...new Set([...this.#parts.urls, ...others.flatMap(urlsOf)])];
  }

  /** The same in an order that is the same at each of them, so that a gateway that goes from one to another hears no news. */
  told(): string[] {
    return this.urls().sort();
  }

  list(): Controller[] {
    const now = this.#parts.unixMs();
    return this.#rows.map((row): Controller => {
      const isSelf = row.id === this.#own.id;
      return {
        id: row.id,
        self: isSelf,
        host: row.host,
        version: row.version,
        urls: urlsOf(row),
        state: isSelf || isRunning(row, now) ? 'running' : row.stoppedUnixMs !== null ? 'stopped' : 'lost',
        startedUnixMs: row.startedUnixMs,
        seenUnixMs: isSelf ? now : row.seenUnixMs,
        leavesUnixMs: isSelf || isRunning(row, now) ? null : row.seenUnixMs + GONE_MS,
      };
    });
  }

  /** Takes one out of the list for good. Throws `controller.notFound`, `controller.running`. */
  async remove(actor: Actor, id: string): Promise<Controller> {
    const { db, events, unixMs } = this.#parts;
    await this.#look();
    const found = this.list().find((one) => one.id === id);
    if (found === undefined)
      throw new ProblemError(problem('controller.notFound', `no controller of the id ${id} shares this store`, 'id'));
    if (found.state === 'running') {
      const seconds = Math.round((unixMs() - found.seenUnixMs) / 1000);
      const alive = found.self ? 'it is the one that you ask' : `it was alive ${seconds} s ago`;
      throw new ProblemError(problem('controller.running', `controller ${id} runs (${alive}); stop it first`, 'id'));
    }
    await db.transaction().execute(async (tx) => {
      await deleteController(tx, id);
      const who = { actor: actor.name, tokenId: actor.tokenId, source: actor.source };
      const reason = found.urls.join(', ').slice(0, 500);
      const entry = { ...who, action: 'controller.remove', subject: id, reason };
      await writeAudit(tx, { ...entry, atUnixMs: unixMs(), outcome: 'done' });
    });
    await this.#look();
    const text = `controller ${id} on ${found.host} was taken out; gateways are told without it`;
    events.emit({ type: 'controller.removed', vrouter: '', subject: id, version: null, text });
    return found;
  }

  /** Does what is due. */
  async tick(): Promise<void> {
    if (this.#stopped) return;
    const { db, shared, unixMs, log } = this.#parts;
    const now = unixMs();
    // Also when the clock was put back.
    if (Math.abs(now - this.#beatUnixMs) >= BEAT_MS) {
      await putController(db, { ...this.#own, seenUnixMs: now });
      this.#beatUnixMs = now;
      for (const id of await forgetControllers(db, now - GONE_MS))
        log.warn({ controller: id }, 'a controller was not seen for seven days; gateways are told without it');
    }
    if (shared || this.#rows.length > 1) await this.#look();
  }

  /** Says that it stopped in good order. */
  async leave(): Promise<void> {
    this.#stopped = true;
    const now = this.#parts.unixMs();
    await putController(this.#parts.db, { ...this.#own, seenUnixMs: now, stoppedUnixMs: now });
  }

  async #look(): Promise<void> {
    this.#rows = await allControllers(this.#parts.db);
  }
}

function isRunning({ seenUnixMs, stoppedUnixMs }: ControllerRow, nowUnixMs: number): boolean {
  return stoppedUnixMs === null && nowUnixMs - seenUnixMs <= RUNNING_MS;
}

function urlsOf({ urls }: Pick<ControllerRow, 'urls'>): string[] {
  return JSON.parse(urls) as string[];
}

/** What tells this controller from the others: of its data folder, so that it stays the same over restarts and new addresses. */
async function memberId(dataFolder: string): Promise<string> {
  const path = join(dataFolder, 'member-id');
  const kept = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  if (/^[0-9a-f]{8}$/.test(kept)) return kept;
  const id = randomBytes(4).toString('hex');
  await writeFileDurably(path, `${id}\n`, 0o600);
  return id;
}
