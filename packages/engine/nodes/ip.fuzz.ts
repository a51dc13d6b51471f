/**
 * Any packet at the IP nodes, in tables where everything is a neighbour of everything. Nothing may throw; nothing outside of the
 * packet may change; what goes out must be a whole IP packet.
 */
import { checkIpv4, ipVersion } from '@vrouter/wire/ipv4/ipv4.ts';
import { checkIpv6 } from '@vrouter/wire/ipv6/ipv6.ts';
import { makeRegion, PacketBatch } from '../batch/packet-batch.ts';
import { Counters } from '../graph/counters.ts';
import { Frame } from '../graph/frame.ts';
import { AdjacencyKind } from '../state/adjacency.ts';
import { Forwarding, Link, Vrf } from '../state/forwarding.ts';
import { IpInput } from './ip-input/ip-input.ts';
import { IpLookup } from './ip-lookup/ip-lookup.ts';
import { IpRewrite } from './ip-rewrite/ip-rewrite.ts';
import { LinkOutput } from './link-output/link-output.ts';
import { Local } from './local/local.ts';

export const name = 'engine/ip';

const hex = [
  '4500001f1c464000401109ea0a4d00020a4d00030fa01388000b03af616263',
  '4500001f1c464000110138fc0a4d00020a4d00010800339500070001616263',
  '60000000000b1140fd770000000000000000000000000002fd7700000000000000000000000000030fa01388000b1d59616263',
  '60000000000b3a11fd770000000000000000000000000002fd7700000000000000000000000000018000c05c00070001616263',
];
export const seeds: readonly Uint8Array[] = hex.map((text) => Uint8Array.fromHex(text));

const SPARE = 64;
/** Made once: filling the tables costs a thousand times what a packet does. Packets only read them. */
const forwarding = tables();

export function fuzzOne(bytes: Uint8Array): void {
  const region = makeRegion(bytes.length + 2 * SPARE);
  region.bytes.fill(0xa5);
  region.bytes.set(bytes, SPARE);
  const batch = new PacketBatch(4);
  batch.count = 1;
  batch.region[0] = region;
  batch.offset[0] = SPARE;
  batch.length[0] = bytes.length;
  const frame = new Frame(4);
  frame.push(0);
  const [looked, local, rewrite, linkOutput, out] = [0, 1, 2, 3, 4].map(() => new Frame(4)) as [
    Frame,
    Frame,
    Frame,
    Frame,
    Frame,
  ];
  const counters = new Counters(8, 1);
  new IpInput(counters, looked).process(batch, frame);
  const lookup = new IpLookup(forwarding, counters, local, rewrite, new Frame(4));
  lookup.process(batch, looked);
  const answered = new Frame(4);
  new Local(counters, answered).process(batch, local);
  local.count = 0;
  lookup.process(batch, answered);
  new IpRewrite(forwarding, counters, linkOutput, new Frame(4)).process(batch, rewrite);
  new LinkOutput(forwarding, counters, out).process(batch, linkOutput);

  const dropped = counters.drops.reduce((sum, count) => sum + count, 0);
  // A reply to ourselves waits for a second look, which the graph would give it.
  if (out.count + dropped + local.count !== 1) throw new Error('the packet is neither sent nor dropped, or both');
  if (batch.offset[0] !== SPARE || batch.length[0]! > bytes.length) throw new Error('the packet has moved or grown');
  for (let i = 0; i < SPARE; i++)
    if (region.bytes[i] !== 0xa5 || region.bytes[SPARE + bytes.length + i] !== 0xa5)
      throw new Error('bytes outside of the packet have changed');
  if (out.count === 0) return;
  const end = SPARE + batch.length[0]!;
  const fault =
    ipVersion(region.view, SPARE) === 4 ? checkIpv4(region.view, SPARE, end) : checkIpv6(region.view, SPARE, end);
  if (fault !== 0) throw new Error(`what goes out has fault ${fault}`);
}

/** 10.77.0.1 and fd77::1 are ours, all else is behind link 0. */
function tables(): Forwarding {
  const made = new Forwarding();
  const vrf = new Vrf(0, 'default', 0);
  made.vrfs.push(vrf);
  const link = new Link(0, 'wg0', 0, 1420, true);
  link.operUp = true;
  made.links.push(link);
  const out = made.adjacencies.obtain(AdjacencyKind.link, 0, null);
  const own = made.adjacencies.obtain(AdjacencyKind.local, -1, null);
  vrf.fib4.set(new Uint8Array(4), 0, out);
  vrf.fib6.set(new Uint8Array(16), 0, out);
  vrf.fib4.set(Uint8Array.of(10, 77, 0, 1), 32, own);
  vrf.fib6.set(Uint8Array.fromHex('fd770000000000000000000000000001'), 128, own);
  return made;
}
