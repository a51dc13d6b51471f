/**
 * Any packet at the translator, both ways, between sessions that are there. Nothing may throw or write outside of the packet; what was
 * refused or is ours is as it came; what was translated is still a whole packet with a right header sum, and the tables stay in step.
 */

import { seededRng } from '@vrouter/core/rng.ts';
import { checkIpv4, Ipv4Fault } from '@vrouter/wire/ipv4/ipv4.ts';
import { Drop } from '../graph/drops.ts';
import type { HostRule } from './hosts.ts';
import type { MasqueradeRule } from './masquerade.ts';
import { Nat } from './nat.ts';
import type { PublishedRange } from './published.ts';
import { defaultNatSettings } from './settings.ts';

export const name = 'engine/nat';

/**
 * UDP, TCP and echo: from 10.77.0.2 out, its answer, from 10.77.0.3 to our outside address; an ICMP error about the first. To and from the
 * host with an address of its own, errors about it, hairpin to it; a later piece and its first.
 */
const hex = [
  '4500001f424240004011b2370a4d0002cb0071050fa00035000ba5ac010203',
  '4500001f4242400040119251cb007105c633640100350fa0000b85c6010203',
  '4500001f424240004011c4070a4d0003c633640100090fa0000bb7a8010203',
  '4500002b424240004006b2360a4d0002cb0071050fa00035000000010000000250100009559a0000010203',
  '4500002b4242400040069250cb007105c633640100350fa000000001000000025010000935b40000010203',
  '4500002b424240004006c4060a4d0003c633640100090fa000000001000000025002000967a40000010203',
  '4500001f424240004001b2470a4d0002cb0071050800e45c0fa00001010203',
  '4500001f4242400040019261cb007105c63364010000ec5c0fa00001010203',
  '4500001f424240004001c4170a4d0003c63364010800f3f300090001010203',
  '4500003b4242400040019245cb007105c633640103006357000000004500001f4242400040119251c6336401cb0071050fa00035000b85c6010203',
  '4500001f424200004011d249cb007105c633640900350fa0000bc55d616263',
  '4500001c42420000402ff21a0a4d0004cb0071050000080061626364',
  '45000038424200004001d147cb0071fec633640903013038000000004500001c00010000402f1470c6336409cb0071050000080061626364',
  '4500003b424200004001f2290a4d0004cb00710503014372000000004500001f0001000040113477cb0071050a4d000400350009000bf4e0616263',
  '4500001f42420000401104000a4d0003c633640900090035000b06ab616263',
  '4500001c424200024011f2380a4d0002cb0071053839616263646566',
  '45000024424220004011d2320a4d0002cb0071050fa0003500187a5d3031323334353637',
];
export const seeds: readonly Uint8Array[] = hex.map((text) => Uint8Array.fromHex(text));
/** Seeds that open a session each. */
const OPENING = [0, 3, 6] as const;

/** 10/8 leaves by link 1 as 198.51.100.1, whose ports 80 to 89 are published. */
const rule: MasqueradeRule = {
  rule: 0,
  vrf: 0,
  network: 0x0a000000,
  bits: 8,
  mask: -0x1000000,
  leaving: Uint8Array.of(0, 1),
  pool: null,
  hairpin: true,
};
const OUTSIDE = 0xc6336401 | 0;
/** 10.77.0.4 as 198.51.100.9. */
const host: HostRule = { rule: 2, vrf: 0, outside: 0xc6336409 | 0, inside: 0x0a4d0004 };
const range: PublishedRange = {
  rule: 1,
  protocol: 6,
  vrf: 0,
  address: OUTSIDE,
  firstPort: 80,
  lastPort: 89,
  toAddress: 0x0a4d0009,
  toPort: 8080,
  hairpin: true,
  reachedBy: Uint8Array.of(0, 1),
};

function translator(): Nat {
  const nat = new Nat({ ...defaultNatSettings, maxSessions: 8 }, seededRng(7));
  nat.configure([rule], [range], Int32Array.of(0x0a4d0001, OUTSIDE), Int32Array.of(0, 0), new Set(), [host]);
  nat.advance(0);
  for (const which of OPENING) {
    const bytes = seeds[which]!.slice();
    nat.outbound(new DataView(bytes.buffer), 0, bytes.length, 0, 0, 1);
  }
  return nat;
}

const SPARE = 64;

export function fuzzOne(bytes: Uint8Array): void {
  const whole = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // ip-input lets nothing else through.
  if (checkIpv4(whole, 0, bytes.length) !== Ipv4Fault.none) return;
  for (const outbound of [true, false]) {
    const nat = translator();
    const room = new Uint8Array(bytes.length + 2 * SPARE).fill(0xa5);
    room.set(bytes, SPARE);
    const view = new DataView(room.buffer);
    const end = SPARE + whole.getUint16(2);
    for (let round = 0; round < 2; round++) {
      const before = room.slice();
      const reason = outbound ? nat.outbound(view, SPARE, end, 0, 0, 1) : nat.inbound(view, SPARE, end, 0, 1);
      const isOther = room.some((byte, i) => byte !== before[i]);
      if (reason !== Drop.none && isOther && outbound) throw new Error('a refused packet has changed');
      if (room.some((byte, i) => byte !== 0xa5 && (i < SPARE || i >= SPARE + bytes.length)))
        throw new Error('bytes outside of the packet have changed');
      if (checkIpv4(view, SPARE, end) !== Ipv4Fault.none) throw new Error('the header is no longer right');
    }
    const { count, mappings, rows, protocol } = nat.sessions;
    let live = 0;
    for (let row = 0; row < rows; row++) if (protocol[row] !== 0) live++;
    if (live !== count || count > 8 || mappings.count > count) throw new Error('the tables are out of step');
    nat.advance(1e9);
    if (nat.sessions.count + mappings.count !== 0) throw new Error('something lives for ever');
  }
}
