/**
 * The process of one zone: started, told to read, ended, and started again when it died. It is a session of its own, so that it outlives
 * this daemon; the next one adopts it by what `process.json` says.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { ZoneFiles } from '@vrouter/drivers/dnsmasq/layout.ts';
import { writeFileDurably } from '@vrouter/host/files/write-durably.ts';
import type { Logger } from 'pino';
import { endLeftovers, endOne, type Leftover, signal } from './ending.ts';
import { parseLogLine, ZoneLog } from './log.ts';
import { nextMark } from './marks.ts';
import { argumentsOf, findProcesses, identify, isAlive, isOurs, type ProcessId } from './process.ts';
import type { RunAs } from './user.ts';

/** How long a process may take until it has read its names, ms. */
const READ_MS = 10_000;
/** Before it is started again, ms: doubled each time, forgotten once it was well for a while. */
const BACKOFF_MS = 50;
const BACKOFF_MAX_MS = 30_000;
const WELL_MS = 60_000;

export interface ZoneSettings {
  readonly program: string;
  readonly runAs: RunAs | null;
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

  async keep(): Promise<Problem | null> {
    this.#wanted = true;
    return this.#inTurn(async () => {
      this.#noRestart();
      const hash = this.#hashNow();
      if (this.#running !== null && this.#running.hash !== hash) await this.#stop();
      return this.#running === null ? this.#start(hash) : this.#reread();
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
    if (this.#hasRead) for (const line of this.#log.lines()) this.#hear(line);
    if (this.#failures > 0 && this.answers && performance.now() - this.#sinceMs > WELL_MS) this.#failures = 0;
    this.#log.trim();
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

  async #start(hash: string): Promise<Problem | null> {
    // Of a process that was killed, those who answer TCP clients are left, and hold its ports.
    await endLeftovers(() => this.#leftovers());
    const { program, runAs } = this.#settings;
    let child: ChildProcess;
    let mark: string;
    try {
      mark = nextMark(this.#files.marks);
      child = this.#spawn(program, runAs);
    } catch (thrown) {
      return this.#failed(
        problem('plane.failed', `the resolver of ${this.#name} cannot be started: ${textOf(thrown)}`),
      );
    }
    let ended = false;
    let why: string | null = null;
    child.on('error', (error) => {
      why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? `${program} is not installed` : error.message;
      ended = true;
    });
    const id = child.pid === undefined ? null : identify(child.pid);
    if (id !== null) {
      const running = { ...id, hash };
      this.#running = running;
      this.#hasRead = false;
      child.on('exit', () => {
        ended = true;
        this.#died(running);
      });
      await writeFileDurably(this.#files.process, `${JSON.stringify(running)}\n`);
    }
    const failure = await this.#untilRead(mark, id?.pid ?? 0, () => ended || id === null);
    if (failure !== null)
      return this.#failed(why === null ? failure : { ...failure, message: `${failure.message}: ${why}` });
    this.#sinceMs = performance.now();
    this.#settings.log.info(this.#named({ pid: id?.pid }), 'started the resolver of a network');
    return null;
  }

  async #reread(): Promise<Problem | null> {
    const running = this.#running!;
    const { configuration } = this.#files;
    this.#hasRead = false;
    // What it said before is of no interest now.
    for (const line of this.#log.lines()) this.#hear(line);
    let mark: string;
    try {
      mark = nextMark(this.#files.marks);
    } catch (thrown) {
      return problem('data.unwritable', `the resolver of ${this.#name} cannot be told to read: ${textOf(thrown)}`);
    }
    if (!signal(running, configuration, 'SIGHUP')) this.#died(running);
    const failure = await this.#untilRead(mark, running.pid, () => this.#running !== running);
    if (failure !== null) this.#lastError = failure.message;
    return failure;
  }

  /** Until the log says that all up to the mark was read. */
  async #untilRead(mark: string, pid: number, ended: () => boolean): Promise<Problem | null> {
    const deadline = performance.now() + READ_MS;
    let said: string | null = null;
    const about = (what: string): Problem =>
      problem(
        /address already in use/i.test(said ?? '') ? 'port.inUse' : 'plane.failed',
        `the resolver of ${this.#name} ${what}${said === null ? '' : `: ${said}`}`,
      );
    for (let round = 0; ; round++) {
      const isOver = ended();
      for (const line of this.#log.lines()) {
        const event = parseLogLine(line, pid);
        if (event?.is === 'read' && event.path === mark) {
          this.#hasRead = true;
          this.#lastError = null;
          return null;
        }
        // A mark that has another name by now is not missed.
        if (event?.is === 'unread' && !event.text.includes(`${this.#files.marks}/`)) {
          said = event.text;
          return about('cannot read its names');
        }
        if (event?.is === 'complaint') said = event.text;
      }
      if (isOver) return about('has ended');
      if (performance.now() > deadline) return about('has not read its names in time');
      await delay(round < 50 ? 1 : 10);
      if (round % 16 === 15) this.look();
    }
  }

  #failed(failure: Problem): Problem {
    this.#lastError = failure.message;
    this.#hasRead = false;
    this.#startLater();
    return failure;
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
        const failure = await this.#start(this.#hashNow());
        if (failure === null) this.#settings.changed();
        else this.#settings.log.error(this.#named({ code: failure.code }), failure.message);
      }).catch((thrown) => this.#settings.log.error(this.#named({ why: textOf(thrown) }), 'cannot start a resolver'));
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

  #spawn(program: string, runAs: RunAs | null): ChildProcess {
    const { configuration, log } = this.#files;
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
      return child;
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
