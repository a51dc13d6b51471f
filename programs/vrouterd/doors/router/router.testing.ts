/**
 * The door over a store and a plane in memory, as a program that can be killed: `serve DATABASE SOCKET [PLANE_MS]` says `ready`; `load SOCKET CALLS` does that
 * many mixed calls at once and says `done`.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { newerClient, sessionOver } from './client.testing.ts';
import { RouterDoor } from './door.ts';
import { openWorld, silent } from './world.testing.ts';

const [mode, ...args] = process.argv.slice(2);

async function serve(database: string, socket: string, planeMs = '0'): Promise<void> {
  const { intents, driver } = await openWorld(database);
  const apply = driver.apply.bind(driver);
  driver.apply = async (batch, signal) => {
    await sleep(Number(planeMs));
    return apply(batch, signal);
  };
  const places = { vsockPort: null, allowedCids: [], socket, tcp: null };
  await new RouterDoor({ intents, parent: () => 'eth0', listeners: () => [], log: silent }, places).start();
  console.log('ready');
}

/** Creations, names, ports, NAT and deletions of seven VLANs. */
async function load(socket: string, count: number): Promise<void> {
  const client = newerClient(sessionOver(connect(socket)));
  const one = (i: number) => {
    const vlanId = 100 + (i % 7);
    const address = `10.0.${vlanId}.9`;
    switch (i % 5) {
      case 4:
        return client.deleteVLAN({ vlanId });
      case 3:
        return client.configureDNS({ vlanId, hosts: { [`n${i}`]: address } });
      case 2:
        return client.addPortMapping({
          vlanId,
          containerIp: address,
          containerPort: 80,
          hostPort: i + 1,
          protocol: 'tcp',
        });
      case 1:
        return client.configureNAT({ vlanId, sourceSubnet: `10.0.${vlanId}.0/24` });
      default:
        return client.createVLAN({ vlanId, subnet: `10.0.${vlanId}.0/24`, gateway: `10.0.${vlanId}.1` });
    }
  };
  // A connection alone keeps no program alive.
  setInterval(() => {}, 1000);
  await client.getHealth({});
  await Promise.all(Array.from({ length: count }, (_, i) => one(i)));
  console.log('done');
  process.exit(0);
}

if (mode === 'serve') await serve(args[0]!, args[1]!, args[2]);
else await load(args[0]!, Number(args[1]));
