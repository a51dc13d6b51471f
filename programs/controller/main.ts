#!/usr/bin/env node
/** vrouter-controller: reads the command line, starts, stops on SIGTERM and SIGINT. README.md says what it is for. */
import { statusOf } from '@vrouter/api/status.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { pino } from 'pino';
import { runBackupCommand } from './backup/command.ts';
import { startController } from './controller.ts';
import { readOptions } from './options.ts';
import { VERSION } from './version.ts';

/** Longer than any stop takes; then something hangs and the exit is forced. ms. */
const FORCE_MS = 2000;

try {
  if (await runBackupCommand(process.argv.slice(2), (text) => process.stdout.write(`${text}\n`), Date.now))
    process.exit(0);
  const options = readOptions(process.argv.slice(2));
  const log = pino({ name: 'vrouter-controller', level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
  log.info({ version: VERSION, data: options.data }, 'starting');
  const running = await startController(options, log);
  let stops = 0;
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (++stops > 1) process.exit(1);
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), FORCE_MS).unref();
    await running.stop();
    log.info('stopped');
    process.exit(0);
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (thrown) {
  if (!(thrown instanceof ProblemError)) throw thrown;
  const { code, message } = thrown.problem;
  process.stderr.write(`vrouter-controller: ${message} (${code})\n`);
  process.exit(code === 'usage' ? statusOf(code).exit : 1);
}
