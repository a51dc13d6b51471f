/** Published services by their own address: direct flows keep their addresses, those of the published address do not lose theirs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { TcpFlag } from '@vrouter/wire/tcp/tcp.ts';
import { Drop, dropReasons } from '../graph/drops.ts';
import type { MasqueradeRule } from './masquerade.ts';
import {
  type Endpoint,
  endsOf,
  INSIDE_LINK,
  into,
  masquerade,
  OUTSIDE,
  OUTSIDE_LINK,
  out,
  packetOf,
  published,
  sumsAreRight,
  word,
} from './nat.testing.ts';
import { Nat, NOT_TRANSLATED } from './nat.ts';
import type { PublishedRange } from './published.ts';
import { defaultNatSettings, type NatSettings } from './settings.ts';

const { syn, ack, psh, fin, rst } = TcpFlag;
const SYN_ACK = syn | ack;
const DATA = ack | psh;
/** Beside the inside (0) and the outside (1): another inside, 10.88.0.1. */
const OTHER_LINK = 2;
const service = { ip: '10.77.0.9', port: 8083 };
const asked = { ip: OUTSIDE, port: 83 };
const peer = { ip: '10.77.0.2', port: 5555 };
const neighbour = { ip: '10.88.0.2', port: 5555 };
const client = { ip: '203.0.113.7', port: 5555 };
const web: PublishedRange = { ...published, reachedBy: Uint8Array.of(0, 1, 0) };
const dns: PublishedRange = { ...web, rule: 2, protocol: IpProtocol.udp };

const vrfs = Int32Array.of(0, 0, 0);
const addresses = Int32Array.of(word('10.77.0.1'), word(OUTSIDE), word('10.88.0.1'));

function translator(rules: readonly MasqueradeRule[], settings: Partial<NatSettings> = {}, ranges = [web, dns]): Nat {
  const nat = new Nat({ ...defaultNatSettings, ...settings }, seededRng(7));
  for (let rule = 0; rule < 4; rule++) nat.packets[rule] = nat.bytes[rule] = nat.sessions.ofRule[rule] = 0;
  nat.configure(rules, ranges, addresses, vrfs, new Set());
  nat.advance(0);
  return nat;
}
const out1 = Uint8Array.of(0, 1, 0);
const masked: readonly MasqueradeRule[] = [{ ...masquerade, leaving: out1 }];

type Protocol = 'tcp' | 'udp';

/** A packet goes out; where it then comes from, or why it does not go on. */
function leave(
  nat: Nat,
  protocol: Protocol,
  from: Endpoint,
  to: Endpoint,
  flags: number,
  links: readonly number[],
): string {
  const packet = packetOf(protocol, from, to, { flags });
  const reason = out(nat, packet, links[0], links[1]);
  if (reason !== Drop.none) return dropReasons[reason]!;
  assert.ok(sumsAreRight(packet));
  assert.deepEqual(endsOf(packet).dst, to);
  const { src } = endsOf(packet);
  return `${src.ip}:${src.port}`;
}
const text = ({ ip, port }: Endpoint): string => `${ip}:${port}`;

/** Who speaks to the service by its own address, and by which link. */
const speakers: readonly (readonly [string, Endpoint, number, readonly MasqueradeRule[]])[] = [
  ['a peer of the same link', peer, INSIDE_LINK, []],
  ['a peer of the same link, with masquerade', peer, INSIDE_LINK, masked],
  ['a host of another link', neighbour, OTHER_LINK, masked],
  ['a host outside that has a route to it', client, OUTSIDE_LINK, []],
  ['a host outside that has a route to it, with masquerade', client, OUTSIDE_LINK, masked],
];
for (const [who, from, link, rules] of speakers) {
  const there = [link, INSIDE_LINK];
  const back = [INSIDE_LINK, link];

  test(`TCP directly: ${who}`, () => {
    const nat = translator(rules);
    for (const [toService, flags] of [
      [true, syn],
      [false, SYN_ACK],
      [true, ack],
      [true, DATA],
      [false, DATA],
      [false, fin | ack],
      [true, fin | ack],
      [false, ack],
    ] as const) {
      const src = toService ? from : service;
      const dst = toService ? service : from;
      assert.equal(leave(nat, 'tcp', src, dst, flags, toService ? there : back), text(src), `flags ${flags}`);
    }
    assert.equal(nat.sessions.count, 0);
    assert.deepEqual([nat.packets[1], nat.direct.count], [0, 1]);
  });

  test(`UDP directly: ${who}`, () => {
    const nat = translator(rules);
    for (let i = 0; i < 3; i++) {
      assert.equal(leave(nat, 'udp', from, service, 0, there), text(from));
      assert.equal(leave(nat, 'udp', service, from, 0, back), text(service));
    }
    assert.equal(nat.sessions.count, 0);
    // Who asks the published address meanwhile has it.
    const other = { ip: '203.0.113.8', port: 5555 };
    assert.equal(into(nat, packetOf('udp', other, asked)), Drop.none);
    assert.equal(leave(nat, 'udp', service, other, 0, [INSIDE_LINK, OUTSIDE_LINK]), text(asked));
  });

  test(`after a restart, directly, the outside first: ${who}`, () => {
    const nat = translator(rules);
    assert.equal(leave(nat, 'tcp', from, service, DATA, there), text(from));
    assert.equal(leave(nat, 'tcp', service, from, DATA, back), text(service));
  });
}

