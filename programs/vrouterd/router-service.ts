#!/usr/bin/env node
/**
 * `router-service`: the daemon with the door of an older router for container networks alone, by the flags of that one. A VM that started it
 * starts this.
 */
import { Command, InvalidArgumentError } from 'commander';
import { type Config, readConfig } from './config.ts';
import { readRouterService, routerServiceFile } from './doors/router/config.ts';
import { DEFAULT_CIDS, DEFAULT_VSOCK_PORT, type RouterServiceConfig } from './doors/router/places.ts';
import { exitCodeOf, runDaemon } from './run.ts';
import { VERSION } from './version.ts';

interface Flags {
  readonly vsockPort?: number;
  readonly allowedCids?: readonly number[];
  readonly socket?: string;
  readonly tcp?: string;
  readonly parent?: string;
  readonly data: string;
  readonly takeOver?: boolean;
  readonly logLevel: string;
}

const command = new Command('router-service')
  .description(
    'VLANs, NAT, names and published ports for container networks, asked for by gRPC (router.RouterService).',
  )
  .version(VERSION)
  .option('--vsock-port <number>', `VSOCK port (default: ${DEFAULT_VSOCK_PORT}; with --socket or --tcp, none)`, number)
  .option(
    '--allowed-cids <numbers>',
    `context ids that may connect (default: ${DEFAULT_CIDS.join(',')}, the host)`,
    numbers,
  )
  .option('--socket <path>', 'unix socket, for this user alone')
  .option('--tcp <address:port>', 'TCP on the loopback: 127.0.0.1:50052 or [::1]:50052')
  .option('--parent <interface>', 'what VLANs are made of (default: the interface of the default route)')
  .option('--data <folder>', 'where what was said is kept', '/var/lib/vrouter')
  .option('--take-over', 'start although the host has interfaces of a vrouter with another data folder, and sweep them')
  .option('--log-level <level>', 'fatal, error, warn, info, debug or trace', 'info')
  .addHelpText(
    'after',
    `
Flags may have one dash or two, and their value after a space or "=". Logs go to standard error, one JSON line each.

Examples:
  router-service --vsock-port 50052
  router-service --socket /run/router.sock --parent eth1`,
  )
  .exitOverride();

/** As the flags of Go's programs: `-vsock-port 1` is `--vsock-port 1`. Single letters stay what they are. */
function withTwoDashes(argv: readonly string[]): string[] {
  return argv.map((word) => (/^-[a-z][a-z-]+(?:=|$)/.test(word) ? `-${word}` : word));
}

function number(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('It is a number.');
  return Number(text);
}

function numbers(text: string): number[] {
  return text.split(',').map(number);
}

function serviceOf({ vsockPort, allowedCids, socket, tcp, parent }: Flags): RouterServiceConfig {
  const isElsewhere = socket !== undefined || tcp !== undefined;
  const port = vsockPort ?? (isElsewhere ? undefined : DEFAULT_VSOCK_PORT);
  const said = Object.entries({ vsockPort: port, allowedCids, socket, tcp, parent });
  const read = routerServiceFile.safeParse(Object.fromEntries(said.filter(([, value]) => value !== undefined)));
  if (read.success) return readRouterService(read.data);
  const issue = read.error.issues[0]!;
  return command.error(`error: ${issue.path.join('.')}: ${issue.message}`);
}

function configOf(flags: Flags): Config {
  const { data, logLevel, takeOver = false } = flags;
  return readConfig({ plane: 'linux', engineStart: false, data, logLevel, takeOver, routerService: serviceOf(flags) });
}

try {
  const flags = command.parse(withTwoDashes(process.argv.slice(2)), { from: 'user' }).opts<Flags>();
  const config = configOf(flags);
  try {
    await runDaemon('router-service', config, null);
  } catch (thrown) {
    // What could not be, whatever it was: who started this reads 2 as a flag that is wrong.
    process.exitCode = Math.min(1, exitCodeOf('router-service', thrown));
  }
} catch (thrown) {
  process.exitCode = exitCodeOf('router-service', thrown);
}
