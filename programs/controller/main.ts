#!/usr/bin/env node
/** vrouter-controller: reads the command line, starts, reads files again on SIGHUP, stops on SIGTERM and SIGINT. README.md says what it is for. */
import { writeSync } from 'node:fs';
import { statusOf } from '@vrouter/api/status.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { pino } from 'pino';
import { runBackupCommand } from './backup/command.ts';
import { resetAdminOf, startController } from './controller.ts';
import { readOptions } from './options.ts';
import { VERSION } from './version.ts';

/** Longer than any stop takes; then something hangs and the exit is forced. ms. */
const FORCE_MS = 2000;

try {
  if (await runBackupCommand(process.argv.slice(2), (text) => process.stdout.write(`${text}\n`), Date.now))
    process.exit(0);
  const options = readOptions(process.argv.slice(2));
  const tellPeople = (text: string): void => void writeSync(2, text);
  if (options.resetAdmin === true) {
    await resetAdminOf(options, tellPeople);
    process.exit(0);
  }
  // What a client sent that is no HTTP is in the error of it, and may be a token.
  const redact = ['err.rawPacket', 'req.headers.authorization'];
  const log = pino(
    { name: 'vrouter-controller', level: options.logLevel, redact },
    pino.destination({ dest: 2, sync: true }),
  );
  log.info({ version: VERSION, data: options.data }, 'starting');
  const running = await startController(options, log, tellPeople);
  let stops = 0;
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    if (++stops > 1) process.exit(1);
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), FORCE_MS).unref();
    await running.stop();
    log.info('stopped');
    process.exit(0);
  };
  process.on('SIGHUP', () => running.reload());
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (thrown) {
  if (!(thrown instanceof ProblemError)) throw thrown;
  const { code, message } = thrown.problem;
  process.stderr.write(`vrouter-controller: ${message} (${code})\n`);
  process.exit(code === 'usage' ? statusOf(code).exit : 1);
}
