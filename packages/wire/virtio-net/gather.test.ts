import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TcpFlag } from '../tcp/tcp.ts';
import { parseVnet, VNET_LEN, VnetFlag, VnetGso } from './header.ts';
import { type PacketSpec, packet } from './packets.testing.ts';
import { cut, gathered, meant } from './rounds.testing.ts';

const { ack, psh, fin, syn, cwr, ece, rst, urg } = TcpFlag;
const header = (frame: Uint8Array) => parseVnet(new DataView(frame.buffer), 0, frame.length);
const hex = (packets: readonly Uint8Array[]): string[] => packets.map((one) => one.toHex());
const train = (count: number, spec: PacketSpec = {}, size = 100): PacketSpec[] =>
  Array.from({ length: count }, (_, i) => ({ length: size, seq: i * size, id: i, first: i, ...spec }));

test('three segments become one super-packet, and the kernel is told all it must know', () => {
  const specs = train(3);
  specs[2] = { ...specs[2]!, length: 50, flags: ack | psh };
  const packets = specs.map(packet);
  const frames = gathered(packets);
  assert.equal(frames.length, 1);
  assert.deepEqual(header(frames[0]!), {
    ...{ flags: VnetFlag.needsChecksum, gso: VnetGso.tcp4, headerLength: 40, gsoSize: 100 },
    ...{ checksumStart: 20, checksumOffset: 16 },
  });
  const view = new DataView(frames[0]!.buffer);
  assert.equal(view.getUint16(VNET_LEN + 2), 40 + 250);
  assert.equal(frames[0]![VNET_LEN + 20 + 13], ack | psh);
  assert.deepEqual(hex(cut(frames[0]!)), hex(packets));
});

const alone: readonly (readonly [name: string, first: PacketSpec, second: PacketSpec])[] = [
  ['a gap', {}, { seq: 101 }],
  ['the same again', {}, { seq: 0 }],
  ['another window', {}, { window: 513 }],
  ['another acknowledgment', {}, { ack: 6 }],
  ['another TTL', {}, { ttl: 63 }],
  ['another ECN', {}, { ecn: 1 }],
  ['another port', {}, { port: 1001 }],
  ['another host', {}, { host: 2 }],
  ['another family', {}, { family: 6 }],
  ['a longer one', {}, { length: 101 }],
  ['a bare acknowledgment', {}, { length: 0 }],
  ['after PSH', { flags: ack | psh }, {}],
  ['after FIN', { flags: ack | fin }, {}],
  ['SYN', { flags: syn }, {}],
  ['RST', {}, { flags: ack | rst }],
  ['CWR', {}, { flags: ack | cwr }],
  ['ECE of one', {}, { flags: ack | ece }],
  ['URG', {}, { flags: ack | urg, urgent: 1 }],
  ['an urgent pointer without URG', { urgent: 1 }, { urgent: 1 }],
  ['no ACK', { flags: 0 }, { flags: 0 }],
  ['other options', { options: Uint8Array.of(1, 1, 1, 1) }, { options: Uint8Array.of(1, 1, 1, 0) }],
  ['more options', {}, { options: Uint8Array.of(1, 1, 1, 1) }],
  ['an identification that jumps', { dontFragment: false }, { dontFragment: false, id: 2 }],
  ['a fragment', {}, { fragmentOffset: 8 }],
  ['IP options', { ipOptions: Uint8Array.of(1, 1, 1, 0) }, { ipOptions: Uint8Array.of(1, 1, 1, 0) }],
  ['another datagram length', { protocol: 'udp' }, { protocol: 'udp', length: 101 }],
];
for (const [name, first, second] of alone)
  test(`they stay two: ${name}`, () => {
    const packets = [packet({ length: 100, ...first }), packet({ length: 100, seq: 100, id: 1, ...second })];
    assert.deepEqual(
      hex(gathered(packets)),
      hex(packets.map((one) => Uint8Array.of(...new Uint8Array(VNET_LEN), ...one))),
    );
  });

for (const family of [4, 6] as const)
  for (const protocol of ['tcp', 'udp'] as const)
    test(`wrong checksums are never joined: ${protocol} over IPv${family}`, () => {
      for (let wrong = 0; wrong < 4; wrong++) {
        const packets = train(4, { family, protocol }).map(packet);
        packets[wrong]![packets[wrong]!.length - 1]! ^= 1;
        const back = gathered(packets).flatMap((frame) => cut(frame));
        assert.deepEqual(hex(back), hex(packets));
        // Each but the wrong one, and those that it parts, still joins.
        assert.ok(gathered(packets).length <= 3);
      }
      assert.equal(gathered(train(4, { family, protocol }).map(packet)).length, 1);
    });

test('a datagram without a checksum stays alone', () => {
  const packets = train(2, { protocol: 'udp' }).map(packet);
  for (const one of packets) one.fill(0, 26, 28);
  assert.equal(gathered(packets).length, 2);
});

