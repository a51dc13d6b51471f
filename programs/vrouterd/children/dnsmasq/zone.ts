/**
 * The process of one zone: started, told to read, ended, and started again when it died. It is a session of its own, so that it outlives
 * this daemon; the next one adopts it by what `process.json` says.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import type { ZoneFiles } from '@vrouter/drivers/dnsmasq/layout.ts';
import { linkIndex, narrowAddressNews } from '@vrouter/host/netlink/narrow.ts';
import { spawnApart } from '@vrouter/host/processes/spawn.ts';
import type { Logger } from 'pino';
import { clientsOf, endClientsLater } from './clients.ts';
import { endLeftovers, endOne, type Leftover, signal } from './ending.ts';
import { parseLogLine, ZoneLog } from './log.ts';
import { nextMark } from './marks.ts';
import { argumentsOf, findProcesses, identify, isAlive, isGroup, isOurs, type ProcessId } from './process.ts';
import { untilRead } from './reading.ts';
import type { RunAs } from './user.ts';

/** Before it is started again, ms: doubled each time, forgotten once it was well for a while. */
const BACKOFF_MS = 50;
const BACKOFF_MAX_MS = 30_000;
const WELL_MS = 60_000;

export interface ZoneSettings {
  readonly program: string;
  readonly runAs: RunAs | null;
  /** How long a process may take until it has read its names, ms. */
  readonly patienceMs: number;
  readonly log: Logger;
  /** It has died, or is back. */
  changed(): void;
}

interface Running extends ProcessId {
  /** Of the configuration it was started with. */
  readonly hash: string;
  /** The kernel's number of the link whose news it hears; 0 or none: of all. */
  readonly link?: number | undefined;
}

/** What is asked of a process, apart from names. */
interface Configured {
  readonly hash: string;
  readonly link: string;
}

interface Link {
  readonly name: string;
  /** The kernel's number of it; 0 when there is none. */
  readonly index: number;
}

