/** A wg-quick file for a real client of one's own: a third peer that nobody plays. */
import { existsSync, writeFileSync } from 'node:fs';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { type Network, VROUTER, wgQuickFile } from '../world/network.ts';

/** Returns the path of the file; made once per data folder. */
export async function generateClientFile(network: Network): Promise<string> {
  const path = network.path('peers', 'yours.conf');
  const name = 'yours';
  const { peers } = await network.controller.peers(VROUTER);
  if (existsSync(path) && peers.some((peer) => peer.name === name)) return path;
  if (peers.some((peer) => peer.name === name)) await network.controller.removePeer(VROUTER, name);
  const keys = await newKeyPair();
  const created = await network.controller.createPeer(VROUTER, { name, publicKey: keys.publicKey });
  writeFileSync(path, wgQuickFile(keys.privateKey, created), { mode: 0o600 });
  return path;
}