test('after a restart, the inside first: taken up where the published address is reached, and nowhere else', () => {
  for (const protocol of ['tcp', 'udp'] as const) {
    const nat = translator([]);
    const away = (to: Endpoint, links: readonly number[]): string => leave(nat, protocol, service, to, DATA, links);
    assert.equal(away(client, [INSIDE_LINK, OUTSIDE_LINK]), text(asked));
    assert.equal(away(peer, [INSIDE_LINK, INSIDE_LINK]), text(service));
    assert.equal(away(neighbour, [INSIDE_LINK, OTHER_LINK]), text(service));
  }
  // An address that is no link's alone may be asked for by any, one of the way in by any other, and of every address by those that have one.
  const rows: readonly (readonly [string, PublishedRange, string])[] = [
    ['no link’s', { ...web, reachedBy: null }, text(asked)],
    ['the inside link’s', { ...web, reachedBy: Uint8Array.of(1, 0, 0) }, text(asked)],
    ['every own address', { ...web, address: 0, reachedBy: null }, '10.88.0.1:83'],
  ];
  for (const [what, range, expected] of rows) {
    const nat = translator([], {}, [range]);
    assert.equal(leave(nat, 'tcp', service, neighbour, DATA, [INSIDE_LINK, OTHER_LINK]), expected, what);
    assert.equal(leave(nat, 'tcp', service, peer, DATA, [INSIDE_LINK, INSIDE_LINK]), text(service), what);
  }
  // Behind a masquerade nobody speaks to inside addresses: a way out too, and one link may be both ways.
  const both = translator([{ ...masquerade, leaving: Uint8Array.of(1, 0, 1) }]);
  assert.equal(leave(both, 'tcp', service, neighbour, DATA, [INSIDE_LINK, OTHER_LINK]), text(asked));
  assert.equal(leave(both, 'tcp', service, peer, DATA, [INSIDE_LINK, INSIDE_LINK]), text(asked));
});

test('a flow that was taken up, and was direct: its client says so', () => {
  const nat = translator([]);
  const back = [INSIDE_LINK, OUTSIDE_LINK];
  assert.equal(leave(nat, 'udp', service, client, 0, back), text(asked));
  assert.equal(leave(nat, 'udp', client, service, 0, [OUTSIDE_LINK, INSIDE_LINK]), text(client));
  assert.equal(leave(nat, 'udp', service, client, 0, back), text(service));
  assert.equal(nat.sessions.count, 0);
  // One that was asked by the published address stays, whoever else claims to be the client.
  assert.equal(into(nat, packetOf('tcp', client, asked, { flags: syn })), Drop.none);
  leave(nat, 'tcp', client, service, DATA, [OUTSIDE_LINK, INSIDE_LINK]);
  assert.equal(leave(nat, 'tcp', service, client, SYN_ACK, back), text(asked));
});

test('a SYN-ACK is never taken up: its SYN comes again', () => {
  const back = [INSIDE_LINK, OUTSIDE_LINK];
  const nat = translator(masked);
  assert.equal(leave(nat, 'tcp', service, client, SYN_ACK, back), 'natNoSession');
  assert.equal(nat.sessions.count, 0);
  assert.equal(into(nat, packetOf('tcp', client, asked, { flags: syn })), Drop.none);
  assert.equal(leave(nat, 'tcp', service, client, SYN_ACK, back), text(asked));
  // Without a masquerade it may answer a SYN that has gone another way.
  const open = translator([]);
  assert.equal(leave(open, 'tcp', service, client, SYN_ACK, back), text(service));
  assert.equal(leave(open, 'tcp', service, client, DATA, back), text(service));
  assert.equal(into(open, packetOf('tcp', client, asked, { flags: syn })), Drop.none);
  assert.equal(leave(open, 'tcp', service, client, SYN_ACK, back), text(asked), 'or not');
});

