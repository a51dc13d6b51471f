/** A path for a unix socket to listen on: free of what a killed program left there, never taken from a living one. */
import { lstatSync, statSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';

/** sun_path of struct sockaddr_un without its final zero; macOS has four bytes less. */
const MAX_PATH_BYTES = process.platform === 'darwin' ? 103 : 107;
const PROBE_MS = 1000;

/**
 * Makes the path ready for `server.listen(path)`: removes a socket file that nobody answers at. Rejects with ProblemError:
 * `port.inUse` (a live listener, or a file that is no socket), `input.invalid` (the path is too long), `data.unwritable` (no folder,
 * or not ours to change). Two programs that prepare one path at one moment are kept apart by the lock of their data folder, not here.
 */
export async function prepareSocketPath(path: string): Promise<void> {
  const bytes = Buffer.byteLength(path);
  if (bytes === 0 || bytes > MAX_PATH_BYTES || path.includes('\0'))
    refuse(problem('input.invalid', tooLong(path, bytes)));
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) {
    const folder = dirname(path);
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
      refuse(problem('data.unwritable', `${path} cannot be a socket: the folder ${folder} does not exist`));
    return;
  }
  if (!found.isSocket()) refuse(problem('port.inUse', `${path} is not a socket: move it away, or choose another path`));
  const answer = await probe(path);
  if (answer === 'ENOENT') return;
  if (answer !== 'ECONNREFUSED')
    refuse(problem('port.inUse', `${path} is in use: stop the program that listens there, or choose another path`));
  try {
    unlinkSync(path);
  } catch (thrown) {
    const code = errorCode(thrown);
    if (code !== 'ENOENT') refuse(problem('data.unwritable', `${path} is left over and cannot be removed: ${code}`));
  }
}

function refuse(why: Problem): never {
  throw new ProblemError(why);
}

function tooLong(path: string, bytes: number): string {
  const shown = path.length > 40 ? `...${path.slice(-40)}` : path;
  return `"${shown}" has ${bytes} bytes; the path of a socket has 1 to ${MAX_PATH_BYTES}: choose a shorter folder`;
}

/** `open` when somebody listens, else the error's code. Only ECONNREFUSED says for certain that nobody does. */
function probe(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => done('timeout'), PROBE_MS);
    socket.once('connect', () => done('open'));
    socket.once('error', (thrown) => done(errorCode(thrown)));
  });
}

function errorCode(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown);
}
