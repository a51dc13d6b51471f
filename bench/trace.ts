/** What it costs a packet to be watched: the IP nodes of the graph over packets in memory, without crypto, in nanoseconds per packet. */
import { parseIp } from '@vrouter/core/ip.ts';
import { millis } from '@vrouter/core/time.ts';
import { makeRegion, PacketBatch } from '@vrouter/engine/batch/packet-batch.ts';
import type { TraceFilter } from '@vrouter/engine/control/trace-messages.ts';
import { BreathClock } from '@vrouter/engine/graph/breath-clock.ts';
import { Counters } from '@vrouter/engine/graph/counters.ts';
import type { Frame } from '@vrouter/engine/graph/frame.ts';
import { Graph, makeFrames, nodeNames } from '@vrouter/engine/graph/graph.ts';
import { inputNodes, isOneOf, outputNodes } from '@vrouter/engine/graph/plan.ts';
import { IpInput } from '@vrouter/engine/nodes/ip-input/ip-input.ts';
import { IpLookup } from '@vrouter/engine/nodes/ip-lookup/ip-lookup.ts';
import { IpRewrite } from '@vrouter/engine/nodes/ip-rewrite/ip-rewrite.ts';
import { LinkOutput } from '@vrouter/engine/nodes/link-output/link-output.ts';
import { AdjacencyKind } from '@vrouter/engine/state/adjacency.ts';
import { Forwarding, Link, Vrf } from '@vrouter/engine/state/forwarding.ts';
import { Tracer } from '@vrouter/engine/trace/tracer.ts';
import { Watching } from '@vrouter/engine/trace/watching.ts';
import type { BenchResult } from './result.ts';

const ROUNDS = 7;
const BATCHES = 400;
const PACKET = Uint8Array.fromHex('4500001f1c464000ff114ae90a4d00020a4d00030fa01388000b03af616263');
const GAP = 128;

interface Drain {
  take(): unknown;
}

export async function run(): Promise<BenchResult> {
  const { graph, counters, watching } = machine();
  const watches: { readonly [name: string]: () => Drain | null } = {
    off_ns: () => null,
    trace_none_ns: () => trace(watching, { source: '192.0.2.0/24' }),
    trace_all_ns: () => trace(watching, {}),
    capture_all_ns: () => capture(watching),
  };
  const ours: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, start] of Object.entries(watches)) {
      const watch = start();
      const ns = measure(graph, counters, watch);
      if (watch !== null) watching.endWatch(watch as Parameters<Watching['endWatch']>[0]);
      ours[name] = Math.min(ours[name] ?? Number.POSITIVE_INFINITY, Math.round(ns));
    }
  return {
    bench: 'trace',
    real: false,
    ours,
    peers: {},
    ratio: {},
    note: 'IP nodes alone, no crypto, no sockets; 31-byte packets',
  };
}

function trace(watching: Watching, filter: TraceFilter): Drain {
  const made = watching.trace(filter, () => {});
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
}

function capture(watching: Watching): Drain {
  const made = watching.capture({}, 65_535, () => {});
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
}

/** Nanoseconds per packet; rows are taken away as a reader would. */
function measure(graph: Graph, counters: Counters, watch: Drain | null): number {
  const { batch } = graph;
  const start = process.hrtime.bigint();
  for (let i = 0; i < BATCHES; i++) {
    batch.count = batch.capacity;
    graph.run('wireguard-input');
    if (i % 8 === 0) watch?.take();
  }
  const ns = Number(process.hrtime.bigint() - start);
  if (counters.drops.some((count) => count > 0)) throw new Error('packets were dropped');
  return ns / (BATCHES * batch.capacity);
}

/** The graph with a source and a sink in the places of WireGuard. */
function machine(): { readonly graph: Graph; readonly counters: Counters; readonly watching: Watching } {
  const forwarding = new Forwarding();
  const vrf = new Vrf(0, 'default', 0);
  const link = new Link(0, 'wg0', 0, 1420, true);
  link.operUp = true;
  forwarding.vrfs.push(vrf);
  forwarding.links.push(link);
  const network = parseIp('10.77.0.0');
  if (!network.ok) throw new Error('10.77.0.0');
  vrf.fib4.set(network.value, 24, forwarding.adjacencies.obtain(AdjacencyKind.link, 0, null));
  const counters = new Counters(nodeNames.length, 32);
  const frames = makeFrames();
  const batch = new PacketBatch();
  const region = makeRegion((batch.capacity + 1) * GAP);
  const source = {
    process(rows: PacketBatch, frame: Frame): void {
      for (let i = 0; i < frame.count; i++) {
        const row = frame.rows[i]!;
        const at = 64 + row * GAP;
        region.bytes.set(PACKET, at);
        rows.region[row] = region;
        rows.offset[row] = at;
        rows.length[row] = PACKET.length;
        rows.tailroom[row] = 32;
        rows.vrf[row] = 0;
        rows.ingress[row] = 0;
        rows.flags[row] = 0;
        frames['ip-input'].push(row);
      }
    },
  };
  const sink = { process(): void {} };
  const graph = new Graph(batch, counters, frames, {
    'wireguard-input': source,
    'tun-input': sink,
    'ethernet-input': sink,
    'neighbour-input': sink,
    'neighbour-lost': sink,
    'ethernet-output': sink,
    'ip-input': new IpInput(forwarding, counters, frames['source-check'], frames['ip-lookup']),
    'source-check': sink,
    'ip-lookup': new IpLookup(
      forwarding,
      counters,
      frames.local,
      frames['ip-rewrite'],
      frames['nat-in'],
      frames['icmp-error'],
    ),
    'nat-in': sink,
    local: sink,
    'ip-rewrite': new IpRewrite(forwarding, counters, frames['link-output'], frames['nat-out'], frames['icmp-error']),
    'nat-out': sink,
    'link-output': new LinkOutput(
      forwarding,
      counters,
      7,
      frames['wireguard-output'],
      frames['tun-output'],
      frames['ethernet-output'],
      frames['icmp-error'],
    ),
    'icmp-error': sink,
    'tun-output': sink,
    'wireguard-output': sink,
  });
  const tracer = new Tracer(
    forwarding,
    counters,
    new BreathClock({ now: () => millis(0), unixMs: () => 0 }),
    nodeNames.map((name) => ({ name, isInput: isOneOf(inputNodes, name), isOutput: isOneOf(outputNodes, name) })),
    nodeNames.map((name) => frames[name]),
  );
  return { graph, counters, watching: new Watching(graph, tracer, () => true) };
}
