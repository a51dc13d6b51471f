import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketBatch } from '../../batch/packet-batch.ts';
import { Bench } from '../../testing/rows.testing.ts';
import type { TunSocket } from '../frames.ts';
import { TunPort } from './port.ts';

/** A device that brings nothing but frames that make no sense. */
function senseless(malformed: () => number): TunSocket {
  return {
    gone: false,
    get malformed() {
      return malformed();
    },
    receive: () => 0,
    send: () => 0,
    configure: async () => {},
    onReadable: () => {},
    close: async () => {},
  };
}

test('frames that make no sense are counted, though nothing else comes; another device counts anew', () => {
  const bench = new Bench();
  const port = new TunPort(2, bench.counters);
  const batch = new PacketBatch();
  assert.equal(port.receive(batch), 0, 'without a device');
  let malformed = 0;
  port.open(senseless(() => malformed));
  for (malformed of [0, 2, 2, 3]) assert.equal(port.receive(batch), 0);
  assert.deepEqual(bench.drops(), { offloadMalformed: 3 });
  // As many as the one before it had.
  port.open(senseless(() => 3));
  port.receive(batch);
  assert.deepEqual(bench.drops(), { offloadMalformed: 6 });
  assert.equal(bench.counters.linkDrops[2], 6);
});
