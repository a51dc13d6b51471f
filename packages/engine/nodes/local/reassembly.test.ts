import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Millis, millis } from '@vrouter/core/time.ts';
import { parseIpv4 } from '@vrouter/wire/ipv4/ipv4.ts';
import fc from 'fast-check';
import { PacketBatch, ROW_OURS } from '../../batch/packet-batch.ts';
import { Work } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import { Frame } from '../../graph/frame.ts';
import { udpPacket } from '../../testing/packets.testing.ts';
import { Bench, rowsOf } from '../../testing/rows.testing.ts';
import { Fragmenter } from '../link-output/fragmenter.ts';
import { HELD, REASSEMBLY_SLOTS, REASSEMBLY_TIMEOUT_MS, Reassembly, SLOTS_PER_SOURCE } from './reassembly.ts';

const MTU = 200;
const ways = {
  4: { src: '10.77.0.2', dst: '10.77.0.1' },
  6: { src: 'fd77::2', dst: 'fd77::1' },
} as const;

const bench = (): Bench => new Bench(new PacketBatch(256, 768, 1 << 20));

/** The pieces of a packet of ours, as hex. */
function cut(packet: Uint8Array, mtu = MTU): string[] {
  const made = bench();
  const next = new Frame();
  const row = made.packet(packet.toHex());
  made.batch.flags[row] = ROW_OURS;
  assert.equal(new Fragmenter(made.counters, 41).cut(made.batch, row, mtu, next), Drop.none);
  return rowsOf(next).map((piece) => {
    assert.ok(made.batch.length[piece]! <= mtu);
    return made.hex(piece);
  });
}

/** Pieces in; what was said to each, and the datagram if it came whole. */
function put(reassembly: Reassembly, pieces: readonly string[], now: Millis = millis(0)) {
  const made = bench();
  let whole: string | null = null;
  const said = pieces.map((piece) => {
    const row = made.packet(piece);
    const answer = reassembly.take(made.batch, row, now);
    if (answer === Drop.none) whole = made.hex(row);
    return answer;
  });
  return { said, whole: whole as string | null };
}

for (const family of [4, 6] as const) {
  test(`IPv${family}: what was cut comes together again, in any order`, () => {
    const data = fc.uint8Array({ minLength: 200, maxLength: 3000 });
    fc.assert(
      fc.property(data, fc.nat(), (payload, seed) => {
        const packet = udpPacket(ways[family], payload);
        const pieces = cut(packet);
        const order = pieces.map((piece, i) => ({ piece, key: Math.imul(i + 1, seed | 1) >>> 3 }));
        const shuffled = order.sort((a, b) => a.key - b.key).map(({ piece }) => piece);
        const counters = bench().counters;
        const { said, whole } = put(new Reassembly(counters), shuffled);
        assert.deepEqual(said, [...Array.from({ length: pieces.length - 1 }, () => HELD), Drop.none]);
        assert.equal(counters.work[Work.reassembled], 1);
        if (family === 6) assert.equal(whole, packet.toHex());
        else {
          // The cut gave it an identification of its own and let go of "do not fragment".
          const [before, after] = [packet, Uint8Array.fromHex(whole!)].map((bytes) => {
            const header = parseIpv4(new DataView(bytes.buffer), 0, bytes.length);
            assert.ok(header !== null);
            return { ...header, id: 0, dontFragment: false, data: bytes.slice(20) };
          });
          assert.deepEqual(after, before);
        }
      }),
      { seed: 3, numRuns: 60 },
    );
  });
}

test('a datagram that does not come whole in time is forgotten and counted', () => {
  const counters = bench().counters;
  const reassembly = new Reassembly(counters);
  const [first, second] = cut(udpPacket(ways[4], new Uint8Array(250)));
  put(reassembly, [first!]);
  assert.deepEqual(put(reassembly, [second!], millis(REASSEMBLY_TIMEOUT_MS)).said, [HELD]);
  assert.equal(counters.drops[Drop.fragmentTimeout!], 1);
});

