/** `vrouter-controller backup` and `vrouter-controller restore`: the words of the command line. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { Command } from 'commander';
import { readStorePlace, storeBackend } from '../store/place.ts';
import { restoreBackup } from './restore.ts';
import { writeBackup } from './write.ts';

interface Given {
  readonly data: string;
  readonly store?: string;
  readonly json: boolean;
}

/**
 * Does what the arguments (without node and script) ask, when they begin with one of the two words; else returns false. What was done
 * goes to `out`. Prints and exits for --help and mistakes of form (exit 2). Throws ProblemError.
 */
export async function runBackupCommand(
  argv: readonly string[],
  out: (text: string) => void,
  unixMs: () => number,
): Promise<boolean> {
  if (argv[0] !== 'backup' && argv[0] !== 'restore') return false;
  const program = new Command('vrouter-controller').exitOverride((stop) => process.exit(stop.exitCode === 0 ? 0 : 2));
  common(program, 'backup', 'Writes all that a controller is into one file, also while it runs')
    .requiredOption('--to <file>', 'the file; it must not be there yet. It holds keys, so its mode is 0600')
    .action(async ({ data, store, json, to }: Given & { to: string }) => {
      const url = readStorePlace(store ?? null);
      if (url === null && !existsSync(join(data, 'controller.db')))
        throw new ProblemError(problem('data.corrupt', `there is no store of a controller in ${data}`, '--data'));
      const written = await writeBackup(data, storeBackend(data, url), to, unixMs());
      const { path, rows, files, bytes } = written;
      out(json ? JSON.stringify(written) : `${path}: ${rows} rows and ${files} key files, ${bytes} bytes`);
    });
  common(program, 'restore', 'Makes a controller of a backup, in an empty folder and store')
    .requiredOption('--from <file>', 'what backup has written')
    .action(async ({ data, store, json, from }: Given & { from: string }) => {
      const restored = await restoreBackup(data, readStorePlace(store ?? null), from, unixMs());
      const { takenUnixMs, rows, files } = restored;
      const taken = new Date(takenUnixMs).toISOString();
      const text = `${rows} rows and ${files} key files, as of ${taken}, are in ${data}. A gateway that has more keeps it until: vrouterctl vrouter confirm`;
      out(json ? JSON.stringify(restored) : text);
    });
  await program.parseAsync([...argv], { from: 'user' });
  return true;
}

function common(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .requiredOption('--data <dir>', 'folder of the controller')
    .option('--store <url>', 'PostgreSQL database, or a file with its URL; else SQLite in the folder')
    .option('--json', 'say what was done as JSON', false)
    .allowExcessArguments(false);
}
