#!/usr/bin/env node
import { join } from 'node:path';
import { statusOf } from '@vrouter/api/status.ts';
/** `vrouterd`: everything introduced to everything, top to bottom. */
import { toProblem } from '@vrouter/core/problem.ts';
import { makeSecret } from '@vrouter/host/crypto/system.ts';
import { lockFolder } from '@vrouter/host/files/lock.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { Command, CommanderError } from 'commander';
import { destination, type Logger, pino } from 'pino';
import { Identity } from './agent/identity.ts';
import { type Options, readConfig } from './config.ts';
import { Daemon } from './daemon.ts';
import { listen, localServer } from './doors/local/server.ts';
import { WgDoor } from './doors/wg/door.ts';
import { Metrics } from './metrics.ts';
import { linuxPlane } from './planes/linux.ts';
import { userspacePlane } from './planes/userspace.ts';
import { databaseProblem, openDatabase } from './store/database.ts';
import { Store } from './store/store.ts';
import { VERSION } from './version.ts';

const command = new Command('vrouterd')
  .description('The gateway daemon: holds what should be true, sees what is true, and moves the one to the other.')
  .version(VERSION)
  .option('--bootstrap', 'userspace WireGuard, no privileges needed')
  .option('--config <file>', 'YAML configuration; options win over it')
  .option('--data <folder>', 'state and keys (default: /var/lib/vrouter, with --bootstrap .vrouter/gateway)')
  .option('--join <string>', 'https://host:8443/#token~fingerprint, from the controller; needed once')
  .option('--socket <path>', 'unix socket for vrouterctl (default: vrouterd.sock in the data folder)')
  .option('--engine-socket <path>', 'unix socket of vrouter-engine (default: engine.sock in the data folder)')
  .option('--no-engine-start', 'only connect to an engine, never start one')
  .option(
    '--allow-host-interface',
    'let the controller give this machine interfaces, addresses and routes (default: no)',
  )
  .option('--log-level <level>', 'fatal, error, warn, info, debug or trace (default: info)')
  .addHelpText(
    'after',
    `
SIGHUP reads \`intents\`, \`allow\` and \`controllers\` of the configuration file again. A stopped daemon leaves
packets going; \`vrouterctl engine stop\` ends an engine. Logs go to standard error, one JSON line each.

Examples:
  vrouterd --bootstrap --join 'https://router.example:8443/#vrj_...~5f0c...'
  vrouterd --config /etc/vrouter/vrouterd.yaml`,
  )
  .exitOverride();

async function main(): Promise<void> {
  const options = command.parse().opts<Options>();
  const config = readConfig(options);
  const log = pino({ name: 'vrouterd', level: config.logLevel }, destination({ fd: 2, sync: true }));
  ensurePrivateFolder(config.dataFolder);
  using _lock = lockFolder(config.dataFolder);
  const store = new Store(openDatabase(join(config.dataFolder, 'vrouterd.db')));
  const identity = new Identity(config.dataFolder);
  const privateKey = makeSecret(await identity.wireguardKey());
  const plane =
    config.plane === 'linux'
      ? await linuxPlane({ ledger: store.ledger, namesFolder: config.namesFolder, log })
      : userspacePlane(config, log);
  const daemon = new Daemon({ config, store, identity, privateKey, plane, log });
  const wg = plane.wgSockets ? new WgDoor(daemon, log) : null;
  const local = localServer(daemon, new Metrics(), (name) => wg?.place(name) ?? null);
  await listen(local, config.socketPath);
  await daemon.start();
  await wg?.start();
  log.info({ version: VERSION, socket: config.socketPath, plane: config.plane }, 'running');
  process.on('SIGHUP', () => reload(daemon, options, log));
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name));
  });
  log.info({ signal }, 'stopping; packets go on');
  await local.close();
  await wg?.stop();
  await daemon.stop();
  await plane.close();
}

/** SIGHUP: the configuration file is read again. A bad one is told and changes nothing. */
function reload(daemon: Daemon, options: Options, log: Logger): void {
  try {
    const config = readConfig(options);
    daemon.reload(config);
    log.info(
      { intents: config.intents.length },
      'configuration read again; only `intents`, `allow` and `controllers` are taken over without a restart',
    );
  } catch (thrown) {
    const { code, message, field } = toProblem(thrown);
    log.error({ code, field }, `the configuration stays as it was: ${message}`);
  }
}

try {
  await main();
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  else {
    const { code, message, field } = toProblem(databaseProblem('the database of the data folder', thrown) ?? thrown);
    process.stderr.write(`vrouterd: ${message} (${code}${field === undefined ? '' : `, ${field}`})\n`);
    process.exitCode = statusOf(code).exit;
  }
}
