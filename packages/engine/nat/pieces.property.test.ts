/** Datagrams cut and shuffled at random, through the two nodes: what comes out is what would have come of them whole. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { millis } from '@vrouter/core/time.ts';
import { finishChecksum, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import fc from 'fast-check';
import { makeRegion, PacketBatch } from '../batch/packet-batch.ts';
import { BreathClock } from '../graph/breath-clock.ts';
import { Counters } from '../graph/counters.ts';
import { Frame } from '../graph/frame.ts';
import { NatIn } from '../nodes/nat-in/nat-in.ts';
import { NatOut } from '../nodes/nat-out/nat-out.ts';
import { INSIDE_LINK, makeNat, OUTSIDE, OUTSIDE_LINK, out, packetOf } from './nat.testing.ts';

const hosts = ['10.77.0.2', '10.77.0.3'];
const server = '203.0.113.5';

interface Datagram {
  readonly outbound: boolean;
  readonly host: number;
  /** Words of 8 bytes of the pieces but the last. */
  readonly cuts: readonly number[];
  readonly data: Uint8Array;
}

/** Pieces of a whole packet; at least two. */
function cut(whole: Uint8Array, id: number, cuts: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  const body = whole.subarray(20);
  for (let i = 0; from < body.length; i++) {
    // The first holds the UDP header and something behind it.
    const size = Math.min(i < cuts.length ? 8 * Math.max(cuts[i]!, i === 0 ? 2 : 1) : body.length, body.length - from);
    const piece = new Uint8Array(20 + size);
    piece.set(whole.subarray(0, 20));
    piece.set(body.subarray(from, from + size), 20);
    header(piece, id, from / 8, from + size < body.length);
    pieces.push(piece);
    from += size;
  }
  return pieces;
}

function header(bytes: Uint8Array, id: number, offset: number, more: boolean): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  view.setUint16(2, bytes.length);
  view.setUint16(4, id);
  view.setUint16(6, (more ? 0x2000 : 0) | offset);
  view.setUint16(10, 0);
  view.setUint16(10, finishChecksum(sumWords(view, 0, 20, 0)));
}

const datagram: fc.Arbitrary<Datagram> = fc.record({
  outbound: fc.boolean(),
  host: fc.nat(1),
  cuts: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 5 }),
  data: fc.uint8Array({ minLength: 60, maxLength: 200 }),
});

test('cut and shuffled: the pieces of each datagram come out translated, once each, the first one first', () => {
  let waited = 0;
  fc.assert(
    fc.property(fc.array(datagram, { minLength: 1, maxLength: 12 }), fc.infiniteStream(fc.nat(1000)), (all, chance) => {
      const nat = makeNat();
      // Both hosts have spoken, each by a port of its own.
      hosts.forEach((ip, i) => {
        out(nat, packetOf('udp', { ip, port: 4000 + i }, { ip: server, port: 53 }));
      });
      const clock = new BreathClock({ now: () => millis(1000), unixMs: () => 0 });
      const counters = new Counters(0, 0);
      const [leaving, local, lookup] = [new Frame(), new Frame(), new Frame()];
      const outNode = new NatOut(nat, counters, clock, leaving);
      const inNode = new NatIn(nat, counters, clock, lookup, local);
      const order = all.flatMap(({ outbound, host, cuts, data }, id) => {
        const inside = { ip: hosts[host]!, port: 4000 + host };
        const far = { ip: server, port: 53 };
        const whole = outbound
          ? packetOf('udp', inside, far, { data })
          : packetOf('udp', far, { ip: OUTSIDE, port: inside.port }, { data });
        return cut(whole, id, cuts).map((piece) => ({ outbound, piece, key: chance.next().value! }));
      });
      order.sort((a, b) => a.key - b.key);
      const came = new Map<number, Uint8Array[]>();
      for (const { outbound, piece } of order) {
        const batch = new PacketBatch(1, 64, 1 << 16);
        batch.begin();
        const region = makeRegion(piece.length);
        region.bytes.set(piece);
        batch.region[0] = region;
        batch.length[0] = piece.length;
        batch.ingress[0] = outbound ? INSIDE_LINK : OUTSIDE_LINK;
        batch.egress[0] = OUTSIDE_LINK;
        const frame = new Frame();
        frame.push(0);
        (outbound ? outNode : inNode).process(batch, frame);
        const next = outbound ? leaving : lookup;
        if (next.count > 1) waited++;
        for (let i = 0; i < next.count; i++) {
          const row = next.rows[i]!;
          const at = batch.offset[row]!;
          const bytes = batch.region[row]!.bytes.slice(at, at + batch.length[row]!);
          const id = (bytes[4]! << 8) | bytes[5]!;
          came.set(id, [...(came.get(id) ?? []), bytes]);
        }
        next.count = 0;
      }
      assert.equal(local.count, 0);
      assert.deepEqual(
        [...counters.drops].filter((n) => n > 0),
        [],
      );
      assert.deepEqual([nat.pieces.held.waiting, nat.pieces.held.ready], [0, 0]);
      all.forEach(({ outbound, host, cuts, data }, id) => {
        const inside = { ip: hosts[host]!, port: 4000 + host };
        const far = { ip: server, port: 53 };
        const whole = outbound
          ? packetOf('udp', { ip: OUTSIDE, port: inside.port }, far, { data })
          : packetOf('udp', far, inside, { data });
        const wanted = cut(whole, id, cuts).map((piece) => piece.toHex());
        const got = came.get(id)!.map((piece) => piece.toHex());
        assert.equal(got[0], wanted[0]);
        assert.deepEqual([...got].sort(), [...wanted].sort());
      });
    }),
    { seed: 5, numRuns: 200 },
  );
  assert.ok(waited > 100, `only ${waited} pieces waited`);
});
