/** What a dry run costs the controller: a peer is added, changed or removed among 100 to 10,000; milliseconds of CPU, and of one turn. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { canonicalJson } from '@vrouter/core/json.ts';
import { type Intent, intentKey } from '@vrouter/intent/model/intents.ts';
import { testKey } from '@vrouter/intent/testing/outside.ts';
import { DryRun } from '../programs/controller/desired/dry-run.ts';
import { Previews } from '../programs/controller/desk/preview.ts';
import type { StoredOp } from '../programs/controller/store/intents.ts';
import { openDesk } from '../programs/controller/testing/store.ts';
import type { BenchResult } from './result.ts';

const SIZES = [100, 1000, 10_000] as const;
const ROUNDS = 7;

const gateway: Intent = {
  kind: 'gatewayInterface',
  name: 'wg0',
  type: 'wireguard',
  vrf: 'default',
  listenPort: 51820,
  mtu: 1420,
  mssClamp: 'auto',
  sourceCheck: 'off',
};

function peer(n: number, persistentKeepalive = 0): Intent {
  return {
    kind: 'peer',
    interface: 'wg0',
    publicKey: testKey(n),
    name: `peer-${n}`,
    presharedKey: testKey(1_000_000 + n),
    allowedIps: [`10.${(n >> 16) & 255}.${(n >> 8) & 255}.${n & 255}/32`],
    endpoint: null,
    persistentKeepalive,
  };
}

function op(intent: Intent, isThere = true): StoredOp {
  return { key: intentKey(intent), body: isThere ? canonicalJson(intent) : null };
}

/** CPU of this process from before the work to behind it, and the longest time between two turns of the event loop, ms. */
async function measured(work: () => Promise<unknown>): Promise<{ cpuMs: number; turnMs: number }> {
  let turnMs = 0;
  let last = performance.now();
  let on = true;
  const look = (): void => {
    const now = performance.now();
    turnMs = Math.max(turnMs, now - last);
    last = now;
    if (on) setImmediate(look);
  };
  setImmediate(look);
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  on = false;
  return { cpuMs: (user + system) / 1000, turnMs };
}

export async function run(): Promise<BenchResult> {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-bench-'));
  const desk = await openDesk(join(folder, 'controller.db'));
  const previews = new Previews(desk);
  const row = {
    id: 'v',
    name: 'v',
    listenPort: 51820,
    endpoint: 'h:51820',
    mtu: 1420,
    createdUnixMs: 0,
    version: 1,
    stateHash: '',
    confirmedVersion: 0,
    restoredVersion: 0,
  };
  const ours: Record<string, number> = {};
  for (const size of SIZES) {
    const bodies = new Map(
      [gateway, ...Array.from({ length: size }, (_, n) => peer(n))].map((one) => [intentKey(one), canonicalJson(one)]),
    );
    const best = { cpuMs: Number.POSITIVE_INFINITY, turnMs: Number.POSITIVE_INFINITY };
    for (let round = 0; round < ROUNDS; round++)
      for (const change of [op(peer(size)), op(peer(size >> 1, 25)), op(peer(size >> 1), false)]) {
        const dry = new DryRun(row, { ...row, version: 2 }, [change], bodies, 'bench');
        const { cpuMs, turnMs } = await measured(async () => {
          const { gateways } = await previews.of(dry);
          if (gateways[0]!.steps.length === 0) throw new Error('a change without a step');
        });
        best.cpuMs = Math.min(best.cpuMs, cpuMs);
        best.turnMs = Math.min(best.turnMs, turnMs);
      }
    ours[`cpu_ms_at_${size}`] = Number(best.cpuMs.toFixed(2));
    ours[`longest_turn_ms_at_${size}`] = Number(best.turnMs.toFixed(2));
  }
  await desk.db.destroy();
  rmSync(folder, { recursive: true });
  return {
    bench: 'preview',
    real: false,
    ours,
    peers: {},
    ratio: {},
    note: `the best of ${ROUNDS * 3}; without the transaction that is taken back`,
  };
}
