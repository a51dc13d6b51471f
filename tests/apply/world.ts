/** A controller of a test's own, and `vrouterctl` against it: with a file on standard input, and at a terminal. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';

const MAIN = fileURLToPath(new URL('../../programs/cli/main.ts', import.meta.url));

export interface Ran {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export class ApplyWorld implements AsyncDisposable {
  readonly folder: string;
  controller: ControllerProcess;

  private constructor(folder: string, controller: ControllerProcess) {
    this.folder = folder;
    this.controller = controller;
  }

  static async start(): Promise<ApplyWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'vrouter-apply-'));
    return new ApplyWorld(folder, await ControllerProcess.start(join(folder, 'data')));
  }

  /** Starts it again where it was. */
  async restart(): Promise<void> {
    const ports = [this.controller.rest, this.controller.agents].map((url) => Number(new URL(url).port));
    this.controller = await ControllerProcess.start(join(this.folder, 'data'), [ports[0]!, ports[1]!]);
  }

  /** `input`: all of standard input. */
  run(args: readonly string[], input = ''): Promise<Ran> {
    const child = this.#spawn(process.execPath, [MAIN, ...args]);
    child.stdin!.end(input);
    return ended(child);
  }

  /** `apply -f -` of a text; without asking unless `args` has --plan. */
  apply(text: string, ...args: readonly string[]): Promise<Ran> {
    return this.run(['apply', '-f', '-', ...(args.includes('--plan') ? [] : ['--yes']), ...args], text);
  }

  start(args: readonly string[]): ChildProcess {
    return this.#spawn(process.execPath, [MAIN, ...args]);
  }

  /** At a terminal that script(1) makes: when the question is there, `before` is awaited and `answer` typed. */
  async ask(args: readonly string[], answer: string, before: () => Promise<unknown> = async () => {}): Promise<Ran> {
    const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
    const child = this.#spawn('script', ['-qec', command, '/dev/null']);
    let asked = false;
    let shown = '';
    child.stdout!.on('data', (chunk: Buffer) => {
      shown += chunk.toString();
      if (asked || !shown.includes('[y/N]')) return;
      asked = true;
      void before().then(() => child.stdin!.write(`${answer}\r`));
    });
    return ended(child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.controller.end('SIGTERM');
    rmSync(this.folder, { recursive: true });
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    return spawn(program, args, {
      cwd: this.folder,
      env: { ...process.env, VROUTER_CONTROLLER: this.controller.rest, VROUTER_TOKEN: this.controller.token },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }
}

export function ended(child: ChildProcess): Promise<Ran> {
  return new Promise((resolve, reject) => {
    let out = '';
    let err = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

/** The last line that says something. */
export function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}
