/**
 * A whole network for a test: every program for real, in a folder and on ports of its own, gone at the end. With `VROUTER_TEST_PLANE=linux`
 * its gateway is on the kernel of a machine of its own.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Leftovers } from '../../programs/demo/world/leftovers.ts';
import { Network, type NetworkOptions } from '../../programs/demo/world/network.ts';
import { checkPortsFree, demoPorts } from '../../programs/demo/world/ports.ts';
import { planeWanted } from '../world/plane.ts';
import { kernelPlane } from './kernel-plane.ts';

/** `wireguardGo`: let one peer be wireguard-go where that can be had; a test of our own programs need not depend on it. */
export interface TestNetworkOptions {
  readonly wireguardGo: boolean;
  /** How controller and gateway are run, when not as they stand; told the network's folder. */
  readonly launch?: (folder: string) => NonNullable<NetworkOptions['launch']>;
}

/** Brings a network up, runs the body, and takes it down whatever happens. */
export async function withNetwork(
  options: TestNetworkOptions,
  body: (network: Network) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'vr-'));
  const ports = demoPorts(await freeBase());
  await using kernel = planeWanted === 'linux' ? await kernelPlane(folder, ports) : null;
  const launch = kernel?.launch ?? options.launch?.(folder);
  const network = new Network({
    folder,
    ports,
    leftovers: new Leftovers(folder),
    progress: () => {},
    wireguardGo: options.wireguardGo,
    ...(launch === undefined ? {} : { launch }),
    ...(kernel === null ? {} : { startMs: kernel.startMs }),
  });
  try {
    await network.start();
    await body(network);
  } finally {
    await network.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What `vrouterctl` needs to know of a network. */
export function environmentOf(network: Network): NodeJS.ProcessEnv {
  return {
    ...process.env,
    VROUTER_SOCKET: network.gateway.socketPath,
    VROUTER_CONTROLLER: network.controller.url,
    VROUTER_TOKEN: readFileSync(network.controller.tokenPath, 'utf8').trim(),
  };
}

/** A port N with N + 1 and N + 2 free as well. */
export async function freeBase(): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const base = await systemPort();
    try {
      await checkPortsFree(demoPorts(base));
      return base;
    } catch (thrown) {
      if (attempt === 20) throw thrown;
    }
  }
}

function systemPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port % 60_000 : 0));
    });
  });
}
