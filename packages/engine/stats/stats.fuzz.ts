/** Any bytes where counters are said to lie: nothing may throw, loop or ask for much memory. */
import { HEAD_BYTES, Head, MAGIC, VERSION } from './layout.ts';
import { readCounters, readPeers } from './reader.ts';
import { StatsSegment } from './segment.ts';

export const name = 'engine/stats';

/** Room that a well-formed input may ask for, many times over. */
const MOST_BYTES = 64 * 1024 * 1024;

function seed(): Uint8Array {
  const memory = new ArrayBuffer(4096);
  const segment = new StatsSegment(memory);
  const drops = segment.column(2);
  const column = { at: segment.at(drops), names: ['a', 'b'] };
  const none = { at: -1, names: [] };
  const links = {
    names: [{ name: 'wg0', index: 0 }],
    rxPackets: column.at,
    rxBytes: -1,
    txPackets: -1,
    txBytes: -1,
    drops: -1,
  };
  const peers = { pages: [column.at], pageRecords: 2 };
  const whose = { epoch: 'e', worker: 0, workers: 1 };
  segment.tell({ ...whose, drops: column, wireguardDrops: none, icmp: none, work: none, nodes: none, links, peers });
  return new Uint8Array(memory);
}

export const seeds: readonly Uint8Array[] = [seed()];

export function fuzzOne(bytes: Uint8Array): void {
  // Past the header and into the text, where there is more to get wrong.
  const memory = bytes.slice(0, Math.max(HEAD_BYTES, bytes.length));
  if (memory.length >= HEAD_BYTES) {
    const head = new Int32Array(memory.buffer, 0, HEAD_BYTES / 4);
    head[Head.magic] = MAGIC;
    head[Head.version] = VERSION;
    head[Head.sequence] = head[Head.sequence]! & ~1;
  }
  let asked = 0;
  const read = (at: number, length: number): Uint8Array => {
    asked += length;
    if (asked > MOST_BYTES) throw new Error(`asked for ${asked} bytes`);
    return memory.subarray(at, at + length);
  };
  readCounters([read]);
  asked = 0;
  readPeers(read);
}
