/**
 * Each dnsmasq that follows the host's resolv.conf has an inotify instance, counted for root although it runs as another; Linux gives a user 128
 * (inotify(7)), of which the host's own services have some. So with many networks there must be more of them.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { switchFiles } from '@vrouter/host/switches/switches.ts';
import type { Logger } from 'pino';

export const INSTANCES = 'fs/inotify/max_user_instances';
/** As many again are for others of the same user. */
const SHARE = 2;

/** In the folder of all zones: what the switch was before us, and what we made it. */
interface Raised {
  readonly before: string;
  readonly now: string;
}

export class InotifyRoom {
  readonly #path: string;
  readonly #files: Pick<typeof switchFiles, 'read' | 'write'>;
  readonly #log: Logger;

  constructor(folder: string, files: Pick<typeof switchFiles, 'read' | 'write'>, log: Logger) {
    this.#path = join(folder, 'inotify.json');
    this.#files = files;
    this.#log = log;
  }

  /** Room for so many processes. Where the switch cannot be turned there is none, and those that find none say so. */
  make(processes: number): void {
    const text = this.#files.read(INSTANCES);
    if (text === null || Number(text) >= processes * SHARE) return;
    const wanted = 2 ** Math.ceil(Math.log2(processes * SHARE));
    try {
      const before = this.#raised()?.before ?? text;
      writeFileSync(this.#path, JSON.stringify({ before, now: String(wanted) } satisfies Raised), { mode: 0o600 });
      this.#files.write(INSTANCES, String(wanted));
      this.#log.info({ before: text, now: wanted }, 'raised fs.inotify.max_user_instances for resolvers of networks');
    } catch (thrown) {
      const why = thrown instanceof ProblemError ? thrown.message : String(thrown);
      this.#log.warn(`there may be no room for more resolvers of networks: ${why}`);
    }
  }

  /** There are no processes any more: it becomes what it was, unless somebody has turned it since. */
  giveBack(): void {
    const raised = this.#raised();
    if (raised === null) return;
    try {
      if (this.#files.read(INSTANCES) === raised.now) this.#files.write(INSTANCES, raised.before);
      rmSync(this.#path, { force: true });
    } catch (thrown) {
      this.#log.warn(`fs.inotify.max_user_instances stays as it is: ${String(thrown)}`);
    }
  }

  #raised(): Raised | null {
    try {
      const { before, now } = JSON.parse(readFileSync(this.#path, 'utf8')) as Partial<Raised>;
      return /^\d+$/.test(before ?? '') && /^\d+$/.test(now ?? '') ? { before: before!, now: now! } : null;
    } catch {
      return null;
    }
  }
}
