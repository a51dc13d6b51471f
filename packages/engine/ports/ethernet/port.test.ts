import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PacketBatch } from '../../batch/packet-batch.ts';
import { Bench } from '../../testing/rows.testing.ts';
import type { EthernetSocket } from '../frames.ts';
import { LostPackets } from './lost.ts';
import { EthernetPort } from './port.ts';

/** A socket that keeps everything from us. */
function keeping(kept: { malformed: number; otherVlan: number }): EthernetSocket {
  return {
    mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
    gone: false,
    failed: false,
    get malformed() {
      return kept.malformed;
    },
    get otherVlan() {
      return kept.otherVlan;
    },
    receive: () => 0,
    send: () => 0,
    isUp: () => true,
    configure: async () => {},
    onReadable: () => {},
    onChange: () => {},
    close: async () => {},
  };
}

test('what the socket keeps from us is counted, though nothing else comes; another socket counts anew', async () => {
  const bench = new Bench();
  const port = new EthernetPort(3, bench.counters, new LostPackets(), () => {});
  const batch = new PacketBatch();
  const kept = { malformed: 2, otherVlan: 5 };
  port.open(keeping(kept), 1);
  assert.equal(port.receive(batch), 0);
  assert.deepEqual(bench.drops(), { offloadMalformed: 2, ethernetVlan: 5 });
  kept.otherVlan++;
  port.receive(batch);
  port.receive(batch);
  assert.deepEqual(bench.drops(), { offloadMalformed: 2, ethernetVlan: 6 });
  await port.close();
  port.open(keeping({ malformed: 3, otherVlan: 6 }), 1);
  port.receive(batch);
  assert.deepEqual(bench.drops(), { offloadMalformed: 5, ethernetVlan: 12 });
  assert.equal(bench.counters.linkDrops[3], 17);
});
