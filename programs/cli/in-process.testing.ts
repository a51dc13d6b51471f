/** Runs `vrouterctl` without a process of its own: fifty command lines in the time that one takes to start. */
import { runCli } from './cli.ts';
import type { Ended } from './process.testing.ts';
import type { World } from './session.ts';

/** `world`: what is not as usual, which is no terminal, an empty environment and no clone. */
export async function runHere(args: readonly string[], world: Partial<World> = {}): Promise<Ended> {
  let out = '';
  let err = '';
  const status = await runCli(args, {
    env: {},
    cwd: '/',
    clone: '/nowhere',
    version: '0',
    nowUnixMs: () => Date.now(),
    out: (text) => {
      out += `${text}\n`;
    },
    outBytes: async () => {},
    outIsTerminal: false,
    inIsTerminal: false,
    readIn: async () => '',
    ask: async () => '',
    browse: () => {},
    note: (text) => {
      err += `${text}\n`;
    },
    untilInterrupted: () => new AbortController().signal,
    ...world,
  });
  return { status, out, err };
}
