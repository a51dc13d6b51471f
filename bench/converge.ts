/** From a REST call to the data plane: 1,000 peers added and removed, through real controller, gateway and engine; p50 and p99 in ms. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ReadStats, readPeers } from '@vrouter/engine/stats/reader.ts';
import { wireguardKey } from '../programs/controller/testing/gateway.ts';
import { VROUTER } from '../programs/demo/world/network.ts';
import { dial, statsReaders } from '../programs/engine/running.testing.ts';
import { withNetwork } from '../tests/thread/network.ts';
import type { BenchResult } from './result.ts';

const CHANGES = 1000;
const WARM_UP = 40;
/** How exactly the moment is seen at which the data plane has it: the engine's memory is looked at so often, ms. */
const LOOK_MS = 1;
const PATIENCE_MS = 10_000;

export async function run(): Promise<BenchResult> {
  const took: { readonly added: number[]; readonly removed: number[] } = { added: [], removed: [] };
  await withNetwork({ wireguardGo: false }, async (network) => {
    const { client } = await dial(network.path('gateway', 'engine.sock'));
    const segments = await statsReaders(client);
    for (let n = 0; n < WARM_UP + CHANGES / 2; n++) {
      const name = `bench${n}`;
      const publicKey = wireguardKey();
      const added = await measured(segments, publicKey, true, () =>
        network.controller.createPeer(VROUTER, { name, publicKey }),
      );
      const removed = await measured(segments, publicKey, false, () => network.controller.removePeer(VROUTER, name));
      if (n < WARM_UP) continue;
      took.added.push(added);
      took.removed.push(removed);
    }
    client.close();
  });
  const all = [...took.added, ...took.removed];
  return {
    bench: 'converge',
    real: false,
    ours: {
      p50_ms: quantile(all, 0.5),
      p99_ms: quantile(all, 0.99),
      worst_ms: quantile(all, 1),
      added_p50_ms: quantile(took.added, 0.5),
      removed_p50_ms: quantile(took.removed, 0.5),
      changes: all.length,
    },
    peers: {},
    ratio: {},
    note: "one change after the other, from before the request until the engine's memory shows it; the commit is on the disk before",
  };
}

/** From before the call until the engine has the peer, or has it no more; ms. */
async function measured(
  segments: readonly ReadStats[],
  publicKey: string,
  wanted: boolean,
  change: () => Promise<unknown>,
): Promise<number> {
  const began = performance.now();
  const answered = change();
  for (;;) {
    const peers = segments.map((read) => readPeers(read));
    const now = performance.now();
    const isThere = peers.some((some) => some?.some((peer) => peer.publicKey === publicKey));
    if (isThere === wanted && !peers.includes(null)) {
      await answered;
      return now - began;
    }
    if (now - began > PATIENCE_MS) throw new Error(`${wanted ? 'a peer' : 'the end of a peer'} did not arrive`);
    await sleep(LOOK_MS);
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Number(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!.toFixed(2));
}
