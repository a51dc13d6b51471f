import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { TcpFlag } from '@vrouter/wire/tcp/tcp.ts';
import { Counters } from '../graph/counters.ts';
import { Drop, dropReasons } from '../graph/drops.ts';
import { HELD_BYTES, HELD_OF_SOURCE, HELD_PIECES } from './held-pieces.ts';
import {
  endsOf,
  into,
  makeNat,
  masquerade,
  OUTSIDE,
  out,
  packetOf,
  published,
  sumsAreRight,
  unreachable,
  word,
} from './nat.testing.ts';
import { HELD, NOT_TRANSLATED } from './nat.ts';
import { defaultNatSettings } from './settings.ts';

const host = { ip: '10.77.0.2', port: 4000 };
const other = { ip: '10.77.0.3', port: 4000 };
const server = { ip: '203.0.113.5', port: 53 };
const name = (reason: number): string => (reason < 0 ? 'ours' : dropReasons[reason]!);

for (const protocol of ['udp', 'tcp', 'icmp'] as const) {
  test(`${protocol}: out under our address with its own port, and back, byte for byte`, () => {
    const nat = makeNat();
    const far = protocol === 'icmp' ? { ...server, port: 0 } : server;
    const packet = packetOf(protocol, host, far, { flags: TcpFlag.syn });
    assert.equal(out(nat, packet), Drop.none);
    const { src } = endsOf(packet);
    assert.deepEqual(src, { ip: OUTSIDE, port: 4000 });
    assert.ok(sumsAreRight(packet));
    const reply = packetOf(protocol, far, src, { flags: TcpFlag.syn | TcpFlag.ack, reply: true });
    const wanted = packetOf(protocol, far, host, { flags: TcpFlag.syn | TcpFlag.ack, reply: true });
    assert.equal(into(nat, reply), Drop.none);
    assert.equal(reply.toHex(), wanted.toHex());
  });
}

test('a port that is taken: another of the same parity, and the same towards everybody', () => {
  const nat = makeNat();
  out(nat, packetOf('udp', host, server));
  const second = packetOf('udp', other, server);
  out(nat, second);
  const { port } = endsOf(second).src;
  assert.notEqual(port, 4000);
  assert.equal(port % 2, 0);
  const third = packetOf('udp', other, { ip: '203.0.113.99', port: 9 });
  out(nat, third);
  assert.deepEqual(endsOf(third).src, { ip: OUTSIDE, port });
  assert.equal(nat.sessions.mappings.count, 2);
});

test('a UDP checksum of zero stays zero', () => {
  const nat = makeNat();
  const packet = packetOf('udp', host, server);
  packet.fill(0, 26, 28);
  out(nat, packet);
  assert.deepEqual([...packet.subarray(26, 28)], [0, 0]);
  const reply = packetOf('udp', server, { ip: OUTSIDE, port: 4000 });
  reply.fill(0, 26, 28);
  into(nat, reply);
  assert.deepEqual([...reply.subarray(26, 28)], [0, 0]);
  assert.equal(endsOf(reply).dst.ip, host.ip);
});

test('in comes who was sent to, from any port; nobody else', () => {
  const nat = makeNat();
  out(nat, packetOf('udp', host, server));
  const outside = { ip: OUTSIDE, port: 4000 };
  assert.equal(into(nat, packetOf('udp', { ...server, port: 999 }, outside)), Drop.none);
  assert.equal(name(into(nat, packetOf('udp', { ip: '203.0.113.6', port: 53 }, outside))), 'natFiltered');
  assert.equal(into(nat, packetOf('udp', server, { ip: OUTSIDE, port: 4001 })), NOT_TRANSLATED);
  assert.equal(into(nat, packetOf('icmp', server, outside)), NOT_TRANSLATED, 'an echo request is ours');
});

test('what is not to be translated passes; what cannot be is dropped', () => {
  const nat = makeNat();
  const foreign = packetOf('udp', { ip: '192.0.2.9', port: 1 }, server);
  const before = foreign.toHex();
  assert.equal(out(nat, foreign), Drop.none);
  assert.equal(foreign.toHex(), before);
  const gre = packetOf('udp', host, server);
  gre[9] = 47;
  assert.equal(name(out(nat, gre)), 'natProtocol');
  assert.equal(name(out(nat, packetOf('tcp', host, server, { flags: TcpFlag.rst }))), 'natNoSession');
  assert.equal(name(out(nat, packetOf('icmp', host, server, { reply: true }))), 'natNoSession');
  assert.equal(name(out(nat, packetOf('tcp', host, server).subarray(0, 30))), 'natShort');
  assert.equal(nat.sessions.count, 0);
});