test('one source has a few datagrams at a time, all together a few more', () => {
  const reassembly = new Reassembly(bench().counters);
  const from = (source: number, id: number): string =>
    `45000024${id.toString(16).padStart(4, '0')}200040110000` +
    `0a4d${source.toString(16).padStart(4, '0')}0a4d0001${'00'.repeat(16)}`;
  const one = Array.from({ length: SLOTS_PER_SOURCE + 1 }, (_, id) => from(1, id));
  assert.equal(put(reassembly, one).said.at(-1), Drop.fragmentsFull);
  const others = Array.from({ length: REASSEMBLY_SLOTS }, (_, source) => from(source + 2, 1));
  const { said } = put(reassembly, others);
  assert.equal(said.filter((answer) => answer === HELD).length, REASSEMBLY_SLOTS - SLOTS_PER_SOURCE);
  const later = millis(REASSEMBLY_TIMEOUT_MS);
  assert.deepEqual(put(reassembly, [from(500, 1)], later).said, [HELD], 'time makes room');
});

test('a piece behind the last one, two last ones, and too many pieces', () => {
  const reassembly = new Reassembly(bench().counters);
  const piece = (id: string, field: string): string =>
    `45000024${id}${field}401100000a4d00020a4d0001${'00'.repeat(16)}`;
  assert.deepEqual(put(reassembly, [piece('0001', '0004'), piece('0001', '2008')]).said, [
    HELD,
    Drop.fragmentMalformed,
  ]);
  assert.deepEqual(put(reassembly, [piece('0002', '0004'), piece('0002', '0008')]).said, [
    HELD,
    Drop.fragmentMalformed,
  ]);
  assert.deepEqual(put(reassembly, [piece('0003', '2008'), piece('0003', '0004')]).said, [
    HELD,
    Drop.fragmentMalformed,
  ]);
  const many = Array.from({ length: 65 }, (_, i) => piece('0004', (0x2000 + 4 * i).toString(16)));
  assert.equal(put(reassembly, many).said.at(-1), Drop.fragmentsFull);
  assert.deepEqual(put(reassembly, many.slice(0, 1)).said, [Drop.fragmentsFull], 'that one is lost');
});

test('what cannot be cut: no room, no room for eight bytes, options that make no sense', () => {
  const packet = udpPacket(ways[4], new Uint8Array(1000)).toHex();
  const next = new Frame();
  const small = new Bench(new PacketBatch(256, 3, 1 << 20));
  const fragmenter = new Fragmenter(small.counters, 1);
  assert.equal(fragmenter.cut(small.batch, small.packet(packet), 200, next), Drop.madeFull);
  const poor = new Bench(new PacketBatch(256, 768, 1000));
  assert.equal(fragmenter.cut(poor.batch, poor.packet(packet), 200, next), Drop.madeFull);
  const options = `46${packet.slice(2, 40)}94000000${packet.slice(40)}`;
  const full = bench();
  assert.equal(fragmenter.cut(full.batch, full.packet(options), 200, next), Drop.ipv4Options);
  assert.equal(fragmenter.cut(full.batch, full.packet(packet), 27, next), Drop.mtuExceeded);
  assert.equal(next.count, 0);
});

test('a datagram that finds no room in its batch is lost whole', () => {
  const pieces = cut(udpPacket(ways[4], new Uint8Array(400)));
  const small = new Bench(new PacketBatch(256, 0, 400));
  const reassembly = new Reassembly(small.counters);
  const said = pieces.map((piece) => reassembly.take(small.batch, small.packet(piece), millis(0)));
  assert.deepEqual(said, [...Array.from({ length: pieces.length - 1 }, () => HELD), Drop.madeFull]);
  assert.equal(put(reassembly, pieces).said.at(-1), Drop.none, 'the next one has its place');
});
