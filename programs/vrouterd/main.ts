#!/usr/bin/env node
/** `vrouterd`: its options, and the daemon that they describe. */
import { Command } from 'commander';
import { type Options, readConfig } from './config.ts';
import { exitCodeOf, runDaemon } from './run.ts';
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
  .option(
    '--take-over',
    'start although the host has interfaces of a vrouterd with another data folder, and sweep them',
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

try {
  const options = command.parse().opts<Options>();
  await runDaemon('vrouterd', readConfig(options), () => readConfig(options));
} catch (thrown) {
  process.exitCode = exitCodeOf('vrouterd', thrown);
}
