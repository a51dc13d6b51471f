/** A peer without privileges: a process of ours with the WireGuard machine and a small IP stack. */
import { fileURLToPath } from 'node:url';
import { Child } from '../world/child.ts';
import type { DemoPeer } from './kinds.ts';
import { PeerProcess } from './peer-process.ts';

const program = fileURLToPath(new URL('./userspace-main.ts', import.meta.url));

export async function startUserspacePeer(name: string, filePath: string, logPath: string): Promise<DemoPeer> {
  // It ends with its standard input, so nothing of it is ever left over.
  const child = new Child({
    name: `peer ${name}`,
    command: process.execPath,
    args: [program, filePath],
    logPath,
    talks: true,
  });
  const peer = new PeerProcess(child);
  const addresses = await peer.ready();
  return {
    name,
    program: 'vrouter',
    addresses,
    send: (what) => peer.send(what),
    ping: (to, count) => peer.ping(to, count),
    report: () => peer.report(),
    stop: () => child.stop(),
  };
}