test('a published port: in, and back under the address that was asked', () => {
  const nat = makeNat();
  const client = { ip: '203.0.113.7', port: 5555 };
  const syn = packetOf('tcp', client, { ip: OUTSIDE, port: 83 }, { flags: TcpFlag.syn });
  assert.equal(into(nat, syn), Drop.none);
  assert.deepEqual(endsOf(syn), { src: client, dst: { ip: '10.77.0.9', port: 8083 } });
  assert.ok(sumsAreRight(syn));
  const reply = packetOf('tcp', { ip: '10.77.0.9', port: 8083 }, client, { flags: TcpFlag.syn | TcpFlag.ack });
  assert.equal(out(nat, reply), Drop.none);
  assert.deepEqual(endsOf(reply).src, { ip: OUTSIDE, port: 83 });
  const rst = packetOf('tcp', { ...client, port: 6 }, { ip: OUTSIDE, port: 80 }, { flags: TcpFlag.rst });
  assert.equal(name(into(nat, rst)), 'natNoSession');
  const mine = packetOf('tcp', { ip: '10.77.0.2', port: 85 }, server, { flags: TcpFlag.syn });
  out(nat, mine);
  assert.notEqual(endsOf(mine).src.port, 85, 'a published port is nobody’s mapping');
});

test('flows of a published port that we have forgotten go on from either side, under the port that was asked', () => {
  const client = { ip: '203.0.113.7', port: 5555 };
  const inside = { ip: '10.77.0.9', port: 8083 };
  const fromOutside = makeNat();
  const data = packetOf('tcp', client, { ip: OUTSIDE, port: 83 }, { flags: TcpFlag.ack | TcpFlag.psh });
  assert.equal(into(fromOutside, data), Drop.none);
  assert.deepEqual(endsOf(data).dst, inside);
  const fromInside = makeNat();
  const more = packetOf('tcp', inside, client, { flags: TcpFlag.ack | TcpFlag.psh });
  assert.equal(out(fromInside, more), Drop.none);
  assert.deepEqual(endsOf(more).src, { ip: OUTSIDE, port: 83 });
  assert.ok(sumsAreRight(more));
  assert.equal(
    name(out(fromInside, packetOf('tcp', { ...inside, port: 8084 }, client, { flags: TcpFlag.fin }))),
    'natNoSession',
  );
  // What it begins itself is masqueraded like everybody's.
  const own = packetOf('tcp', { ...inside, port: 8085 }, client, { flags: TcpFlag.syn });
  assert.equal(out(fromInside, own), Drop.none);
  assert.deepEqual(endsOf(own).src, { ip: OUTSIDE, port: 8085 });
  // Of every own address: that of the way out. UDP has no beginning, so its port is always the published one.
  const any = makeNat();
  const udp = { ...published, protocol: IpProtocol.udp, address: 0, firstPort: 53, lastPort: 53, toPort: 5353 };
  any.configure([masquerade], [udp], Int32Array.of(0, word(OUTSIDE)), Int32Array.of(0, 0), new Set());
  const answer = packetOf('udp', { ip: '10.77.0.9', port: 5353 }, client);
  assert.equal(out(any, answer), Drop.none);
  assert.deepEqual(endsOf(answer).src, { ip: OUTSIDE, port: 53 });
});

test('hairpin: by our outside address, both ways, and both ends see only that', () => {
  const nat = makeNat();
  const client = { ip: '10.77.0.2', port: 5555 };
  const syn = packetOf('tcp', client, { ip: OUTSIDE, port: 80 }, { flags: TcpFlag.syn });
  assert.equal(into(nat, syn, 0), Drop.none);
  assert.deepEqual(endsOf(syn), { src: { ip: OUTSIDE, port: 5555 }, dst: { ip: '10.77.0.9', port: 8080 } });
  assert.ok(sumsAreRight(syn));
  const { src: seen } = endsOf(syn);
  const reply = packetOf('tcp', { ip: '10.77.0.9', port: 8080 }, seen, { flags: TcpFlag.syn | TcpFlag.ack });
  assert.equal(into(nat, reply, 0), Drop.none);
  assert.deepEqual(endsOf(reply), { src: { ip: OUTSIDE, port: 80 }, dst: client });
  assert.ok(sumsAreRight(reply));
  const closed = makeNat({}, [{ ...masquerade, hairpin: false }]);
  closed.configure(
    [masquerade],
    [{ ...published, hairpin: false }],
    Int32Array.of(0, word(OUTSIDE)),
    Int32Array.of(0, 0),
    new Set(),
  );
  assert.equal(
    name(into(closed, packetOf('tcp', client, { ip: OUTSIDE, port: 80 }, { flags: TcpFlag.syn }), 0)),
    'natFiltered',
  );
});

