/**
 * The process of one zone: started, told to read, ended, and started again when it died. It is a session of its own, so that it outlives
 * this daemon; the next one adopts it by what `process.json` says.
 */
import { type ChildProcess, spawn } from 'node:child_process';
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
import type { Logger } from 'pino';
import { clientsOf, endClientsLater } from './clients.ts';
import { endLeftovers, endOne, type Leftover, signal } from './ending.ts';
import { parseLogLine, ZoneLog } from './log.ts';
import { nextMark } from './marks.ts';
import { argumentsOf, findProcesses, identify, isAlive, isOurs, type ProcessId } from './process.ts';
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
}

export class ZoneProcess {
  readonly #name: string;
  readonly #files: ZoneFiles;
  readonly #settings: ZoneSettings;
  readonly #log: ZoneLog;
  #running: Running | null = null;
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
        const hash = this.#hashNow();
        const running = this.#running;
        if (running !== null && running.hash === hash && (await this.#reread(running))) return null;
        await this.#stop();
        this.#noRestart();
        await this.#start(hash);
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
    if (running !== null && !isAlive(running)) this.#died(running);
    this.#lookForFiles();
    // While somebody waits for a mark, the log is theirs.
    if (this.#hasRead) {
      for (const line of this.#log.lines()) this.#hear(line);
      this.#log.trim();
    }
    if (this.#failures > 0 && this.answers && performance.now() - this.#sinceMs > WELL_MS) this.#failures = 0;
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
  async #start(hash: string): Promise<void> {
    // Of a process that was killed, those who answer TCP clients are left, and hold its ports.
    await endLeftovers(() => this.#leftovers());
    const mark = nextMark(this.#files.marks);
    const child = await this.#spawn();
    const running = { ...(identify(child.pid!) ?? { pid: child.pid!, started: '' }), hash };
    this.#running = running;
    this.#hasRead = false;
    child.on('exit', () => this.#died(running));
    replaceFile(this.#files.process, `${JSON.stringify(running)}\n`);
    const trouble = await this.#untilRead(mark, running);
    if (trouble !== null) {
      await this.#stop();
      throw new ProblemError(trouble);
    }
    this.#sinceMs = performance.now();
    this.#settings.log.info(this.#named({ pid: running.pid }), 'started the resolver of a network');
  }

  /** False when it did not. */
  async #reread(running: Running): Promise<boolean> {
    this.#hasRead = false;
    // It writes into a file that is nowhere any more, so what it has read would never be known.
    if (!existsSync(this.#files.log)) return false;
    // What it said before is of no interest now.
    for (const line of this.#log.lines()) this.#hear(line);
    const mark = nextMark(this.#files.marks);
    const before = clientsOf(running.pid);
    if (!signal(running, this.#files.configuration, 'SIGHUP')) return false;
    const trouble = await this.#untilRead(mark, running);
    if (trouble === null) {
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
      return problem(code, `the resolver of ${this.#name} ${trouble}`);
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
          await this.#start(this.#hashNow());
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
    const { folder, configuration } = this.#files;
    return (findProcesses(folder).get(configuration) ?? []).map((id) => ({ id, configuration }));
  }

  async #spawn(): Promise<ChildProcess> {
    const { configuration, log } = this.#files;
    const { program, runAs } = this.#settings;
    const fd = openSync(log, 'a', 0o600);
    try {
      chmodSync(log, 0o600);
      if (runAs !== null) chownSync(log, runAs.uid, runAs.gid);
      const child = spawn(program, argumentsOf(configuration, runAs), {
        cwd: '/',
        detached: true,
        // What it says before it has opened its log, and in words that can be read.
        stdio: ['ignore', fd, fd],
        env: { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
      });
      child.unref();
      await once(child, 'spawn');
      return child;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
      throw new Error(`${program} is not installed (Debian has it in dnsmasq-base)`);
    } finally {
      closeSync(fd);
    }
  }

  #hear(line: string): void {
    const event = parseLogLine(line, this.#running?.pid ?? 0);
    if (event === null || event.is === 'read') return;
    this.#lastError = event.text;
    this.#settings.log.warn(this.#named({}), `a resolver complains: ${event.text}`);
  }

  #hashNow(): string {
    const { configuration } = this.#files;
    const { program, runAs } = this.#settings;
    const words = [program, ...argumentsOf(configuration, runAs), readFileSync(configuration, 'utf8')];
    return createHash('sha256').update(words.join('\0')).digest('hex');
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
function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

function readProcess(path: string): Running | null {
  try {
    const { pid, started, hash } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Running>;
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof hash !== 'string') return null;
    return { pid, started, hash };
  } catch {
    return null;
  }
}

const textOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
