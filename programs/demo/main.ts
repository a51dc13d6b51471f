#!/usr/bin/env node
/** `npm start`: a whole small network on this machine, live; with --once, as a check. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { statusOf } from '@vrouter/api/status.ts';
import { ProblemError, problem, toProblem } from '@vrouter/core/problem.ts';
import { lockFolder } from '@vrouter/host/files/lock.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { runLive } from './live.ts';
import { runOnce } from './once.ts';
import { Leftovers } from './world/leftovers.ts';
import { Network } from './world/network.ts';
import { checkPortsFree, keepPorts, portsOf } from './world/ports.ts';

interface Options {
  readonly once?: boolean;
  readonly json?: boolean;
  readonly data?: string;
  readonly port?: number;
}

const command = new Command('npm start --')
  .description('Controller, gateway, engine and two WireGuard peers on this machine, with real traffic.')
  .option('--once', 'do it once, check it, and end: exit 0 only if everything is as it must be')
  .option('--json', 'with --once: one line of JSON on standard output')
  .option('--data <folder>', 'where the state is kept (default: .vrouter; with --once a temporary folder)')
  .option('--port <n>', 'use N for REST, N+1 for gateways, N+2 for WireGuard (default: 8080, 8443, 51820)', readPort)
  .exitOverride();

function readPort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_533) throw new InvalidArgumentError('a port is 1 to 65533.');
  return port;
}

async function main(options: Options): Promise<void> {
  if (options.json === true && options.once !== true)
    throw new ProblemError(problem('usage', '--json goes with --once; the live view is for people'));
  const began = performance.now();
  const progress = (what: string): void => {
    process.stderr.write(`${((performance.now() - began) / 1000).toFixed(2)} s  ${what}\n`);
  };
  const temporary = options.once === true && options.data === undefined;
  const folder = temporary ? mkdtempSync(join(tmpdir(), 'vrouter-')) : resolve(options.data ?? '.vrouter');
  try {
    ensurePrivateFolder(folder);
    checkSocketRoom(folder);
    using _lock = lockFolder(folder);
    const ports = portsOf(folder, options.port ?? null);
    const leftovers = new Leftovers(folder);
    if ((await leftovers.end()) > 0) progress('ended what a killed demo had left running');
    await checkPortsFree(ports);
    keepPorts(folder, ports);
    const network = new Network({ folder, ports, leftovers, progress, wireguardGo: true });
    const interrupted = Promise.withResolvers<void>();
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => interrupted.resolve());
    try {
      await Promise.race([network.start(), interrupted.promise.then(abandon)]);
      if (options.once === true) {
        const report = await Promise.race([runOnce(network, progress), interrupted.promise.then(abandon)]);
        progress('done');
        process.stdout.write(`${options.json === true ? JSON.stringify(report) : JSON.stringify(report, null, 2)}\n`);
      } else await runLive(network, interrupted.promise);
    } finally {
      await network.stop();
    }
  } finally {
    if (temporary) rmSync(folder, { recursive: true, force: true });
  }
}

/** The longest socket of ours must fit into a path, or the gateway would say so only after everything else has been started. */
function checkSocketRoom(folder: string): void {
  const longest = join(folder, 'gateway', 'vrouterd.sock');
  if (Buffer.byteLength(longest) <= 103) return;
  const message = `${longest} is too long for a unix socket (103 bytes at most); choose a shorter --data`;
  throw new ProblemError(problem('input.invalid', message, 'data'));
}

function abandon(): never {
  throw new ProblemError(problem('timeout', 'interrupted'));
}

// A terminal that goes away must not keep us from ending what we started.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

try {
  await main(command.parse().opts<Options>());
} catch (thrown) {
  if (thrown instanceof CommanderError) process.exitCode = thrown.exitCode === 0 ? 0 : 2;
  else {
    const { code, message } = toProblem(thrown);
    process.stderr.write(`${message} (${code})\n`);
    process.exitCode = statusOf(code).exit;
  }
}
