/** A program that the demo runs: its output goes to a log file, its end is noticed, and it is not left behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { ProblemError, problem } from '@vrouter/core/problem.ts';

export interface ChildSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly logPath: string;
  /** True: standard input and output are pipes, for a process that is talked to. */
  readonly talks?: boolean;
  readonly env?: NodeJS.ProcessEnv;
}

export class Child {
  readonly name: string;
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly #logPath: string;
  #stopping = false;

  constructor(spec: ChildSpec) {
    this.name = spec.name;
    this.#logPath = spec.logPath;
    const log = openSync(spec.logPath, 'a', 0o600);
    const pipe = spec.talks === true ? 'pipe' : 'ignore';
    this.process = spawn(spec.command, spec.args, {
      // A session of its own: Ctrl-C reaches the demo alone, which then stops everyone in order.
      detached: true,
      stdio: [pipe, spec.talks === true ? 'pipe' : log, log],
      env: spec.env ?? process.env,
    });
    closeSync(log);
    this.process.stdin?.on('error', () => {});
    this.ended = new Promise((resolve) => {
      this.process.on('error', () => resolve(null));
      this.process.on('exit', (code) => resolve(code));
    });
  }

  get pid(): number {
    return this.process.pid ?? -1;
  }

  get hasEnded(): boolean {
    return this.process.exitCode !== null || this.process.signalCode !== null || this.process.pid === undefined;
  }

  /** Calls back if the process ends without having been asked to. */
  onUnexpectedEnd(callback: (what: ProblemError) => void): void {
    void this.ended.then(() => {
      if (!this.#stopping) callback(this.failure(this.#howItEnded()));
    });
  }

  /** Who was killed has no last words that say so. */
  #howItEnded(): string {
    const { signalCode, exitCode } = this.process;
    if (this.process.pid === undefined) return 'could not be started';
    return signalCode === null ? `ended with exit status ${exitCode}` : `was killed (${signalCode})`;
  }

  /** Why it failed, in its own last words. */
  failure(how: string): ProblemError {
    const last = readFileSync(this.#logPath, 'utf8').trim().split('\n').slice(-3).join('\n  ');
    const said = last === '' ? 'is empty' : `ends with\n  ${last}\n`;
    return new ProblemError(problem('internal', `${this.name} ${how}; its log ${this.#logPath} ${said}`));
  }

  /** Asks it to end, and insists after `graceMs`. Idempotent. */
  async stop(graceMs = 5000): Promise<void> {
    this.#stopping = true;
    if (this.hasEnded) return;
    this.process.stdin?.end();
    this.process.kill('SIGTERM');
    const timer = setTimeout(() => this.process.kill('SIGKILL'), graceMs);
    await this.ended;
    clearTimeout(timer);
  }
}