for (const protocol of ['udp', 'tcp', 'icmp'] as const) {
  test(`an ICMP error about ${protocol}: inside it is about what the host sent`, () => {
    const nat = makeNat();
    const sent = packetOf(protocol, host, { ...server, port: protocol === 'icmp' ? 0 : 53 });
    const original = sent.slice();
    out(nat, packetOf(protocol, other, server));
    out(nat, sent);
    const error = unreachable('203.0.113.254', sent, sent.length);
    assert.ok(sumsAreRight(error));
    assert.equal(into(nat, error), Drop.none);
    assert.equal(endsOf(error).dst.ip, host.ip);
    assert.ok(sumsAreRight(error));
    assert.equal(error.subarray(28).toHex(), original.toHex(), 'the packet inside, sums included');
  });
}

test('an ICMP error from inside is about our outside address, and comes from it', () => {
  const nat = makeNat();
  const sent = packetOf('udp', host, server);
  out(nat, sent);
  const reply = packetOf('udp', server, endsOf(sent).src);
  const asked = reply.slice();
  into(nat, reply);
  const error = unreachable(host.ip, reply);
  assert.equal(out(nat, error), Drop.none);
  assert.equal(endsOf(error).src.ip, OUTSIDE);
  assert.ok(sumsAreRight(error));
  assert.equal(error.subarray(28).toHex(), asked.subarray(0, 28).toHex());
});

test('ICMP errors about nothing, or with a wrong sum, are not translated', () => {
  const nat = makeNat();
  const sent = packetOf('udp', host, server);
  out(nat, sent);
  const wrong = unreachable('203.0.113.254', sent);
  wrong[22]! ^= 1;
  assert.equal(into(nat, wrong), NOT_TRANSLATED);
  const nothing = unreachable('203.0.113.254', packetOf('udp', { ip: OUTSIDE, port: 1 }, server));
  assert.equal(into(nat, nothing), NOT_TRANSLATED);
  assert.equal(name(out(nat, unreachable(host.ip, packetOf('udp', { ...server, port: 54 }, host)))), 'natNoSession');
});

/** As a piece of a datagram: `offset` in units of 8 bytes. */
function piece(bytes: Uint8Array, offset: number, more: boolean): Uint8Array {
  const made = bytes.slice();
  made[6] = (more ? 0x20 : 0) | (offset >> 8);
  made[7] = offset & 0xff;
  return made;
}

test('pieces follow their first one, both ways; what comes before it waits', () => {
  const nat = makeNat();
  const { held } = nat.pieces;
  const sent = packetOf('udp', host, server);
  const later = piece(sent, 3, false);
  assert.equal(out(nat, later.slice()), HELD);
  assert.deepEqual([held.waiting, held.ready], [1, 0]);
  out(nat, piece(sent, 0, true));
  assert.deepEqual([held.waiting, held.ready], [0, 1]);
  const slot = held.next();
  assert.equal(
    held.slab.slice(held.at[slot], held.at[slot]! + held.length[slot]!).toHex(),
    later.toHex(),
    'as it came',
  );
  assert.equal(held.next(), -1);
  const second = later.slice();
  assert.equal(out(nat, second), Drop.none);
  assert.equal(endsOf(second).src.ip, OUTSIDE);
  assert.equal(second.subarray(20).toHex(), later.subarray(20).toHex(), 'nothing but the address has changed');
  const answer = packetOf('udp', server, { ip: OUTSIDE, port: 4000 });
  const back = piece(answer, 9, false);
  assert.equal(into(nat, back.slice()), HELD);
  assert.equal(into(nat, piece(answer, 0, true)), Drop.none);
  assert.equal(held.ready, 1);
  assert.equal(into(nat, back), Drop.none);
  assert.equal(endsOf(back).dst.ip, host.ip);
  nat.advance(16_001);
  assert.equal(out(nat, later.slice()), HELD, 'after its time it is as one that nobody knows');
});