test('what kernels do not take is not made', () => {
  assert.equal(gathered(train(2).map(packet), 0, { tcp: false, udp: true }).length, 2);
  assert.equal(gathered(train(2, { protocol: 'udp' }).map(packet), 0, { tcp: true, udp: false }).length, 2);
});

test('flows that alternate are told apart, and a packet of a flow never overtakes another', () => {
  const packets = train(20).flatMap((spec) => [packet({ ...spec, host: 1 }), packet({ ...spec, host: 2 })]);
  assert.equal(gathered(packets).length, 2);
  // A fragment of the same two hosts in the middle.
  const fragment = packet({ fragmentOffset: 8 });
  const parted = [packet(train(3)[0]), fragment, packet(train(3)[1])];
  assert.deepEqual(hex(gathered(parted).flatMap((frame) => cut(frame))), hex(parted));
});

test('a super-packet is never longer than IP can say, nor of more datagrams than the kernel takes', () => {
  for (const [spec, size, most] of [
    [{}, 1400, 65_535],
    [{ family: 6 }, 1400, 65_535],
    [{ protocol: 'udp' }, 10, VNET_LEN + 28 + 64 * 10],
  ] as const) {
    const packets = train(150, spec, size).map(packet);
    const frames = gathered(packets);
    assert.ok(frames.length >= 3);
    for (const frame of frames) assert.ok(frame.length <= VNET_LEN + most);
    assert.deepEqual(hex(frames.flatMap((frame) => cut(frame))), hex(packets));
  }
});

test('Ethernet: only IP joins, and only behind the same header', () => {
  const link = Uint8Array.fromHex('0200000000010200000000020800');
  const other = Uint8Array.fromHex('0200000000030200000000020800');
  const experiment = Uint8Array.fromHex('02000000000102000000000288b5');
  const two = (a: Uint8Array, b: Uint8Array) => [packet({ link: a }), packet({ link: b, seq: 100, id: 1, first: 1 })];
  assert.equal(gathered(two(link, link), 14).length, 1);
  assert.deepEqual(hex(cut(gathered(two(link, link), 14)[0]!, 14)), hex(two(link, link)));
  assert.equal(gathered(two(link, other), 14).length, 2);
  assert.equal(gathered(two(experiment, experiment), 14).length, 2);
});

/** Bursts of a few flows, with the disorder that a network makes. */
const traffic = fc.array(
  fc.record({
    host: fc.integer({ min: 1, max: 3 }),
    family: fc.constantFrom(4 as const, 6 as const),
    protocol: fc.constantFrom('tcp' as const, 'udp' as const),
    length: fc.constantFrom(100, 100, 100, 100, 99, 101, 0, 1),
    flags: fc.constantFrom(ack, ack, ack, ack, ack | psh, ack | fin, ack | syn, ack | cwr),
    skip: fc.constantFrom(0, 0, 0, 0, 0, 1),
    dontFragment: fc.boolean(),
    broken: fc.constantFrom(false, false, false, false, true),
    count: fc.integer({ min: 1, max: 5 }),
  }),
  { maxLength: 40 },
);

test('cut(gather(packets)) is packets, flow by flow', () => {
  let joined = 0;
  fc.assert(
    fc.property(traffic, (specs) => {
      const seqs = new Map<string, number>();
      const ids = new Map<string, number>();
      const byFlow = new Map<string, string[]>();
      const flowOf = (one: Uint8Array): string =>
        one[0]! >>> 4 === 4 ? one.subarray(12, 24).toHex() + one[9] : one.subarray(8, 44).toHex() + one[6];
      const put = (flows: Map<string, string[]>, one: Uint8Array): void => {
        const flow = flowOf(one);
        flows.set(flow, [...(flows.get(flow) ?? []), meant(one).toHex()]);
      };
      const packets = specs
        .flatMap((spec) => Array<typeof spec>(spec.count).fill(spec))
        .map((spec, i) => {
          const key = `${spec.host} ${spec.family} ${spec.protocol}`;
          const seq = (seqs.get(key) ?? 0xffffff00) + spec.skip;
          seqs.set(key, seq + spec.length);
          const id = ((ids.get(key) ?? 0xfffe) + 1 + spec.skip) & 0xffff;
          ids.set(key, id);
          const one = packet({ ...spec, seq: seq >>> 0, id, first: i });
          if (spec.broken) one[one.length - 1]! ^= 0x55;
          return one;
        });
      for (const one of packets) put(byFlow, one);
      const frames = gathered(packets);
      joined += packets.length - frames.length;
      const back = new Map<string, string[]>();
      for (const frame of frames) for (const one of cut(frame)) put(back, one);
      assert.deepEqual(Object.fromEntries(back), Object.fromEntries(byFlow));
    }),
    { seed: 7, numRuns: 500 },
  );
  assert.ok(joined > 500, `only ${joined} were joined`);
});
