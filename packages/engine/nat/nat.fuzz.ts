/**
 * Any packet at the translator, both ways, between sessions that are there. Nothing may throw or write outside of the packet; what was
 * refused or is ours is as it came; what was translated is still a whole packet with a right header sum, and the tables stay in step.
 */
import { checkIpv4, Ipv4Fault } from '@vrouter/wire/ipv4/ipv4.ts';
import { Drop } from '../graph/drops.ts';
import { makeNat, OUTSIDE, out, packetOf } from './nat.testing.ts';

export const name = 'engine/nat';

const host = { ip: '10.77.0.2', port: 4000 };
const far = { ip: '203.0.113.5', port: 53 };
const outside = { ip: OUTSIDE, port: 4000 };
export const seeds: readonly Uint8Array[] = (['udp', 'tcp', 'icmp'] as const).flatMap((protocol) => [
  packetOf(protocol, host, far),
  packetOf(protocol, far, outside, { reply: true }),
  packetOf(protocol, { ip: '10.77.0.3', port: 9 }, outside, { flags: 2 }),
  packetOf('icmp', far, outside, { data: packetOf(protocol, outside, far) }),
]);

const SPARE = 64;

export function fuzzOne(bytes: Uint8Array): void {
  const whole = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // ip-input lets nothing else through.
  if (checkIpv4(whole, 0, bytes.length) !== Ipv4Fault.none) return;
  for (const outbound of [true, false]) {
    const nat = makeNat({ maxSessions: 8 });
    for (const protocol of ['udp', 'tcp', 'icmp'] as const) out(nat, packetOf(protocol, host, far));
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