test('pieces to us are ours, whatever NAT there is; another datagram of the same identification may not be', () => {
  const nat = makeNat();
  const ping = packetOf('icmp', server, { ip: OUTSIDE, port: 0 });
  assert.equal(into(nat, piece(ping, 3, false)), HELD);
  assert.equal(into(nat, piece(ping, 0, true)), NOT_TRANSLATED);
  assert.equal(nat.pieces.held.ready, 1);
  assert.equal(into(nat, piece(ping, 3, false)), NOT_TRANSLATED);
  // The same words of the header, but the answer to an echo of a host.
  out(nat, packetOf('icmp', host, server));
  const reply = packetOf('icmp', server, { ip: OUTSIDE, port: host.port }, { reply: true });
  assert.equal(into(nat, piece(reply, 0, true)), Drop.none);
  assert.equal(into(nat, piece(reply, 3, false)), Drop.none);
  assert.equal(into(nat, piece(ping, 0, true)), NOT_TRANSLATED);
  assert.equal(into(nat, piece(ping, 3, false)), NOT_TRANSLATED);
});

test('what is refused is refused with all its pieces; what keeps its address passes with all of them', () => {
  const nat = makeNat();
  out(nat, packetOf('udp', host, server));
  const stranger = packetOf('udp', { ip: '203.0.113.6', port: 53 }, { ip: OUTSIDE, port: 4000 });
  assert.equal(name(into(nat, piece(stranger, 0, true))), 'natFiltered');
  assert.equal(name(into(nat, piece(stranger, 3, false))), 'natFragment');
  const foreign = packetOf('udp', { ip: '192.0.2.9', port: 1 }, server);
  assert.equal(out(nat, piece(foreign, 3, false)), Drop.none, 'no rule and no session has to do with it');
  // Who has a session through a published port may be translated, so the first piece is asked.
  const web = { ip: '172.16.0.9', port: 8080 };
  nat.configure(
    [],
    [{ ...published, toAddress: word(web.ip) }],
    Int32Array.of(0, word(OUTSIDE)),
    Int32Array.of(0, 0),
    new Set(),
  );
  into(nat, packetOf('tcp', server, { ip: OUTSIDE, port: 80 }, { flags: TcpFlag.syn }));
  const other = packetOf('udp', web, server);
  assert.equal(out(nat, piece(other, 3, false)), HELD);
  assert.equal(out(nat, piece(other, 0, true)), Drop.none);
  assert.equal(nat.pieces.held.ready, 1);
  const passed = piece(other, 3, false);
  assert.equal(out(nat, passed), Drop.none);
  assert.deepEqual(passed, piece(other, 3, false));
});

test('pieces that wait are given up when links and rules become others: their way out may be gone', () => {
  const nat = makeNat();
  const { held } = nat.pieces;
  const counters = new Counters(0, 0);
  held.advance(0, counters);
  const sent = packetOf('udp', host, server);
  assert.equal(out(nat, piece(sent, 3, false)), HELD);
  nat.configure([masquerade], [], Int32Array.of(0, word(OUTSIDE)), Int32Array.of(0, 0), new Set());
  assert.equal(out(nat, piece(sent, 0, true)), Drop.none);
  assert.equal(held.ready, 0);
  held.advance(0, counters);
  assert.deepEqual([held.waiting, counters.drops[Drop.natFragment]], [0, 1]);
  assert.equal(out(nat, piece(sent, 3, false)), Drop.none);
});

test('hostile: pieces without a first take what is fixed, of one source a part of it, for two seconds', () => {
  const nat = makeNat();
  const { held } = nat.pieces;
  const counters = new Counters(0, 0);
  held.advance(0, counters);
  const reasons: { [reason: string]: number } = {};
  for (let i = 0; i < 1000; i++) {
    const sender = { ip: `10.77.${1 + (i % 7)}.2`, port: 1 };
    const reason = out(nat, piece(packetOf('udp', sender, server, { data: new Uint8Array(1300) }), 1 + i, true));
    const what = reason === HELD ? 'held' : name(reason);
    reasons[what] = (reasons[what] ?? 0) + 1;
  }
  assert.deepEqual(reasons, { held: HELD_PIECES, natFragment: 1000 - HELD_PIECES });
  const data = new Uint8Array(60_000);
  held.advance(1999, counters);
  assert.equal(held.waiting, HELD_PIECES);
  held.advance(2000, counters);
  assert.deepEqual([held.waiting, counters.drops[Drop.natFragment]], [0, HELD_PIECES]);
  let kept = 0;
  for (let i = 0; i < 100; i++)
    if (out(nat, piece(packetOf('udp', host, server, { data }), 1 + i, true)) === HELD) kept++;
  assert.equal(kept, Math.floor(HELD_BYTES / (data.length + 28)), 'large ones by their bytes');
  held.advance(5000, counters);
  for (let i = 0; i < 100; i++) out(nat, piece(packetOf('udp', host, server), 1 + i, true));
  assert.equal(held.waiting, HELD_OF_SOURCE, 'one source');
  // In order all is well meanwhile.
  const fine = packetOf('udp', { ...host, port: 4711 }, server);
  fine[5] = 0x99;
  assert.equal(out(nat, piece(fine, 0, true)), Drop.none);
  assert.equal(out(nat, piece(fine, 3, false)), Drop.none);
});

