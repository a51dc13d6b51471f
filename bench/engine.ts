/** The engine in memory: what each node costs a packet, at 64 and 1500 B, with 10, 10,000 and 500,000 routes; bytes per route and peer. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { millis } from '@vrouter/core/time.ts';
import { makeRegion, PacketBatch } from '@vrouter/engine/batch/packet-batch.ts';
import type { Action } from '@vrouter/engine/control/messages.ts';
import { Engine } from '@vrouter/engine/engine.ts';
import { Counters } from '@vrouter/engine/graph/counters.ts';
import { Frame } from '@vrouter/engine/graph/frame.ts';
import type { GraphNode } from '@vrouter/engine/graph/graph.ts';
import { IpInput } from '@vrouter/engine/nodes/ip-input/ip-input.ts';
import { IpLookup } from '@vrouter/engine/nodes/ip-lookup/ip-lookup.ts';
import { IpRewrite } from '@vrouter/engine/nodes/ip-rewrite/ip-rewrite.ts';
import { LinkOutput } from '@vrouter/engine/nodes/link-output/link-output.ts';
import { MemoryNetwork } from '@vrouter/engine/ports/memory.ts';
import { AdjacencyKind } from '@vrouter/engine/state/adjacency.ts';
import { Forwarding, Link, Vrf } from '@vrouter/engine/state/forwarding.ts';
import { udpPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { fingerprint, generatePrivateKey, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import type { BenchResult } from './result.ts';

const SIZES = [64, 1500] as const;
const ROUTES = [10, 10_000, 500_000] as const;
/** Enough packets that their heads do not all lie in the first cache. */
const BATCHES = 32;
const ROWS = 256;
const TURNS = 20;
/** In a turn of one path, behind one that only warms the caches. */
const ROUNDS = 4;
/** The compiler's; they are not counted. */
const WARM_UP = 100;
const HEADROOM = 64;
const MEMORY_ROUTES = 500_000;
const MEMORY_PEERS = 5000;

/** Route n: a /24 of its own, spread over 1.0.0.0 to 126.255.255.255 (7919 shares no factor with how many there are). */
function prefixOf(n: number): Uint8Array {
  const high = (1 << 16) + ((n * 7919) % (126 << 16));
  return Uint8Array.of(high >> 16, (high >> 8) & 255, high & 255, 0);
}

/** The nodes between opening and sealing, in their order, each with a frame of its own. */
class Path {
  readonly names = ['ip-input', 'ip-lookup', 'ip-rewrite', 'link-output'] as const;
  readonly frames = this.names.map(() => new Frame());
  readonly out = new Frame();
  readonly nodes: readonly GraphNode[];
  readonly batches: PacketBatch[] = [];
  readonly #heads: Uint8Array;

  constructor(size: number, routes: number) {
    const forwarding = new Forwarding();
    const counters = new Counters(16, 32);
    const vrf = new Vrf(0, 'default', 0);
    const link = new Link(0, 'wg0', 0, 1500, true);
    link.operUp = true;
    forwarding.vrfs.push(vrf);
    forwarding.links.push(link);
    for (let n = 0; n < routes; n++)
      vrf.fib4.set(prefixOf(n), 24, forwarding.adjacencies.obtain(AdjacencyKind.link, 0, null));
    const [, lookup, rewrite, output] = this.frames as [Frame, Frame, Frame, Frame];
    this.nodes = [
      new IpInput(forwarding, counters, new Frame(), lookup),
      new IpLookup(forwarding, counters, new Frame(), rewrite, new Frame(), new Frame()),
      new IpRewrite(forwarding, counters, output, new Frame(), new Frame()),
      new LinkOutput(forwarding, counters, 7, this.out, new Frame(), new Frame(), new Frame()),
    ];
    const stride = size + 2 * HEADROOM;
    const region = makeRegion(BATCHES * ROWS * stride);
    this.#heads = new Uint8Array(BATCHES * ROWS * 20);
    for (let b = 0; b < BATCHES; b++) {
      const batch = new PacketBatch();
      for (let row = 0; row < ROWS; row++) {
        const i = b * ROWS + row;
        const to = prefixOf((i * 2_654_435_761) % routes).with(3, i & 255);
        const packet = udpPacket({ src: '10.0.0.1', dst: to.join('.') }, new Uint8Array(size - 28));
        batch.region[row] = region;
        batch.offset[row] = i * stride + HEADROOM;
        region.bytes.set(packet, i * stride + HEADROOM);
        this.#heads.set(packet.subarray(0, 20), i * 20);
      }
      batch.count = ROWS;
      this.batches.push(batch);
    }
    this.#reset(size);
  }

