/**
 * Any packet at the IP nodes, in tables where everything is a neighbour of everything. Nothing may throw or go in circles; nothing
 * outside of the packet may change; what goes out, errors and pieces too, must be whole IP packets that fit the link. State stays from
 * packet to packet, as in life.
 */
import { millis } from '@vrouter/core/time.ts';
import { finishChecksum, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import { checkIpv4, ipVersion, ipv4HeaderLen } from '@vrouter/wire/ipv4/ipv4.ts';
import { checkIpv6 } from '@vrouter/wire/ipv6/ipv6.ts';
import { MADE_BYTES, makeRegion, PacketBatch, SPARE_ROWS } from '../batch/packet-batch.ts';
import { BreathClock } from '../graph/breath-clock.ts';
import { Counters } from '../graph/counters.ts';
import { Frame } from '../graph/frame.ts';
import type { GraphNode } from '../graph/graph.ts';
import { AdjacencyKind } from '../state/adjacency.ts';
import { Forwarding, Link, SourceCheck, Vrf } from '../state/forwarding.ts';
import { IcmpError } from './icmp-error/icmp-error.ts';
import { IpInput } from './ip-input/ip-input.ts';
import { IpLookup } from './ip-lookup/ip-lookup.ts';
import { IpRewrite } from './ip-rewrite/ip-rewrite.ts';
import { LinkOutput } from './link-output/link-output.ts';
import { Local } from './local/local.ts';
import { SourceCheckNode } from './source-check/source-check.ts';

export const name = 'engine/ip';

const hex = [
  '4500001f1c464000401109ea0a4d00020a4d00030fa01388000b03af616263',
  '4500001f1c464000110138fc0a4d00020a4d00010800339500070001616263',
  '60000000000b1140fd770000000000000000000000000002fd7700000000000000000000000000030fa01388000b1d59616263',
  '60000000000b3a11fd770000000000000000000000000002fd7700000000000000000000000000018000c05c00070001616263',
  // No route; two pieces of an echo request; a SYN; a long datagram with options that may be cut, and one that may not.
  '4500001f1c464000401109f50a4d00020a4200030fa01388000b03ba616263',
  '4500003c000920004001461c0a4d00020a4d0001080013f500000007000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
  '45000034000900054001661f0a4d00020a4d0001202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f',
  '450000301c464000400609e40a4d00020a4d0003c000005000000001000000007002200091310000020405b401010100',
  '4800008c1c4600004011a7710a4d00020a4d00039404000007070400000000000fa01388006c2b82000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263',
  '450000801c464000401109890a4d00020a4d00030fa01388006c2b82000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60616263',
  '6000000000182c40fd770000000000000000000000000002fd7700000000000000000000000000013a00000100000007800000000007000131323334353637',
];
export const seeds: readonly Uint8Array[] = hex.map((text) => Uint8Array.fromHex(text));

const SPARE = 64;
/** Small, so that much does not fit. */
const MTU = 76;
/** Made once: filling the tables costs a thousand times what a packet does. Packets only read them. */
const forwarding = tables();
const counters = new Counters(8, 1);
const clock = new BreathClock({ now: () => millis(0), unixMs: () => 0 });
const batch = new PacketBatch(4, SPARE_ROWS, MADE_BYTES);
const [entry, checked, looked, local, rewrite, linkOutput, out, errors] = Array.from(
  { length: 8 },
  () => new Frame(),
) as [Frame, Frame, Frame, Frame, Frame, Frame, Frame, Frame];
const stations: readonly (readonly [GraphNode, Frame])[] = [
  [new IpInput(forwarding, counters, checked, looked), entry],
  [new SourceCheckNode(forwarding, counters, looked), checked],
  [new IpLookup(forwarding, counters, local, rewrite, new Frame(), errors), looked],
  [new Local(counters, clock, errors, looked), local],
  [new IpRewrite(forwarding, counters, linkOutput, new Frame(), errors), rewrite],
  [new LinkOutput(forwarding, counters, 7, out, new Frame(), new Frame(), errors), linkOutput],
  [new IcmpError(forwarding, counters, clock, 7, looked), errors],
];

export function fuzzOne(bytes: Uint8Array): void {
  through(bytes);
  // Few mutants keep a right IPv4 checksum; with one, they get further.
  if (bytes.length < 20 || bytes[0]! >>> 4 !== 4) return;
  const mended = bytes.slice();
  const view = new DataView(mended.buffer);
  const headerLength = Math.min(ipv4HeaderLen(view, 0), mended.length) & ~1;
  view.setUint16(2, Math.min(view.getUint16(2), mended.length));
  view.setUint16(10, 0);
  view.setUint16(10, finishChecksum(sumWords(view, 0, headerLength, 0)));
  through(mended);
}

function through(bytes: Uint8Array): void {
  const region = makeRegion(bytes.length + 2 * SPARE);
  region.bytes.fill(0xa5);
  region.bytes.set(bytes, SPARE);
  // Time goes on, so that errors are not all held back and pieces do not stay for ever.
  clock.now = millis(clock.now + 50);
  batch.begin();
  batch.count = 1;
  batch.region[0] = region;
  batch.offset[0] = SPARE;
  batch.length[0] = bytes.length;
  batch.tailroom[0] = SPARE;
  batch.flags[0] = 0;
  out.count = 0;
  entry.push(0);
  for (let rounds = 0; stations.some(([, frame]) => frame.count > 0); rounds++) {
    if (rounds === 4) throw new Error('the packet goes round and round');
    for (const [node, frame] of stations) {
      node.process(batch, frame);
      frame.count = 0;
    }
  }
  for (let i = 0; i < SPARE; i++)
    if (region.bytes[i] !== 0xa5 || region.bytes[SPARE + bytes.length + i] !== 0xa5)
      throw new Error('bytes outside of the packet have changed');
  for (let i = 0; i < out.count; i++) {
    const row = out.rows[i]!;
    const { view } = batch.region[row]!;
    const at = batch.offset[row]!;
    const end = at + batch.length[row]!;
    if (end - at > MTU) throw new Error(`${end - at} bytes go out of a link of ${MTU}`);
    const fault = ipVersion(view, at) === 4 ? checkIpv4(view, at, end) : checkIpv6(view, at, end);
    if (fault !== 0) throw new Error(`what goes out has fault ${fault}`);
  }
}

/** 10.77.0.1 and fd77::1 are ours, 10.66/16 is nowhere, all else is behind link 0, which checks sources. */
function tables(): Forwarding {
  const made = new Forwarding();
  const vrf = new Vrf(0, 'default', 0);
  made.vrfs.push(vrf);
  const link = new Link(0, 'wg0', 0, MTU, true);
  link.address4 = Uint8Array.of(10, 77, 0, 1);
  link.address6 = Uint8Array.fromHex('fd770000000000000000000000000001');
  link.sourceCheck = SourceCheck.strict;
  link.clampMtu = MTU;
  link.operUp = true;
  made.links.push(link);
  const out = made.adjacencies.obtain(AdjacencyKind.link, 0, null);
  const own = made.adjacencies.obtain(AdjacencyKind.local, -1, null);
  vrf.fib4.set(new Uint8Array(4), 0, out);
  // No route: row 0 of the adjacencies.
  vrf.fib4.set(Uint8Array.of(10, 66, 0, 0), 16, 0);
  vrf.fib6.set(new Uint8Array(16), 0, out);
  vrf.fib4.set(Uint8Array.of(10, 77, 0, 1), 32, own);
  vrf.fib6.set(Uint8Array.fromHex('fd770000000000000000000000000001'), 128, own);
  return made;
}
