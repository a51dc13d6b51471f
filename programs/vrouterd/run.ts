/** The daemon from its start to its end: everything introduced to everything, top to bottom. */
import { join } from 'node:path';
import { statusOf } from '@vrouter/api/status.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import { makeSecret } from '@vrouter/host/crypto/system.ts';
import { lockFolder } from '@vrouter/host/files/lock.ts';
import { ensurePrivateFolder } from '@vrouter/host/files/private-folder.ts';
import { CommanderError } from 'commander';
import { destination, type Logger, pino } from 'pino';
import { Identity } from './agent/identity.ts';
import type { Config } from './config.ts';
import { Daemon } from './daemon.ts';
import { type Listener, listenersNow, othersThanResolvers } from './doors/intents/listeners.ts';
import { StoredIntents, type StoredParts } from './doors/intents/stored.ts';
import { Changes } from './doors/local/intents/changes.ts';
import { SOURCE as CLI } from './doors/local/intents/known.ts';
import { listen, localServer } from './doors/local/server.ts';
import { defaultRouteInterface } from './doors/router/default-route.ts';
import { RouterDoor } from './doors/router/door.ts';
import { type Note, SOURCE as ROUTER } from './doors/router/intents.ts';
import type { RouterServiceConfig } from './doors/router/places.ts';
import { WgDoor } from './doors/wg/door.ts';
import { Metrics } from './metrics.ts';
import { linuxPlane } from './planes/linux.ts';
import type { Plane } from './planes/plane.ts';
import { refuseToSweep } from './planes/strangers.ts';
import { userspacePlane } from './planes/userspace.ts';
import { databaseProblem, openDatabase } from './store/database.ts';
import { Store } from './store/store.ts';
import { VERSION } from './version.ts';

/** Runs until SIGTERM or SIGINT. `readAgain` is what SIGHUP does; null: SIGHUP ends the program, as it does any other. */
export async function runDaemon(name: string, config: Config, readAgain: (() => Config) | null): Promise<void> {
  const log = pino({ name, level: config.logLevel }, destination({ fd: 2, sync: true }));
  ensurePrivateFolder(config.dataFolder);
  using _lock = lockFolder(config.dataFolder);
  const store = new Store(openDatabase(join(config.dataFolder, 'vrouterd.db')));
  const identity = new Identity(config.dataFolder);
  const privateKey = makeSecret(await identity.wireguardKey());
  // Closed in the other order than opened, also when one of them does not open.
  await using opened = new AsyncDisposableStack();
  const plane =
    config.plane === 'linux'
      ? await linuxPlane({ ledger: store.ledger, namesFolder: config.namesFolder, log })
      : userspacePlane(config, log);
  opened.defer(() => plane.close());
  const daemon = new Daemon({ config, store, identity, privateKey, plane, log });
  opened.defer(() => daemon.stop());
  if (config.plane === 'linux' && !config.takeOver && !daemon.agent.awaitsFirstState) {
    const { dataFolder } = config;
    await refuseToSweep({ store, dataFolder, dryRun: () => daemon.reconciler.dryRun() });
  }
  const router = config.routerService === null ? null : routerDoor(config.routerService, daemon, plane, log);
  if (router !== null) {
    // Before anything is started: who cannot be asked need not run.
    await router.start();
    opened.defer(() => router.stop());
  }
  const wg = plane.wgSockets ? new WgDoor(daemon, log) : null;
  const said = new StoredIntents<object>(CLI, storedParts(daemon, plane));
  const changes = new Changes({ intents: said, sees: daemon, log });
  const local = localServer(daemon, changes, new Metrics(), (link) => wg?.place(link) ?? null);
  await listen(local, config.socketPath);
  if (wg !== null) opened.defer(() => wg.stop());
  opened.defer(() => local.close());
  await daemon.start();
  await wg?.start();
  if (plane.leftovers !== null) await router?.adopt(plane.leftovers);
  log.info({ version: VERSION, socket: config.socketPath, plane: config.plane }, 'running');
  if (readAgain !== null) process.on('SIGHUP', () => reload(daemon, readAgain, log));
  const signal = await new Promise<string>((resolve) => {
    for (const one of ['SIGTERM', 'SIGINT'] as const) process.once(one, () => resolve(one));
  });
  log.info({ signal }, 'stopping; packets go on');
}

function routerDoor(service: RouterServiceConfig, daemon: Daemon, plane: Plane, log: Logger): RouterDoor {
  const intents = new StoredIntents<Note>(ROUTER, storedParts(daemon, plane));
  const parent = (): string | null => service.parent ?? defaultRouteInterface();
  const listeners = (): readonly Listener[] => othersThanResolvers(listenersNow(), daemon.desired.intents());
  return new RouterDoor({ intents, parent, listeners, log }, service);
}

function storedParts(daemon: Daemon, { driver }: Plane): StoredParts {
  const { store, desired, reconciler, badIntents, keeping } = daemon;
  return { store, desired, reconciler, badIntents, keeping, driver, begin: () => daemon.begin() };
}

/** SIGHUP: the configuration file is read again. A bad one is told and changes nothing. */
function reload(daemon: Daemon, readAgain: () => Config, log: Logger): void {
  try {
    const config = readAgain();
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

/** Says what was thrown, and gives the exit code: 2 for what was said wrongly, 1 for what could not be. */
export function exitCodeOf(name: string, thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : 2;
  const { code, message, field } = toProblem(databaseProblem('the database of the data folder', thrown) ?? thrown);
  process.stderr.write(`${name}: ${message} (${code}${field === undefined ? '' : `, ${field}`})\n`);
  return statusOf(code).exit;
}