  /** Nanoseconds a packet of each node, over all batches once. */
  round(size: number): number[] {
    const spent = this.nodes.map(() => 0);
    for (const batch of this.batches) {
      for (let row = 0; row < ROWS; row++) this.frames[0]!.push(row);
      for (let n = 0; n < this.nodes.length; n++) {
        const start = process.hrtime.bigint();
        this.nodes[n]!.process(batch, this.frames[n]!);
        spent[n]! += Number(process.hrtime.bigint() - start);
        this.frames[n]!.count = 0;
      }
      if (this.out.count !== ROWS) throw new Error(`${ROWS - this.out.count} packets went astray`);
      this.out.count = 0;
    }
    this.#reset(size);
    return spent.map((ns) => ns / (BATCHES * ROWS));
  }

  /** As they came: TTL and checksum as before. */
  #reset(size: number): void {
    this.batches.forEach((batch, b) => {
      for (let row = 0; row < ROWS; row++) {
        const i = b * ROWS + row;
        batch.region[row]!.bytes.set(this.#heads.subarray(i * 20, i * 20 + 20), batch.offset[row]!);
        batch.length[row] = size;
        batch.tailroom[row] = HEADROOM;
      }
    });
  }
}

function pathNumbers(ours: Record<string, number>): void {
  const best = new Map<string, number>();
  const warm = new Path(64, 1000);
  for (let round = 0; round < WARM_UP; round++) warm.round(64);
  const paths = ROUTES.flatMap((routes) => SIZES.map((size) => ({ routes, size, path: new Path(size, routes) })));
  // In turns: a neighbour on the machine can spoil any stretch of time. What another path left in the caches is not ours to pay for.
  for (let turn = 0; turn < TURNS; turn++)
    for (const { routes, size, path } of paths) {
      path.round(size);
      for (let round = 0; round < ROUNDS; round++) {
        const spent = path.round(size);
        const total = spent.reduce((a, b) => a + b, 0);
        const key = `mpps_${size}_at_${routes}`;
        best.set(key, Math.max(best.get(key) ?? 0, 1000 / total));
        path.names.forEach((name, n) => {
          const node = `${name.replace('-', '_')}_ns_${size}_at_${routes}`;
          best.set(node, Math.min(best.get(node) ?? Number.POSITIVE_INFINITY, spent[n]!));
        });
      }
    }
  for (const [key, value] of best) ours[key] = Number(value.toFixed(2));
}

function collector(): () => Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return async () => {
    // Twice, with a turn between: memory of typed arrays is given back behind the collection.
    collect();
    await new Promise((resolve) => setTimeout(resolve, 100));
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
}

async function memoryNumbers(ours: Record<string, number>): Promise<void> {
  const bytes = collector();
  const network = new MemoryNetwork();
  const engine = new Engine(
    {
      clock: { now: () => millis(performance.now()), unixMs: () => Date.now() },
      crypto: systemCrypto(),
      rng: systemRng(),
      fingerprint,
      openUdp: network.host('192.0.2.1'),
      setAlarm: () => {},
      pause: () => new Promise((resolve) => setImmediate(resolve)),
    },
    'bench',
  );
  const apply = async (count: number, make: (n: number) => Action): Promise<number> => {
    const start = performance.now();
    for (let at = 0; at < count; at += 1000) {
      const actions = Array.from({ length: Math.min(1000, count - at) }, (_, i) => make(at + i));
      const failed = (await engine.apply(actions)).find((problem) => problem !== null);
      if (failed) throw new Error(failed.message);
    }
    return (count * 1000) / (performance.now() - start);
  };
  await apply(1, () => ({ do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true }));
  const privateKey = generatePrivateKey().toBase64();
  await apply(1, () => ({ do: 'wireguard.set', link: 'wg0', listenPort: 51820, privateKey }));
  const empty = await bytes();
  const peersPerS = await apply(MEMORY_PEERS, (n) => ({
    do: 'peer.set',
    link: 'wg0',
    publicKey: generatePrivateKey().toBase64(),
    presharedKey: null,
    allowedIps: [`100.64.${n >> 8}.${n & 255}/32`],
    persistentKeepalive: 0,
  }));
  const withPeers = await bytes();
  const routesPerS = await apply(MEMORY_ROUTES, (n) => ({
    do: 'route.set',
    vrf: 'default',
    prefix: `${prefixOf(n).join('.')}/24`,
    link: 'wg0',
    nextHop: null,
  }));
  const withRoutes = await bytes();
  const routes = engine.dump().filter((row) => row.is === 'route').length;
  ours.bytes_per_peer = Math.round((withPeers - empty) / MEMORY_PEERS);
  ours.bytes_per_route = Math.round((withRoutes - withPeers) / routes);
  ours.peers_per_s = Math.round(peersPerS);
  ours.routes_per_s = Math.round(routesPerS);
  await engine.close();
}

export async function run(): Promise<BenchResult> {
  const ours: Record<string, number> = {};
  await memoryNumbers(ours);
  pathNumbers(ours);
  return {
    bench: 'engine',
    real: false,
    ours,
    peers: {},
    ratio: {},
    note: 'IP path in memory, without opening and sealing (bench aead has those); best round of each node, so mpps is a little below 1000 / their sum; memory after a collection, through the control actions',
  };
}
