/** The seeded storms of protocols/wireguard, thousands of them: `npm run soak -- wireguard-storm`, with STORMS and STORMS_FROM to choose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RECOVERY_MS, storm } from '@vrouter/protocols/wireguard/storm.testing.ts';

const count = Number(process.env.STORMS ?? 5000);
const from = Number(process.env.STORMS_FROM ?? 1000);

test(`${count} storms from seed ${from} on`, (t) => {
  assert.ok(count > 0 && from > 0);
  const times: number[] = [];
  for (let seed = from; seed < from + count; seed++) {
    try {
      times.push(storm(seed).recoveryMs);
    } catch (thrown) {
      throw new Error(`seed ${seed}`, { cause: thrown });
    }
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => times[Math.floor((times.length - 1) * share)]!;
  t.diagnostic(`back after ms: median ${at(0.5)}, 99 % ${at(0.99)}, longest ${at(1)}, limit ${RECOVERY_MS}`);
});
