/** What tests of bad days ask of a network. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { exchange } from '../../programs/demo/traffic/exchange.ts';
import type { Network } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';

/** Packets cross between alice and bob over both families, every one of them. */
export async function passes(network: Network): Promise<void> {
  const [alice, bob] = network.peers;
  const result = await exchange(alice!, bob!, {
    run: Math.floor(performance.now()),
    count: 100,
    size: 300,
    pps: 200,
    patienceMs: 8000,
  });
  assert.ok(result.sent > 0);
  assert.deepEqual([result.delivered, result.damaged], [result.sent, 0]);
}

/** A peer of that name is on the gateway's plane. */
export async function isOnThePlane(network: Network, name: string, ms = 20_000): Promise<void> {
  try {
    await waitFor(`peer ${name} on the plane`, ms, async () =>
      (await network.gateway.peers()).some((peer) => peer.name === name) ? true : null,
    );
  } catch (thrown) {
    const logs = ['controller', 'gateway'].map((who) => readFileSync(network.path('logs', `${who}.log`), 'utf8'));
    throw new Error(`${String(thrown)}\n${logs.map((log) => log.slice(-4000)).join('\n')}`);
  }
}
