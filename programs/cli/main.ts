/** `vrouterctl`: hands the machine to the command line. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';

const clone = join(import.meta.dirname, '../..');
// Compiled code is kept in the clone, which halves the 0.3 s that a command takes to start. It must be on before the rest is loaded;
// a folder that cannot be written is no error.
enableCompileCache(join(clone, '.cache/node'));
const { runCli } = await import('./cli.ts');
const { openBrowser } = await import('./login/browse.ts');
const { VERSION } = await import('./manifest.ts');

// `vrouterctl ... | head` closes our output early: no error of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  clone,
  version: VERSION,
  nowUnixMs: () => Date.now(),
  out: (text) => void process.stdout.write(`${text}\n`),
  outBytes: (bytes) =>
    new Promise((resolve) => {
      if (process.stdout.write(bytes)) resolve();
      else process.stdout.once('drain', () => resolve());
    }),
  outIsTerminal: process.stdout.isTTY === true,
  inIsTerminal: process.stdin.isTTY === true,
  readIn: () => text(process.stdin),
  ask: (question) =>
    new Promise((resolve) => {
      const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
      let answer = '';
      lines.question(question, (line) => {
        answer = line;
        lines.close();
      });
      // The end of the input, or an interrupt, is no answer either.
      lines.once('close', () => resolve(answer));
    }),
  note: (text) => void process.stderr.write(`${text}\n`),
  browse: openBrowser,
  untilInterrupted() {
    const interrupted = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort());
    return interrupted.signal;
  },
});
