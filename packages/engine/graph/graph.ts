/** Runs a batch through the nodes until no row waits. A node takes its whole frame at once. */
import type { PacketBatch } from '../batch/packet-batch.ts';
import type { Counters } from './counters.ts';
import { Frame } from './frame.ts';
import { graphPlan, type InputNode, inputNodes, type NodeName, nodeOrder } from './plan.ts';

/** A station of the graph. `process` handles every row of the frame: each is passed on, sent, or dropped with a reason. */
export interface GraphNode {
  process(batch: PacketBatch, frame: Frame): void;
}

/** Somebody who watches packets (`trace/`) and runs the nodes in the graph's stead, by their numbers. */
export interface GraphObserver {
  process(number: number, node: GraphNode, batch: PacketBatch, frame: Frame): void;
  /** A packet that another worker has handed over is about to go on here; `trace` is what it was watched under there, or 0. */
  adopt(batch: PacketBatch, row: number, trace: number): void;
}

export type Frames = { readonly [N in NodeName]: Frame };
export type Nodes = { readonly [N in NodeName]: GraphNode };

/** Nodes in the order in which they run; their numbers index `Counters.nodes`. */
export const nodeNames = nodeOrder(graphPlan, ...inputNodes) as readonly NodeName[];

/** One empty frame per node, made before the nodes that hold on to them. */
export function makeFrames(): Frames {
  return Object.fromEntries(nodeNames.map((name) => [name, new Frame()])) as Frames;
}

export class Graph {
  readonly batch: PacketBatch;
  /** Null unless somebody watches. */
  observer: GraphObserver | null;
  readonly #counters: Counters;
  readonly #frames: readonly Frame[];
  readonly #nodes: readonly GraphNode[];
  readonly #entries: { readonly [N in InputNode]: Frame };

  constructor(batch: PacketBatch, counters: Counters, frames: Frames, nodes: Nodes) {
    this.batch = batch;
    this.observer = null;
    this.#counters = counters;
    this.#frames = nodeNames.map((name) => frames[name]);
    this.#nodes = nodeNames.map((name) => nodes[name]);
    this.#entries = frames;
  }

  /** Puts all rows of the batch through, from this node on. Ends because a way back is taken at most twice per packet: an answer, an error. */
  run(input: InputNode): void {
    this.batch.begin();
    const entry = this.#entries[input];
    for (let row = 0; row < this.batch.count; row++) entry.push(row);
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
        if (this.observer === null) this.#nodes[i]!.process(this.batch, frame);
        else this.observer.process(i, this.#nodes[i]!, this.batch, frame);
        frame.count = 0;
      }
    }
  }
}
