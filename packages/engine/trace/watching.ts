/** Starts and ends watches, and lets the graph know whether anybody watches. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import type { TraceFilter } from '../control/trace-messages.ts';
import type { Graph } from '../graph/graph.ts';
import { PacketFilter } from './filter.ts';
import type { Tracer } from './tracer.ts';
import { CaptureWatch, type TraceWatch, Watch } from './watch.ts';

/** The longest IP packet without jumbograms. */
export const MAX_SNAP_LEN = 65_535;

/** Why a capture cannot keep so much of each packet; null when it can. */
export function checkSnapLen(snapLen: number): Problem | null {
  if (Number.isInteger(snapLen) && snapLen >= 1 && snapLen <= MAX_SNAP_LEN) return null;
  return problem('input.invalid', `snapLen must be a whole number from 1 to ${MAX_SNAP_LEN}`, 'snapLen');
}

/** What a control session needs of an engine to serve those who watch. */
export interface WatchTarget {
  trace(filter: TraceFilter, ready: () => void): Result<TraceWatch> | Promise<Result<TraceWatch>>;
  capture(
    filter: TraceFilter,
    snapLen: number,
    ready: () => void,
  ): Result<CaptureWatch> | Promise<Result<CaptureWatch>>;
  /** Nothing is seen any more. The watch is `done` when nothing more will come to it, at once or in a moment (`ready` is called). */
  endWatch(watch: TraceWatch | CaptureWatch): void;
}

export class Watching implements WatchTarget {
  readonly #graph: Graph;
  readonly #tracer: Tracer;
  readonly #linkExists: (name: string) => boolean;

  constructor(graph: Graph, tracer: Tracer, linkExists: (name: string) => boolean) {
    this.#graph = graph;
    this.#tracer = tracer;
    this.#linkExists = linkExists;
  }

  trace(filter: TraceFilter, ready: () => void): Result<TraceWatch> {
    const made = PacketFilter.of(filter, this.#linkExists);
    if (!made.ok) return made;
    const watch: TraceWatch = new Watch(made.value, ready);
    this.#tracer.addTrace(watch);
    this.#graph.observer = this.#tracer;
    return ok(watch);
  }

  capture(filter: TraceFilter, snapLen: number, ready: () => void): Result<CaptureWatch> {
    const made = PacketFilter.of(filter, this.#linkExists);
    if (!made.ok) return made;
    const bad = checkSnapLen(snapLen);
    if (bad !== null) return err(bad);
    const watch = new CaptureWatch(made.value, snapLen, ready);
    this.#tracer.addCapture(watch);
    this.#graph.observer = this.#tracer;
    return ok(watch);
  }

  endWatch(watch: TraceWatch | CaptureWatch): void {
    watch.end();
    this.#tracer.remove(watch);
    if (!this.#tracer.active) this.#graph.observer = null;
  }
}
