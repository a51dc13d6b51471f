/** The translator in memory: nanoseconds per packet of sessions that are there, per new session, and bytes per session. */

import { seededRng } from '@vrouter/core/rng.ts';
import { Nat } from '@vrouter/engine/nat/nat.ts';
import { defaultNatSettings } from '@vrouter/engine/nat/settings.ts';
import type { BenchResult } from './result.ts';

const SESSIONS = [1000, 60_000] as const;
const PACKETS = 2_000_000;
const INSIDE = 0x0a4d0000;
const OUTSIDE = 0xc6336401 | 0;
const REMOTE = 0xcb007105 | 0;

/** An empty UDP packet without a sum of its own; fields are written over it. */
function packet(): DataView {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint16(0, 0x4500);
  view.setUint16(2, 64);
  view.setUint8(8, 64);
  view.setUint8(9, 17);
  view.setUint16(24, 44);
  view.setUint16(26, 0x1234);
  return view;
}

function ends(view: DataView, src: number, srcPort: number, dst: number, dstPort: number): void {
  view.setInt32(12, src);
  view.setInt32(16, dst);
  view.setUint16(20, srcPort);
  view.setUint16(22, dstPort);
}

function measure(sessions: number): { created: number; outbound: number; inbound: number; bytes: number } {
  const nat = new Nat(defaultNatSettings, seededRng(1));
  nat.packets[0] = 0;
  nat.bytes[0] = 0;
  const rule = { rule: 0, vrf: 0, network: INSIDE, bits: 16, mask: -65_536, leaving: null, pool: null, hairpin: true };
  nat.configure([rule], [], Int32Array.of(0, OUTSIDE), Int32Array.of(0, 0), new Set());
  nat.advance(1000);
  const view = packet();
  const port = (i: number): number => 1024 + (i % 64_000);
  const time = (count: number, one: (i: number) => void): number => {
    // CPU time: a neighbour on the host is not our cost.
    const start = process.cpuUsage();
    for (let i = 0; i < count; i++) one(i);
    const { user, system } = process.cpuUsage(start);
    return ((user + system) * 1000) / count;
  };
  const send = (i: number): void => {
    ends(view, INSIDE | (i & 0xff), port(i), REMOTE, 53);
    if (nat.outbound(view, 0, 64, 0, 0, 1) !== 0) throw new Error('a packet was refused');
  };
  const answer = (i: number): void => {
    ends(view, REMOTE, 53, OUTSIDE, port(i));
    if (nat.inbound(view, 0, 64, 0, 1) !== 0) throw new Error('an answer was refused');
  };
  const created = time(sessions, send);
  if (nat.sessions.count !== sessions) throw new Error(`${nat.sessions.count} sessions instead of ${sessions}`);
  // A stride apart, so that the table is walked as traffic walks it.
  const any = (i: number): number => Math.imul(i, 7919) % sessions;
  const step = (i: number): number => Math.abs(any(i));
  for (let i = 0; i < 200_000; i++) answer(step(i));
  const outbound = time(PACKETS, (i) => send(step(i)));
  const inbound = time(PACKETS, (i) => answer(step(i)));
  return { created, outbound, inbound, bytes: nat.sessions.byteLength / sessions };
}

export async function run(): Promise<BenchResult> {
  measure(SESSIONS[0]);
  const ours: Record<string, number> = {};
  for (const sessions of SESSIONS) {
    const { created, outbound, inbound, bytes } = measure(sessions);
    ours[`ns_new_session_at_${sessions}`] = Math.round(created);
    ours[`ns_outbound_at_${sessions}`] = Math.round(outbound);
    ours[`ns_inbound_at_${sessions}`] = Math.round(inbound);
    ours[`bytes_per_session_at_${sessions}`] = Math.round(bytes);
  }
  const note =
    'UDP in memory: parse, find the session, rewrite, sums; tables at their allocated size, indexes included';
  return { bench: 'nat', real: false, ours, peers: {}, ratio: {}, note };
}
