/** The gateway of a network in a machine, on the plane of that one's kernel; all else of the network runs here. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Launch, NetworkOptions } from '../../programs/demo/world/network.ts';
import type { DemoPorts } from '../../programs/demo/world/ports.ts';
import { PLANE_MODULES } from '../linux/guest.ts';
import { Machine } from '../world/machine/machine.ts';
import { CONFIG, CONFIG_TEXT, compiled, DATA } from '../world/machine/vrouterd.ts';

const RELAY = fileURLToPath(new URL('../world/machine/relay.ts', import.meta.url));

/** An emulated machine, and one that others use too. */
const START_MS = 180_000;

export interface KernelPlane extends AsyncDisposable {
  readonly launch: NonNullable<NetworkOptions['launch']>;
  readonly startMs: number;
}

/** Boots. The gateway's socket and port are where they would be if it ran here. */
export async function kernelPlane(folder: string, ports: DemoPorts): Promise<KernelPlane> {
  const env = compiled(folder);
  const machine = await Machine.start(PLANE_MODULES);
  const door = join(folder, 'door');
  const data = join(folder, 'gateway');
  mkdirSync(data, { mode: 0o700 });
  await machine.write(CONFIG, CONFIG_TEXT);
  await machine.door(door);
  await machine.lend(ports.agents);
  await machine.reach(join(data, 'vrouterd.sock'), join(DATA, 'vrouterd.sock'));
  await machine.reachUdp(ports.wireguard);
  return {
    startMs: START_MS,
    launch(name, plain): Launch {
      if (name !== 'gateway') return plain;
      const args = plain.args.flatMap((word) =>
        word === '--bootstrap' ? ['--config', CONFIG] : word === data ? [DATA] : [word],
      );
      return { command: plain.command, args: [RELAY, door, plain.command, ...args], env: { ...process.env, ...env } };
    },
    [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose](),
  };
}
