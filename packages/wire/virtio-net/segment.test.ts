import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TcpFlag } from '../tcp/tcp.ts';
import { emitVnet, parseVnet, VNET_GSO_ECN, VNET_LEN, VnetFlag, VnetGso, type VnetHeader } from './header.ts';
import { packet } from './packets.testing.ts';
import { cut } from './rounds.testing.ts';
import { finishVnetChecksum, Segmenter, VnetFault } from './segment.ts';

const plain: VnetHeader = { flags: 0, gso: 0, headerLength: 0, gsoSize: 0, checksumStart: 0, checksumOffset: 0 };
const tcp4: VnetHeader = {
  ...{ flags: VnetFlag.needsChecksum, gso: VnetGso.tcp4, headerLength: 40, gsoSize: 100 },
  ...{ checksumStart: 20, checksumOffset: 16 },
};

function framed(header: VnetHeader, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(VNET_LEN + bytes.length).fill(0xa5, 0, VNET_LEN);
  emitVnet(header, new DataView(frame.buffer), 0);
  frame.set(bytes, VNET_LEN);
  return frame;
}

test('the header, byte by byte, both ways', () => {
  const bytes = Uint8Array.fromHex('01813600b80522001000');
  const header = { flags: 1, gso: 0x81, headerLength: 54, gsoSize: 1464, checksumStart: 34, checksumOffset: 16 };
  assert.deepEqual(parseVnet(new DataView(bytes.buffer), 0, 10), header);
  const again = new Uint8Array(10).fill(0xa5);
  emitVnet(header, new DataView(again.buffer), 0);
  assert.equal(again.toHex(), bytes.toHex());
  assert.equal(parseVnet(new DataView(bytes.buffer), 0, 9), null);
});

for (const family of [4, 6] as const)
  for (const protocol of ['tcp', 'udp'] as const)
    test(`a checksum left open is filled: ${protocol} over IPv${family}`, () => {
      const whole = packet({ family, protocol, length: 33 });
      const start = family === 4 ? 20 : 40;
      const checksumOffset = protocol === 'tcp' ? 16 : 6;
      const open = whole.slice();
      const view = new DataView(open.buffer);
      // The pseudo-header's sum: what is missing from the sum of the rest.
      view.setUint16(start + checksumOffset, 0);
      let rest = 0;
      for (let i = start; i < open.length; i += 2) rest += (open[i]! << 8) | (open[i + 1] ?? 0);
      const wanted = new DataView(whole.buffer).getUint16(start + checksumOffset);
      view.setUint16(start + checksumOffset, (((0xffff - wanted - rest) % 0xffff) + 0xffff) % 0xffff);
      const frame = framed({ ...plain, flags: VnetFlag.needsChecksum, checksumStart: start, checksumOffset }, open);
      assert.equal(cut(frame)[0]!.toHex(), whole.toHex());
      assert.equal(cut(framed(plain, whole))[0]!.toHex(), whole.toHex());
    });

test('FIN and PSH go with the last segment, CWR with the first', () => {
  const { ack, psh, fin, cwr } = TcpFlag;
  const super_ = packet({ length: 250, flags: ack | psh | fin | cwr, seq: 0xffffff80, id: 0xffff });
  const segments = cut(framed({ ...tcp4, gso: VnetGso.tcp4 | VNET_GSO_ECN }, super_));
  assert.deepEqual(
    segments.map((one) => one[33]),
    [ack | cwr, ack, ack | psh | fin],
  );
  const same = [
    packet({ length: 100, flags: ack | cwr, seq: 0xffffff80, id: 0xffff }),
    packet({ length: 100, flags: ack, seq: 0xffffffe4, id: 0, first: (100 * 7) & 0xff }),
    packet({ length: 50, flags: ack | psh | fin, seq: 0x48, id: 1, first: (200 * 7) & 0xff }),
  ];
  assert.deepEqual(
    segments.map((one) => one.toHex()),
    same.map((one) => one.toHex()),
  );
});

test('one that fits in a segment, or is empty, is finished like any', () => {
  for (const length of [0, 1, 100]) {
    const one = packet({ length });
    assert.deepEqual(
      cut(framed(tcp4, one)).map((segment) => segment.toHex()),
      [one.toHex()],
    );
  }
});