const lives: readonly (readonly [string, number, (nat: ReturnType<typeof makeNat>) => void])[] = [
  ['UDP one way', 60, (nat) => void out(nat, packetOf('udp', host, server))],
  [
    'UDP both ways',
    300,
    (nat) => {
      out(nat, packetOf('udp', host, server));
      into(nat, packetOf('udp', server, { ip: OUTSIDE, port: 4000 }));
    },
  ],
  ['ICMP', 60, (nat) => void out(nat, packetOf('icmp', host, server))],
  ['TCP that nobody answers', 30, (nat) => void out(nat, packetOf('tcp', host, server, { flags: TcpFlag.syn }))],
  [
    'TCP opening',
    240,
    (nat) => {
      out(nat, packetOf('tcp', host, server, { flags: TcpFlag.syn }));
      into(nat, packetOf('tcp', server, { ip: OUTSIDE, port: 4000 }, { flags: TcpFlag.syn | TcpFlag.ack }));
    },
  ],
  ['TCP established', 7440, (nat) => connect(nat)],
  [
    'TCP closing',
    240,
    (nat) => {
      connect(nat);
      out(nat, packetOf('tcp', host, server, { flags: TcpFlag.fin | TcpFlag.ack }));
      into(nat, packetOf('tcp', server, { ip: OUTSIDE, port: 4000 }, { flags: TcpFlag.fin | TcpFlag.ack }));
    },
  ],
  [
    'TCP reset',
    240,
    (nat) => {
      connect(nat);
      into(nat, packetOf('tcp', server, { ip: OUTSIDE, port: 4000 }, { flags: TcpFlag.rst }));
    },
  ],
  [
    'TCP that goes on after somebody’s reset',
    7440,
    (nat) => {
      connect(nat);
      into(nat, packetOf('tcp', server, { ip: OUTSIDE, port: 4000 }, { flags: TcpFlag.rst }));
      out(nat, packetOf('tcp', host, server));
    },
  ],
];
function connect(nat: ReturnType<typeof makeNat>): void {
  out(nat, packetOf('tcp', host, server, { flags: TcpFlag.syn }));
  into(nat, packetOf('tcp', server, { ip: OUTSIDE, port: 4000 }, { flags: TcpFlag.syn | TcpFlag.ack }));
  out(nat, packetOf('tcp', host, server));
}
for (const [what, seconds, make] of lives) {
  test(`${what}: ${seconds} s, to the tick`, () => {
    const nat = makeNat();
    make(nat);
    assert.equal(nat.sessions.count, 1);
    nat.advance(seconds * 1000 - 1);
    assert.equal(nat.sessions.count, 1);
    nat.advance(seconds * 1000);
    assert.deepEqual(
      [nat.sessions.count, nat.sessions.mappings.count, nat.sessions.ofHost(word(host.ip), 0)],
      [0, 0, 0],
    );
  });
}

test('other settings: newcomers meet the limits, lives count from the next packet, nothing is put out', () => {
  const nat = makeNat();
  for (let port = 1; port <= 10; port++) out(nat, packetOf('udp', { ...host, port }, server));
  nat.sessions.limit({ ...defaultNatSettings, maxSessions: 5, udpOneWayMs: 5000 });
  nat.advance(0);
  assert.equal(nat.sessions.count, 10);
  assert.deepEqual(nat.sessions.hosts(), { count: 1, most: 10 });
  assert.equal(name(out(nat, packetOf('udp', { ...host, port: 11 }, server))), 'natTableFull');
  assert.equal(out(nat, packetOf('udp', { ...host, port: 1 }, server)), Drop.none);
  nat.advance(5000);
  assert.equal(nat.sessions.count, 9);
  nat.sessions.limit(defaultNatSettings);
  nat.advance(5000);
  assert.equal(out(nat, packetOf('udp', { ...host, port: 11 }, server)), Drop.none);
  nat.advance(60_000);
  assert.equal(nat.sessions.count, 1);
});