test('what the service begins itself from its port is nobody’s answer', () => {
  const nat = translator([]);
  const back = [INSIDE_LINK, OUTSIDE_LINK];
  assert.equal(leave(nat, 'tcp', service, client, syn, back), text(service));
  assert.equal(leave(nat, 'tcp', client, service, SYN_ACK, [OUTSIDE_LINK, INSIDE_LINK]), text(client));
  assert.equal(leave(nat, 'tcp', service, client, ack, back), text(service));
  assert.equal(nat.sessions.count, 0);
});

test('direct flows live as long as sessions, and are remembered while their port is published', () => {
  const back = [INSIDE_LINK, OUTSIDE_LINK];
  const nat = translator([]);
  leave(nat, 'udp', client, service, 0, [OUTSIDE_LINK, INSIDE_LINK]);
  nat.advance(59_000);
  assert.equal(leave(nat, 'udp', service, client, 0, back), text(service), 'one way 60 s');
  nat.advance(358_000);
  assert.equal(leave(nat, 'udp', service, client, 0, back), text(service), 'both ways 300 s');
  nat.limit({ ...defaultNatSettings, udpMs: 5000 });
  nat.advance(358_000);
  leave(nat, 'udp', service, client, 0, back);
  const other = { ...dns, rule: 3, firstPort: 8083, lastPort: 8083, toPort: 8083 };
  nat.configure([], [other], addresses, vrfs, new Set([2]));
  nat.advance(362_000);
  assert.equal(leave(nat, 'udp', service, client, 0, back), text(service), 'under another rule');
  nat.advance(367_000);
  assert.equal(nat.direct.count, 0);
  leave(nat, 'udp', client, service, 0, [OUTSIDE_LINK, INSIDE_LINK]);
  nat.configure([], [web], addresses, vrfs, new Set([3]));
  assert.equal(nat.direct.count, 0, 'nothing to be told apart any more');
});

test('hostile: a flood of direct flows is remembered up to the limits, and passes', () => {
  const nat = translator([], { maxSessions: 500, maxPerHost: 200 });
  for (let port = 1; port <= 1000; port++)
    assert.equal(leave(nat, 'udp', { ...peer, port }, service, 0, [0, 0]), `${peer.ip}:${port}`);
  assert.equal(nat.direct.count, 200);
  assert.equal(nat.sessions.count, 0, 'it takes nothing from those who are translated');
  const memory = nat.direct.byteLength;
  for (let port = 1; port <= 9000; port++) leave(nat, 'tcp', { ...peer, port }, service, syn, [0, 0]);
  assert.equal(nat.direct.byteLength, memory);
  for (let port = 1; port <= 100; port++)
    assert.equal(leave(nat, 'tcp', { ...neighbour, port }, service, rst, [OTHER_LINK, 0]), `${neighbour.ip}:${port}`);
  nat.advance(300_000);
  assert.equal(nat.direct.count, 0);
});

test('pieces of a direct answer keep their address as their first does', () => {
  const nat = translator(masked);
  leave(nat, 'udp', client, service, 0, [OUTSIDE_LINK, INSIDE_LINK]);
  const whole = packetOf('udp', service, client);
  const pieces = [0x2000, 0x0003].map((word) => {
    const piece = whole.slice();
    new DataView(piece.buffer).setUint16(6, word);
    return piece;
  });
  for (const piece of pieces) {
    const before = piece.toHex();
    assert.equal(out(nat, piece), Drop.none);
    assert.equal(piece.toHex(), before);
  }
});

test('hairpin by the published address goes on beside direct flows of the same peer', () => {
  const nat = translator(masked);
  assert.equal(leave(nat, 'tcp', peer, service, syn, [0, 0]), text(peer));
  const other = { ...peer, port: 6666 };
  const packet = packetOf('tcp', other, asked, { flags: syn });
  assert.equal(into(nat, packet, INSIDE_LINK), Drop.none);
  const { src } = endsOf(packet);
  assert.equal(src.ip, OUTSIDE);
  const reply = packetOf('tcp', service, src, { flags: SYN_ACK });
  assert.equal(into(nat, reply, INSIDE_LINK), Drop.none);
  assert.deepEqual(endsOf(reply), { src: asked, dst: other });
  assert.equal(leave(nat, 'tcp', service, peer, SYN_ACK, [0, 0]), text(service));
  // Without masquerade the service sees the peer itself, and answers it as what was asked.
  const plain = translator([]);
  assert.equal(into(plain, packetOf('tcp', other, asked, { flags: syn }), INSIDE_LINK), Drop.none);
  assert.equal(leave(plain, 'tcp', service, other, SYN_ACK, [0, 0]), text(asked));
  assert.equal(into(plain, packetOf('tcp', other, { ip: OUTSIDE, port: 99 }), INSIDE_LINK), NOT_TRANSLATED);
});
