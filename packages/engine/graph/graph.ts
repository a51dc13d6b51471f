/** Runs a batch through the nodes until no row waits. A node takes its whole frame at once. */
import type { PacketBatch } from '../batch/packet-batch.ts';
import type { Counters } from './counters.ts';
import { Frame } from './frame.ts';
import { graphPlan, type NodeName, nodeOrder } from './plan.ts';

/** A station of the graph. `process` handles every row of the frame: each is passed on, sent, or dropped with a reason. */
export interface GraphNode {
  process(batch: PacketBatch, frame: Frame): void;
}

export type Frames = { readonly [N in NodeName]: Frame };
export type Nodes = { readonly [N in NodeName]: GraphNode };

/** Nodes in the order in which they run; their numbers index `Counters.nodes`. */
export const nodeNames = nodeOrder(graphPlan, 'wireguard-input') as readonly NodeName[];

/** One empty frame per node, made before the nodes that hold on to them. */
export function makeFrames(): Frames {
  return Object.fromEntries(nodeNames.map((name) => [name, new Frame()])) as Frames;
}

export class Graph {
  readonly batch: PacketBatch;
  readonly #counters: Counters;
  readonly #frames: readonly Frame[];
  readonly #nodes: readonly GraphNode[];
  readonly #entry: Frame;

  constructor(batch: PacketBatch, counters: Counters, frames: Frames, nodes: Nodes) {
    this.batch = batch;
    this.#counters = counters;
    this.#frames = nodeNames.map((name) => frames[name]);
    this.#nodes = nodeNames.map((name) => nodes[name]);
    this.#entry = frames['wireguard-input'];
  }

  /** Puts all rows of the batch through. Ends because a way back is taken at most once per packet. */
  run(): void {
    for (let row = 0; row < this.batch.count; row++) this.#entry.push(row);
    this.runPending();
  }

  /** Goes on with rows that already wait in frames. */
  runPending(): void {
    for (let pending = true; pending; ) {
      pending = false;
      for (let i = 0; i < this.#nodes.length; i++) {
        const frame = this.#frames[i]!;
        if (frame.count === 0) continue;
        pending = true;
        this.#counters.nodes[i] = this.#counters.nodes[i]! + frame.count;
        this.#nodes[i]!.process(this.batch, frame);
        frame.count = 0;
      }
    }
  }
}
