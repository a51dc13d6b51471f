/** The userspace plane put together: the engine's supervisor and the driver that speaks to it. */
import { readFileSync } from 'node:fs';
import { UserspaceDriver } from '@vrouter/drivers/userspace/driver.ts';
import type { Logger } from 'pino';
import { EngineSupervisor } from '../children/engine.ts';
import { openStats } from '../children/stats.ts';
import type { Config } from '../config.ts';
import type { Plane } from './plane.ts';

/** Numbers of tables other than the default VRF's. */
const FIRST_TABLE = 1;

export function userspacePlane(config: Config, log: Logger): Plane {
  const engine = new EngineSupervisor(
    {
      socketPath: config.engineSocketPath,
      logPath: config.engineLogPath,
      start: config.engineStart,
      workers: config.engineWorkers,
    },
    log,
  );
  const driver = new UserspaceDriver((signal) => engine.connect(signal), openStats);
  return {
    driver,
    engine,
    firstTable: FIRST_TABLE,
    wgSockets: true,
    deviceMtu,
    // Its networks are the engine's, not the host's.
    hostNetworks: () => [],
    leftovers: null,
    forwardDrops: null,
    async close() {
      await driver.close();
      engine.close();
    },
  };
}

/** Of the network namespace of this process; null: there is no such interface. */
export function deviceMtu(device: string): number | null {
  try {
    return Number(readFileSync(`/sys/class/net/${device}/mtu`, 'utf8'));
  } catch {
    return null;
  }
}
