/** vrouter-engine: the packet engine as a process of its own, driven over a unix socket. Everything is introduced to everything here. */
import { randomBytes } from 'node:crypto';
import { toProblem } from '@vrouter/core/problem.ts';
import { slowBackends } from '@vrouter/engine/control/machine.ts';
import { ControlSession, hello } from '@vrouter/engine/control/session.ts';
import { clockBackend } from '@vrouter/host/clock/clock.ts';
import { cryptoBackend } from '@vrouter/host/crypto/system.ts';
import { prepareSocketPath } from '@vrouter/host/sockets/prepare.ts';
import { udpBackend } from '@vrouter/host/udp/open.ts';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { pino } from 'pino';
import { Alone } from './crew/alone.ts';
import { defaultWorkers, MAX_WORKERS, parseWorkers, possibleWorkers } from './crew/count.ts';
import { Crew } from './crew/crew.ts';
import type { Machine } from './crew/machine.ts';
import { ControlServer } from './server.ts';
import { makeStats, statsPaths } from './stats.ts';
import { version } from './version.ts';

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

function workersOption(text: string): number {
  const workers = parseWorkers(text);
  if (workers === null) throw new InvalidArgumentError(`a number from 1 to ${MAX_WORKERS}.`);
  return workers;
}

function readOptions(): { socket: string; workers: number; logLevel: string } {
  const program = new Command('vrouter-engine')
    .description('The packet engine of vrouter: one process that moves packets, driven by vrouterd over a unix socket.')
    .requiredOption('--socket <path>', 'unix socket to listen on; only the owner may connect')
    .addOption(
      new Option('--workers <n>', 'threads that move packets; 1 is the main thread itself')
        .argParser(workersOption)
        .default(defaultWorkers(), 'one less than the cores, up to 4'),
    )
    .addOption(new Option('--log-level <level>', 'how much to tell on stderr').choices(levels).default('info'))
    .version(version())
    .allowExcessArguments(false)
    .exitOverride();
  try {
    return program.parse().opts();
  } catch (thrown) {
    // Help and version are successes; every other complaint is about usage.
    if (thrown instanceof CommanderError) process.exit(thrown.exitCode === 0 ? 0 : 2);
    throw thrown;
  }
}

async function main(): Promise<void> {
  const options = readOptions();
  const log = pino({ name: 'vrouter-engine', level: options.logLevel }, pino.destination({ fd: 2, sync: true }));
  const epoch = randomBytes(8).toString('hex');
  const workers = possibleWorkers(options.workers);
  if (workers < options.workers)
    log.warn(
      { wanted: options.workers },
      'this system cannot steer datagrams to workers (SO_ATTACH_REUSEPORT_CBPF): one only',
    );
  const stats = Array.from({ length: workers }, (_, worker) => makeStats(worker));
  const engine: Machine =
    workers === 1 ? new Alone(epoch, stats[0]!) : new Crew({ epoch, stats, onFailure: (thrown) => fail(thrown) });
  const session = new ControlSession(engine);
  const machine = { udp: udpBackend(), crypto: cryptoBackend(), workers };
  for (const what of slowBackends(machine)) log.warn(machine, what);
  const greeting = hello(version(), process.pid, engine.epoch, { machine, stats: statsPaths(process.pid, stats) });

  let stopping = false;
  const stop = async (why: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    await server.stop();
    await engine.close();
    log.info('stopped');
  };
  const fail = (thrown: unknown): void => {
    const { code, message } = toProblem(thrown);
    if (code === 'internal') log.fatal({ code, err: thrown }, message);
    else log.fatal({ code }, message);
    // A path that no socket can have is the caller's mistake, like a misspelt option.
    void engine.abandon().finally(() => process.exit(code === 'input.invalid' ? 2 : 1));
  };
  const server = new ControlServer({
    path: options.socket,
    session,
    target: engine,
    hello: greeting,
    log,
    onStop: () => void stop('asked').catch(fail),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal).catch(fail));
  // Whoever started us may close its terminal or die; packets go on.
  process.on('SIGHUP', () => log.info('SIGHUP ignored'));

  // A bug: the supervisor starts a fresh engine, which beats one whose tables nobody can vouch for.
  process.on('uncaughtException', fail);

  try {
    await engine.start();
    await prepareSocketPath(options.socket);
    if (!stopping) await server.start();
  } catch (thrown) {
    fail(thrown);
    return;
  }
  // Asked to end before there was anything to end.
  if (stopping) return server.stop();
  const { pid } = process;
  log.info({ socket: options.socket, epoch, ...machine, clock: clockBackend(), pid }, 'ready');
}

await main();
