import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sumPseudoHeader } from '../checksum/checksum.ts';
import { fuzzOne, seeds } from './tcp.fuzz.ts';
import {
  checkTcp,
  checkTcpSum,
  emitTcp,
  parseTcp,
  TcpFault,
  TcpFlag,
  TcpOption,
  tcpAck,
  tcpChecksum,
  tcpDst,
  tcpFlags,
  tcpHeaderLen,
  tcpLen,
  tcpOption,
  tcpSeq,
  tcpSrc,
  tcpUrgent,
  tcpWindow,
} from './tcp.ts';

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const PSEUDO = sumPseudoHeader(viewOf(Uint8Array.of(192, 0, 2, 1, 192, 0, 2, 2)), 0, 4, 6, 28);
const pseudoOf = (length: number): number => PSEUDO - 28 + length;

// The checksums were computed by another program.
const syn = '30390050000000010000000070022000ae910000020405b401010402';
const fin = '00500fa0000003e8000007d05011ffff86bb0000686921';
const named = [
  [
    'SYN with options',
    syn,
    {
      src: 12345,
      dst: 80,
      seq: 1,
      ack: 0,
      flags: TcpFlag.syn,
      window: 8192,
      urgent: 0,
      options: Uint8Array.fromHex('020405b401010402'),
      payloadLength: 0,
    },
  ],
  [
    'FIN with an odd payload',
    fin,
    {
      src: 80,
      dst: 4000,
      seq: 1000,
      ack: 2000,
      flags: TcpFlag.fin | TcpFlag.ack,
      window: 65535,
      urgent: 0,
      options: new Uint8Array(0),
      payloadLength: 3,
    },
  ],
] as const;

for (const [what, hex, header] of named) {
  test(`${what}, both ways, over 0xa5`, () => {
    const bytes = Uint8Array.fromHex(hex);
    const pseudo = pseudoOf(bytes.length);
    assert.deepEqual(parseTcp(viewOf(bytes), 0, bytes.length, pseudo), header);
    const written = new Uint8Array(bytes.length + 4).fill(0xa5);
    written.set(bytes.subarray(tcpLen(header)), 2 + tcpLen(header));
    emitTcp(header, viewOf(written), 2, pseudo);
    assert.equal(written.toHex(), `a5a5${hex}a5a5`);
  });
}

test('accessors', () => {
  const view = viewOf(Uint8Array.fromHex(fin));
  assert.deepEqual(
    [tcpSrc, tcpDst, tcpSeq, tcpAck, tcpHeaderLen, tcpFlags, tcpWindow, tcpChecksum, tcpUrgent].map((get) =>
      get(view, 0),
    ),
    [80, 4000, 1000, 2000, 20, 0x11, 65535, 0x86bb, 0],
  );
});

test('each fault has its number', () => {
  const view = viewOf(Uint8Array.fromHex(syn));
  assert.equal(checkTcp(view, 0, 19), TcpFault.short);
  assert.equal(checkTcp(view, 0, 27), TcpFault.dataOffset);
  assert.equal(checkTcp(viewOf(Uint8Array.fromHex(fin.replace('5011ffff', '4011ffff'))), 0, 23), TcpFault.dataOffset);
  assert.equal(checkTcp(view, 0, 28), TcpFault.none);
  assert.equal(checkTcpSum(view, 0, 28, pseudoOf(28)), TcpFault.none);
  assert.equal(checkTcpSum(view, 0, 28, pseudoOf(28) + 1), TcpFault.checksum);
  assert.equal(parseTcp(view, 0, 28, pseudoOf(28) + 1), null);
  assert.equal(parseTcp(view, 0, 19, 0), null);
});

const walks: readonly (readonly [string, string, number, number])[] = [
  ['the first', '020405b401010402', TcpOption.maximumSegmentSize, 20],
  ['one behind padding', '0101010102040500', TcpOption.maximumSegmentSize, 24],
  ['one that is not there', '020405b401010402', 8, -1],
  ['none behind the end of the list', '00000000020405b4', TcpOption.maximumSegmentSize, -1],
  ['a length of none', '0500000002040500', TcpOption.maximumSegmentSize, -1],
  ['a length of one', '0501010102040500', TcpOption.maximumSegmentSize, -1],
  ['a length beyond the header', '0101010102090500', TcpOption.maximumSegmentSize, -1],
  ['a kind on the last byte', '0101010101010102', TcpOption.maximumSegmentSize, -1],
];
for (const [what, options, kind, at] of walks) {
  test(`options: ${what}`, () => {
    const bytes = Uint8Array.fromHex(syn);
    bytes.set(Uint8Array.fromHex(options), 20);
    assert.equal(tcpOption(viewOf(bytes), 0, kind), at);
  });
}

test('parse gives back what emit wrote', () => {
  const port = fc.nat(0xffff);
  const number = fc.nat(0xffffffff);
  fc.assert(
    fc.property(
      fc.record({ src: port, dst: port, seq: number, ack: number, flags: fc.nat(0xff), window: port, urgent: port }),
      fc.array(fc.uint8Array({ minLength: 4, maxLength: 4 }), { maxLength: 10 }),
      fc.uint8Array({ maxLength: 100 }),
      fc.nat(0xfffff),
      (fields, words, data, sum) => {
        const options = Uint8Array.from(words.flatMap((word) => [...word]));
        const header = { ...fields, options, payloadLength: data.length };
        const bytes = new Uint8Array(tcpLen(header) + data.length).fill(0xa5);
        bytes.set(data, tcpLen(header));
        emitTcp(header, viewOf(bytes), 0, sum);
        assert.deepEqual(parseTcp(viewOf(bytes), 0, bytes.length, sum), header);
      },
    ),
    { seed: 11 },
  );
});

test('what no header can say is refused', () => {
  const header = { ...named[0][2], options: new Uint8Array(44) };
  assert.throws(() => emitTcp(header, viewOf(new Uint8Array(100)), 0, 0), RangeError);
  assert.throws(
    () => emitTcp({ ...header, options: new Uint8Array(3) }, viewOf(new Uint8Array(100)), 0, 0),
    RangeError,
  );
});

test('random bytes never throw, and every property of the fuzzer holds', () => {
  for (const seed of seeds) fuzzOne(seed);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 80 }), (bytes) => {
      fuzzOne(bytes);
    }),
    { seed: 12, numRuns: 3000 },
  );
});
