/** Runs `vrouterctl` as its users do: as a process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

const main = join(import.meta.dirname, 'main.ts');

/** The process, with the caller's environment but for what the options of ours read from it. */
export function start(args: readonly string[], env: { readonly [name: string]: string } = {}): ChildProcess {
  const {
    VROUTER_SOCKET: _socket,
    VROUTER_CONTROLLER: _controller,
    VROUTER_TOKEN: _token,
    VROUTER_CA: _ca,
    ...rest
  } = process.env;
  // Whoever runs the tests may have logged in somewhere.
  const nobody = { XDG_STATE_HOME: '/nonexistent' };
  return spawn(process.execPath, [main, ...args], {
    env: { ...rest, ...nobody, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export function ended(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let out = '';
    let err = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
  });
}

export function vrouterctl(args: readonly string[], env: { readonly [name: string]: string } = {}): Promise<Ended> {
  return ended(start(args, env));
}
