/** Whoever looks at the tables of an engine with 5,000 peers must not stop packets meanwhile. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { udpBackend } from '@vrouter/host/udp/open.ts';
import { BusyEngine } from './held.ts';

const PEERS = 5000;
/**
 * CPU milliseconds that a turn of the event loop may take, in the usual window. Rows made at once took 40 and more; slices take about one. Not
 * of every window: a collection of garbage comes when it likes, and takes longer on a busy machine.
 */
const USUAL_MS = 5;

describe(`a look at ${PEERS} peers`, {
  skip: udpBackend() === 'recvmmsg' ? false : 'only the system calls know the path MTU',
  timeout: 120_000,
}, () => {
  const engine = new BusyEngine();
  before(() => engine.start(PEERS));
  after(() => engine.stop());

  for (const what of ['all', 'named'] as const)
    test(`${what}: no turn of the event loop is long`, async (t) => {
      const { longestMs, looks, rows, msEach } = await engine.watch(what, 4);
      const sorted = [...longestMs].sort((a, b) => a - b);
      const usual = sorted[Math.floor(sorted.length / 2)]!;
      t.diagnostic(
        `${looks} looks of ${msEach.toFixed(0)} ms; usual ${usual.toFixed(2)} ms, worst ${sorted.at(-1)!.toFixed(2)} ms`,
      );
      // All of them were there to be looked at.
      assert.equal(rows, what === 'all' ? 2 * PEERS + 3 : PEERS);
      assert.ok(looks >= 2, `${looks} looks`);
      assert.ok(usual < USUAL_MS, `${usual} ms`);
    });
});