export class ZoneProcess {
  readonly #name: string;
  readonly #files: ZoneFiles;
  readonly #settings: ZoneSettings;
  readonly #log: ZoneLog;
  #running: Running | null = null;
  #isAdopted = false;
  /** The only one whose news the process hears, once it is there. */
  #link: Link | null = null;
  /** Whose session the processes of this zone were in, when there were some. */
  #session: number | null = null;
  #sinceMs = 0;
  #hasRead = false;
  /** Its files were there when they were last looked for. */
  #isKept = true;
  #wanted = false;
  #failures = 0;
  #restarts = 0;
  #again: NodeJS.Timeout | undefined;
  #lastError: string | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(name: string, files: ZoneFiles, settings: ZoneSettings) {
    this.#name = name;
    this.#files = files;
    this.#settings = settings;
    this.#log = new ZoneLog(files.log);
  }

  get answers(): boolean {
    return this.#running !== null && this.#hasRead;
  }

  get pid(): number | null {
    return this.#running?.pid ?? null;
  }

  get restarts(): number {
    return this.#restarts;
  }

  /** What it complained of last, or why it did not come up; null since it last read all. */
  get lastError(): string | null {
    return this.#lastError;
  }

  /** Takes over the process that an earlier daemon started; false when there is none. */
  adopt(): boolean {
    const said = readProcess(this.#files.process);
    if (said === null || !isOurs(said, this.#files.configuration)) return false;
    this.#running = said;
    this.#link = { name: '', index: said.link ?? 0 };
    this.#isAdopted = true;
    this.#session = said.pid;
    this.#sinceMs = performance.now();
    this.#settings.log.info(this.#named({ pid: said.pid }), 'adopted the resolver of a network');
    return true;
  }

  /** As the files are now. A process that does not read them is replaced, as one with another configuration is. */
  async keep(): Promise<Problem | null> {
    this.#wanted = true;
    return this.#inTurn(async () => {
      this.#noRestart();
      try {
        const configured = this.#configured();
        const running = this.#running;
        if (running !== null && running.hash === configured.hash && (await this.#reread(running, configured.link)))
          return null;
        await this.#stop();
        this.#noRestart();
        await this.#start(configured);
        return null;
      } catch (thrown) {
        return this.#failed(thrown);
      }
    });
  }

  async end(): Promise<void> {
    this.#wanted = false;
    return this.#inTurn(async () => {
      this.#noRestart();
      await this.#stop();
      await endLeftovers(() => this.#leftovers());
    });
  }

  /** Looks after nothing any more; the process goes on. */
  letGo(): void {
    this.#wanted = false;
    this.#noRestart();
  }

  /** Looks whether it is still there, and what it says. Called every now and then. */
  look(): void {
    const running = this.#running;
    // Of those that we have started ourselves the end is told.
    if (running !== null && this.#isAdopted && !isAlive(running)) this.#died(running);
    this.#lookForLink();
    this.#lookForFiles();
    // While somebody waits for a mark, the log is theirs.
    if (this.#hasRead) {
      for (const line of this.#log.lines()) this.#hear(line);
      this.#log.trim();
    }
    if (this.#failures > 0 && this.answers && performance.now() - this.#sinceMs > WELL_MS) this.#failures = 0;
  }

  #lookForLink(): void {
    const running = this.#running;
    const link = this.#link;
    if (running === null || link === null || !this.#hasRead) return;
    const index = linkIndex(link.name);
    if (index === link.index) return;
    // Of a link that was made anew under its name in the meantime the process has heard nothing.
    if (index !== 0 && link.index !== 0) void this.keep();
    else this.#narrow(running, link.name);
  }

  /** Others' links are none of its business, and with many networks it would look at all of them whenever one comes. */
  #narrow(running: Running, name: string): void {
    const index = linkIndex(name);
    const { pid, started, hash } = running;
    if (this.#link?.index !== index) replaceFile(this.#files.process, { pid, started, hash, link: index });
    this.#link = { name, index };
    narrowAddressNews(pid, index === 0 ? null : index);
  }

  /** What it answers by is gone: it goes on with what it has read, but would not start again. */
  #lookForFiles(): void {
    const isKept = existsSync(this.#files.zone) && existsSync(this.#files.names);
    if (this.#isKept && !isKept && this.answers) this.#settings.changed();
    this.#isKept = isKept;
  }

  /** It is there and does not answer: ends it as a dead one would have ended; another is started. */
  giveUp(): void {
    const running = this.#running;
    if (running === null) return;
    this.#lastError = 'it did not answer and was replaced';
    this.#settings.log.error(
      this.#named({ pid: running.pid }),
      'the resolver does not answer: it is killed, and another started',
    );
    signal(running, this.#files.configuration, 'SIGKILL');
  }

  /** Rejects with whatever goes wrong on the way. */
  async #start({ hash, link }: Configured): Promise<void> {
    // Of a process that was killed, those who answer TCP clients are left, and hold its ports.
    await endLeftovers(() => this.#leftovers());
    const mark = nextMark(this.#files.marks);
    const end = Promise.withResolvers<void>();
    const pid = await this.#spawn(() => end.resolve());
    const running = { ...(identify(pid) ?? { pid, started: '' }), hash };
    this.#running = running;
    this.#isAdopted = false;
    this.#session = running.pid;
    this.#hasRead = false;
    void end.promise.then(() => this.#died(running));
    this.#link = null;
    replaceFile(this.#files.process, running);
    const trouble = await this.#untilRead(mark, running);
    if (trouble !== null) {
      await this.#stop();
      throw new ProblemError(trouble);
    }
    this.#narrow(running, link);
    this.#sinceMs = performance.now();
    this.#settings.log.info(this.#named({ pid: running.pid }), 'started the resolver of a network');
  }

  /** False when it did not. */
  async #reread(running: Running, link: string): Promise<boolean> {
    this.#hasRead = false;
    const [heard, index] = [this.#link?.index ?? 0, linkIndex(link)];
    if (heard !== 0 && index !== 0 && heard !== index) return false;
    // It writes into a file that is nowhere any more, so what it has read would never be known.
    if (!existsSync(this.#files.log)) return false;
    // What it said before is of no interest now.
    for (const line of this.#log.lines()) this.#hear(line);
    const mark = nextMark(this.#files.marks);
    const before = clientsOf(running.pid);
    if (!signal(running, this.#files.configuration, 'SIGHUP')) return false;
    const trouble = await this.#untilRead(mark, running);
    if (trouble === null) {
      this.#narrow(running, link);
      endClientsLater(before, this.#files.configuration);
      return true;
    }
    this.#settings.log.error(this.#named({ pid: running.pid }), `${trouble.message}; it is replaced`);
    return false;
  }

  async #untilRead(mark: string, running: Running): Promise<Problem | null> {
    const { marks } = this.#files;
    const { patienceMs } = this.#settings;
    const ended = (): boolean => !isAlive(running);
    const trouble = await untilRead({ log: this.#log, pid: running.pid, mark, marks, ended, patienceMs });
    if (trouble !== null) {
      const code = /address already in use/i.test(trouble) ? 'port.inUse' : 'plane.failed';
      const hint = /inotify/.test(trouble) ? '; fs.inotify.max_user_instances of this host is too small' : '';
      return problem(code, `the resolver of ${this.#name} ${trouble}${hint}`);
    }
    this.#hasRead = true;
    this.#lastError = null;
    return null;
  }

  #failed(thrown: unknown): Problem {
    const trouble =
      thrown instanceof ProblemError
        ? thrown.problem
        : problem('plane.failed', `the resolver of ${this.#name} cannot be started: ${textOf(thrown)}`);
    this.#lastError = trouble.message;
    this.#hasRead = false;
    this.#startLater();
    return trouble;
  }

  #died(running: Running): void {
    if (this.#running !== running) return;
    this.#running = null;
    const hadRead = this.#hasRead;
    this.#hasRead = false;
    if (!this.#wanted) return;
    this.#lastError ??= 'it has ended';
    this.#settings.log.error(
      this.#named({ pid: running.pid }),
      'the resolver of a network has ended; it is started again',
    );
    this.#startLater();
    if (hadRead) this.#settings.changed();
  }

  #startLater(): void {
    if (!this.#wanted || this.#again !== undefined) return;
    const ms = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** this.#failures++);
    this.#again = setTimeout(() => {
      this.#again = undefined;
      void this.#inTurn(async () => {
        if (!this.#wanted || this.#running !== null) return;
        this.#restarts++;
        try {
          await this.#start(this.#configured());
          this.#settings.changed();
        } catch (thrown) {
          const { code, message } = this.#failed(thrown);
          this.#settings.log.error(this.#named({ code }), message);
        }
      });
    }, ms).unref();
  }

  #noRestart(): void {
    clearTimeout(this.#again);
    this.#again = undefined;
  }

  async #stop(): Promise<void> {
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    this.#hasRead = false;
    // It ends those who answer TCP clients as well.
    await endOne(running, this.#files.configuration, ['SIGTERM', 'SIGKILL']);
  }

  /** Processes of this zone, when there should be none. */
  #leftovers(): readonly Leftover[] {
    // Each is a session of its own, and whom it starts is in it: with a thousand networks this is quicker than a look at all processes.
    if (this.#session === null || !isGroup(this.#session)) return [];
    const { folder, configuration } = this.#files;
    return (findProcesses(folder).get(configuration) ?? []).map((id) => ({ id, configuration }));
  }

  /** Its process number. */
  async #spawn(onExit: () => void): Promise<number> {
    const { configuration, log } = this.#files;
    const { program, runAs } = this.#settings;
    const args = argumentsOf(configuration, runAs);
    const env = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' };
    // What it says before it has opened its log goes there too, and in words that can be read.
    const output = openSync(log, 'a', 0o600);
    try {
      chmodSync(log, 0o600);
      if (runAs !== null) chownSync(log, runAs.uid, runAs.gid);
      const pid = spawnApart(program, args, { env, output, onExit });
      if (pid !== null) return pid;
      const child = spawn(program, args, { cwd: '/', detached: true, stdio: ['ignore', output, output], env });
      child.unref();
      child.on('exit', onExit);
      await once(child, 'spawn');
      return child.pid!;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
      throw new Error(`${program} is not installed (Debian has it in dnsmasq-base)`);
    } finally {
      closeSync(output);
    }
  }

  #hear(line: string): void {
    const event = parseLogLine(line, this.#running?.pid ?? 0);
    if (event === null || event.is === 'read') return;
    this.#lastError = event.text;
    this.#settings.log.warn(this.#named({}), `a resolver complains: ${event.text}`);
  }

  #configured(): Configured {
    const { configuration } = this.#files;
    const { program, runAs } = this.#settings;
    const text = readFileSync(configuration, 'utf8');
    const words = [program, ...argumentsOf(configuration, runAs), text];
    const hash = createHash('sha256').update(words.join('\0')).digest('hex');
    return { hash, link: /^interface=(.+)$/m.exec(text)?.[1] ?? '' };
  }

  #inTurn<T>(what: () => Promise<T>): Promise<T> {
    const next = this.#last.then(what);
    this.#last = next.catch(() => {});
    return next;
  }

  #named<T extends object>(fields: T): T & { readonly zone: string } {
    return { zone: this.#name, ...fields };
  }
}

/** The old one or the new one; it need not outlive the machine, since the process does not. */
function replaceFile(path: string, running: Running): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(running)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function readProcess(path: string): Running | null {
  try {
    const { pid, started, hash, link } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Running>;
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof hash !== 'string') return null;
    return { pid, started, hash, link: typeof link === 'number' ? link : undefined };
  } catch {
    return null;
  }
}

const textOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
