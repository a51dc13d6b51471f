/** One address for another as a whole: whatever the protocol, both ways, errors and pieces included. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TcpFlag } from '@vrouter/wire/tcp/tcp.ts';
import { Drop, dropReasons } from '../graph/drops.ts';
import type { HostRule } from './hosts.ts';
import {
  endsOf,
  INSIDE_LINK,
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
import { type Nat, NOT_TRANSLATED } from './nat.ts';

const FLOATING = '198.51.100.9';
const host = { ip: '10.77.0.2', port: 4000 };
const server = { ip: '203.0.113.5', port: 53 };
const floating: HostRule = { rule: 2, vrf: 0, outside: word(FLOATING), inside: word(host.ip) };

function makeHosts(...hosts: readonly HostRule[]): Nat {
  const nat = makeNat();
  const addresses = Int32Array.of(word('10.77.0.1'), word(OUTSIDE));
  nat.configure([masquerade], [published], addresses, Int32Array.of(0, 0), new Set(), hosts);
  return nat;
}

for (const protocol of ['udp', 'tcp', 'icmp'] as const)
  test(`${protocol}: from either side, nothing but the address changes and nothing is remembered`, () => {
    const nat = makeHosts(floating);
    const far = { ...server, port: protocol === 'icmp' ? 0 : 53 };
    const sent = packetOf(protocol, host, far);
    assert.equal(out(nat, sent), Drop.none);
    assert.equal(sent.toHex(), packetOf(protocol, { ...host, ip: FLOATING }, far).toHex());
    const asked = packetOf(protocol, far, { ip: FLOATING, port: 22 });
    assert.equal(into(nat, asked), Drop.none);
    assert.equal(asked.toHex(), packetOf(protocol, far, { ip: host.ip, port: 22 }).toHex());
    assert.equal(nat.sessions.count, 0);
    assert.equal(nat.packets[2], 2);
  });

test('protocols without ports pass; other hosts, and other addresses of ours, are as before', () => {
  const nat = makeHosts(floating);
  for (const protocol of [47, 50, 132]) {
    const gre = packetOf('udp', host, server);
    gre[9] = protocol;
    const body = gre.subarray(20).toHex();
    assert.equal(out(nat, gre), Drop.none);
    assert.equal(endsOf(gre).src.ip, FLOATING);
    assert.equal(gre.subarray(20).toHex(), body);
  }
  const other = packetOf('udp', { ...host, ip: '10.77.0.3' }, server);
  assert.equal(out(nat, other), Drop.none);
  assert.equal(endsOf(other).src.ip, OUTSIDE);
  assert.equal(into(nat, packetOf('icmp', server, { ip: OUTSIDE, port: 0 })), NOT_TRANSLATED);
  const between = packetOf('udp', host, { ip: '10.77.0.3', port: 1 });
  assert.equal(out(nat, between, INSIDE_LINK, INSIDE_LINK), Drop.none);
  assert.equal(endsOf(between).src.ip, host.ip, 'between hosts of one link addresses are as they are');
  const short = packetOf('tcp', host, server).subarray(0, 30);
  assert.equal(dropReasons[out(nat, short)], 'natShort');
});

test('a published port of the floating address goes before it', () => {
  const nat = makeHosts(floating);
  const addresses = Int32Array.of(word('10.77.0.1'), word(OUTSIDE));
  const range = { ...published, address: word(FLOATING) };
  nat.configure([masquerade], [range], addresses, Int32Array.of(0, 0), new Set(), [floating]);
  const syn = packetOf('tcp', server, { ip: FLOATING, port: 80 }, { flags: TcpFlag.syn });
  assert.equal(into(nat, syn), Drop.none);
  assert.deepEqual(endsOf(syn).dst, { ip: '10.77.0.9', port: 8080 });
});

test('what a host answers leaves by its own address, though the port it answers from is published of another', () => {
  const nat = makeHosts(floating);
  const addresses = Int32Array.of(word('10.77.0.1'), word(OUTSIDE));
  const range = { ...published, toAddress: word(host.ip) };
  nat.configure([masquerade], [range], addresses, Int32Array.of(0, 0), new Set(), [floating]);
  const answer = packetOf('tcp', { ip: host.ip, port: 8080 }, server, { flags: TcpFlag.syn | TcpFlag.ack });
  assert.equal(out(nat, answer), Drop.none);
  assert.deepEqual(endsOf(answer).src, { ip: FLOATING, port: 8080 });
  // But a session through the other address is known.
  const asking = { ...server, port: 99 };
  into(nat, packetOf('tcp', asking, { ip: OUTSIDE, port: 80 }, { flags: TcpFlag.syn }));
  const other = packetOf('tcp', { ip: host.ip, port: 8080 }, asking, { flags: TcpFlag.syn | TcpFlag.ack });
  assert.equal(out(nat, other), Drop.none);
  assert.deepEqual(endsOf(other).src, { ip: OUTSIDE, port: 80 });
});

for (const protocol of ['udp', 'tcp', 'icmp', 'gre'] as const) {
  const known = protocol === 'gre' ? 'udp' : protocol;
  const make = (from: string, to: string): Uint8Array => {
    const bytes = packetOf(known, { ip: from, port: 9 }, { ip: to, port: known === 'icmp' ? 0 : 9 });
    if (protocol !== 'gre') return bytes;
    bytes[9] = 47;
    // What lies behind the header is nobody's business.
    return withHeaderSum(bytes.fill(7, 20));
  };
  test(`errors about ${protocol}, either way, are about what their receivers know`, () => {
    const nat = makeHosts(floating);
    const error = unreachable('203.0.113.254', make(FLOATING, server.ip), 28);
    assert.equal(into(nat, error), Drop.none);
    assert.equal(endsOf(error).dst.ip, host.ip);
    assert.ok(sumsAreRight(error));
    assert.equal(error.subarray(28).toHex(), make(host.ip, server.ip).subarray(0, 28).toHex());
    const back = unreachable(host.ip, make(server.ip, host.ip), 28);
    assert.equal(out(nat, back), Drop.none);
    assert.equal(endsOf(back).src.ip, FLOATING);
    assert.ok(sumsAreRight(back));
    assert.equal(back.subarray(28).toHex(), make(server.ip, FLOATING).subarray(0, 28).toHex());
    const wrong = unreachable('203.0.113.254', make(FLOATING, server.ip), 28);
    wrong[22]! ^= 1;
    assert.equal(into(nat, wrong), NOT_TRANSLATED);
  });
}

test('hairpin: another host reaches it by its outside address, both ways, and neither sees an inside one', () => {
  const nat = makeHosts(floating);
  const client = { ip: '10.77.0.3', port: 5555 };
  for (const protocol of ['udp', 'icmp'] as const) {
    const asked = packetOf(protocol, client, { ip: FLOATING, port: protocol === 'icmp' ? 0 : 22 });
    assert.equal(into(nat, asked, INSIDE_LINK), Drop.none);
    const { src, dst } = endsOf(asked);
    assert.deepEqual([src.ip, dst.ip], [OUTSIDE, host.ip]);
    assert.ok(sumsAreRight(asked));
    const answer = packetOf(protocol, { ip: host.ip, port: 22 }, src, { reply: true });
    assert.equal(into(nat, answer, INSIDE_LINK), Drop.none);
    assert.deepEqual([endsOf(answer).src.ip, endsOf(answer).dst.ip], [FLOATING, client.ip]);
    assert.ok(sumsAreRight(answer));
  }
  const second: HostRule = { rule: 3, vrf: 0, outside: word('198.51.100.8'), inside: word(client.ip) };
  const both = makeHosts(floating, second);
  const asked = packetOf('udp', client, { ip: FLOATING, port: 22 });
  assert.equal(into(both, asked, INSIDE_LINK), Drop.none);
  assert.deepEqual([endsOf(asked).src.ip, endsOf(asked).dst.ip], ['198.51.100.8', host.ip]);
  assert.equal(both.sessions.count, 0);
  // From outside nothing is hidden.
  const outside = packetOf('udp', { ip: '10.99.0.1', port: 1 }, { ip: FLOATING, port: 22 });
  assert.equal(into(both, outside), Drop.none);
  assert.equal(endsOf(outside).src.ip, '10.99.0.1');
});

test('pieces, in and out, in any order', () => {
  const nat = makeHosts(floating);
  const cut = (bytes: Uint8Array, offset: number, more: boolean): Uint8Array => {
    const made = bytes.slice();
    made[6] = more ? 0x20 : 0;
    made[7] = offset;
    return made;
  };
  const sent = packetOf('udp', host, server);
  const asked = packetOf('udp', server, { ip: FLOATING, port: 22 });
  for (const [go, bytes] of [
    [out, sent],
    [into, asked],
  ] as const) {
    go(nat, cut(bytes, 3, false));
    assert.equal(nat.pieces.held.waiting, 1);
    assert.equal(go(nat, cut(bytes, 0, true)), Drop.none);
    assert.notEqual(nat.pieces.held.next(), -1);
    assert.equal(go(nat, cut(bytes, 3, false)), Drop.none);
  }
});

/** The bytes with a right sum of the IP header. */
function withHeaderSum(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer);
  view.setUint16(10, 0);
  let sum = 0;
  for (let at = 0; at < 20; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(10, ~sum & 0xffff);
  return bytes;
}