test('behind extension headers of IPv6 it is found where the header says', () => {
  const base = packet({ family: 6, length: 150 });
  // Destination options of eight bytes of padding between IPv6 and TCP.
  const long = Uint8Array.of(...base.subarray(0, 40), 6, 0, 1, 4, 0, 0, 0, 0, ...base.subarray(40));
  long[6] = 60;
  new DataView(long.buffer).setUint16(4, long.length - 40);
  const segments = cut(framed({ ...tcp4, gso: VnetGso.tcp6, checksumStart: 48 }, long));
  assert.deepEqual(
    segments.map((one) => [one.length, one[6], (one[4]! << 8) | one[5]!]),
    [
      [168, 60, 128],
      [118, 60, 78],
    ],
  );
  const wanted = packet({ family: 6, length: 50, seq: 100, first: (100 * 7) & 0xff });
  assert.equal(segments[1]!.subarray(48).toHex(), wanted.subarray(40).toHex());
});

const refused: readonly (readonly [name: string, fault: VnetFault, header: VnetHeader, bytes: Uint8Array])[] = [
  ['short', VnetFault.short, tcp4, packet().subarray(0, 19)],
  ['another family', VnetFault.gsoType, { ...tcp4, gso: VnetGso.tcp6 }, packet()],
  ['UDP fragments', VnetFault.gsoType, { ...tcp4, gso: VnetGso.udpFragments }, packet({ protocol: 'udp' })],
  ['another protocol', VnetFault.network, tcp4, packet({ protocol: 'udp' })],
  ['a fragment', VnetFault.network, tcp4, packet({ fragmentOffset: 8 })],
  ['a header of 16 bytes', VnetFault.network, tcp4, Uint8Array.of(0x44, ...packet().subarray(1))],
  ['a checksum before TCP', VnetFault.checksumPlace, { ...tcp4, checksumStart: 19 }, packet()],
  ['a checksum elsewhere', VnetFault.checksumPlace, { ...tcp4, checksumOffset: 6 }, packet()],
  ['half a TCP header', VnetFault.transport, tcp4, packet().subarray(0, 39)],
  ['a TCP header of nothing', VnetFault.transport, tcp4, packet().fill(0, 32, 33)],
  ['segments of nothing', VnetFault.gsoSize, { ...tcp4, gsoSize: 0 }, packet()],
];
for (const [name, fault, header, bytes] of refused)
  test(`refused: ${name}`, () => {
    const frame = framed(header, bytes);
    const segmenter = new Segmenter();
    const memory = { bytes: frame, view: new DataView(frame.buffer) };
    assert.equal(segmenter.begin(memory, 0, frame.length), fault);
    assert.equal(segmenter.left, 0);
  });

test('a checksum outside of the frame is refused', () => {
  const frame = framed({ ...plain, flags: VnetFlag.needsChecksum, checksumStart: 100, checksumOffset: 39 }, packet());
  assert.equal(finishVnetChecksum(new DataView(frame.buffer), 0, frame.length), VnetFault.checksumPlace);
});

test('segments are as many as they must be, of any size', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('tcp' as const, 'udp' as const),
      fc.constantFrom(4 as const, 6 as const),
      fc.nat(3000),
      fc.integer({ min: 1, max: 1500 }),
      (protocol, family, length, gsoSize) => {
        const whole = packet({ protocol, family, length });
        const gso = protocol === 'udp' ? VnetGso.udpDatagrams : family === 4 ? VnetGso.tcp4 : VnetGso.tcp6;
        // Without the flag, the place is found by the headers alone.
        const segments = cut(framed({ ...plain, gso, gsoSize }, whole));
        const header = whole.length - length;
        assert.equal(segments.length, Math.max(1, Math.ceil(length / gsoSize)));
        const each = segments.map((one, i) =>
          packet({
            protocol,
            family,
            length: one.length - header,
            seq: i * gsoSize,
            id: i,
            first: (i * gsoSize * 7) & 0xff,
          }),
        );
        assert.deepEqual(
          segments.map((one) => one.toHex()),
          each.map((one) => one.toHex()),
        );
      },
    ),
    { seed: 11, numRuns: 200 },
  );
});