test('hostile: a flood stops at the host’s limit, then at the table’s, and its memory stays', () => {
  const nat = makeNat({ maxSessions: 1000, maxPerHost: 300 });
  const counts: { [reason: string]: number } = {};
  for (let from = 2; from < 10; from++)
    for (let port = 0; port < 500; port++) {
      const reason = name(out(nat, packetOf('udp', { ip: `10.77.0.${from}`, port }, { ip: '203.0.113.1', port: 1 })));
      counts[reason] = (counts[reason] ?? 0) + 1;
    }
  assert.deepEqual(counts, { none: 1000, natHostLimit: 600, natTableFull: 2400 });
  const { byteLength } = nat.sessions;
  for (let port = 0; port < 60_000; port++) out(nat, packetOf('udp', { ip: '10.77.9.9', port }, server));
  assert.equal(nat.sessions.byteLength, byteLength);
  nat.advance(60_000);
  assert.equal(nat.sessions.count, 0);
  assert.equal(out(nat, packetOf('udp', host, server)), Drop.none);
});

test('hostile: SYNs from forged sources fill all ports of an address for half a minute, and those that are answered stay', () => {
  const nat = makeNat({ maxSessions: 100_000 });
  connect(nat);
  const flood = (): number => {
    let refused = 0;
    for (let i = 0; i < 64_600; i++) {
      const forged = { ip: `10.77.${1 + (i >> 8)}.${i & 255}`, port: 1024 + (i % 60_000) };
      if (out(nat, packetOf('tcp', forged, server, { flags: TcpFlag.syn })) !== Drop.none) refused++;
    }
    return refused;
  };
  assert.equal(flood(), 64_600 - (65_536 - 1024 - 1), 'all but the one that is in use');
  const mine = (): string => name(out(nat, packetOf('tcp', { ...other, port: 7 }, server, { flags: TcpFlag.syn })));
  assert.equal(mine(), 'natPortsExhausted');
  nat.advance(30_000);
  assert.equal(nat.sessions.count, 1, 'who is answered');
  assert.equal(mine(), 'none');
});

test('hostile: a pool without a free port says so, and gives each out once before', () => {
  const pool = { index: 0, addresses: Int32Array.of(word('198.51.100.9')), firstPort: 2000, lastPort: 2009 };
  const nat = makeNat({}, [{ ...masquerade, pool }]);
  const seen = new Set<number>();
  for (let port = 1; port <= 10; port++) {
    const packet = packetOf('udp', { ...host, port }, server);
    assert.equal(out(nat, packet), Drop.none);
    assert.equal(endsOf(packet).src.ip, '198.51.100.9');
    seen.add(endsOf(packet).src.port);
  }
  assert.deepEqual(
    [...seen].sort(),
    Array.from({ length: 10 }, (_, i) => 2000 + i),
  );
  assert.equal(name(out(nat, packetOf('udp', { ...host, port: 11 }, server))), 'natPortsExhausted');
  assert.equal(nat.exhausted[0], 1);
});

test('what loses its rule or its address ends', () => {
  const nat = makeNat();
  out(nat, packetOf('udp', host, server));
  nat.configure([masquerade], [], Int32Array.of(0, word(OUTSIDE)), Int32Array.of(0, 0), new Set());
  assert.equal(nat.sessions.count, 1);
  nat.configure([masquerade], [], Int32Array.of(0, word('198.51.100.2')), Int32Array.of(0, 0), new Set());
  assert.equal(nat.sessions.count, 0);
  const packet = packetOf('udp', host, server);
  out(nat, packet);
  assert.equal(endsOf(packet).src.ip, '198.51.100.2');
  nat.configure([], [], Int32Array.of(0, word('198.51.100.2')), Int32Array.of(0, 0), new Set([0]));
  assert.equal(nat.sessions.count, 0);
  const none = makeNat();
  none.configure([masquerade], [], Int32Array.of(0, 0), Int32Array.of(0, 0), new Set());
  assert.equal(name(out(none, packetOf('udp', host, server))), 'natNoAddress');
});
