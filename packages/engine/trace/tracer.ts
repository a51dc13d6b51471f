/**
 * Watches packets on their way through the graph, from outside of the nodes: while somebody watches, the graph has this object run its
 * nodes. A row that is watched goes through a node alone, so that what happened to it can be seen: in whose frame it stands now, which
 * reason was counted, what of its header changed. Rows that nobody asked for still go in bulk. Nobody watches: the graph does not
 * know of this, and the price is one comparison per node and batch.
 *
 *   input node      every row alone, because only now is known what it carries; a match starts a record
 *   other nodes     a step is added to the record; a row that moves on nowhere has ended, and its record becomes a row of the trace
 *
 * A row that is handed to another worker has ended here only: its record becomes a part, and the other worker's tracer goes on under
 * the same number (`adopt`).
 */
import type { PacketBatch } from '../batch/packet-batch.ts';
import type { BreathClock } from '../graph/breath-clock.ts';
import type { Counters } from '../graph/counters.ts';
import { Frame } from '../graph/frame.ts';
import type { GraphNode, GraphObserver } from '../graph/graph.ts';
import type { Forwarding } from '../state/forwarding.ts';
import type { Handoff } from '../workers/handoff.ts';
import { dropName, INNER_AT, isReadableDrop } from './drop-names.ts';
import { adjacencyFacts, inputFacts, isFrom, type Outlet, outletOf, senderOf } from './facts.ts';
import { changesOf, readHeader, type TraceHeader } from './header.ts';
import { hopOfTrace, idOfTrace, packTrace, TraceIds } from './parts.ts';
import { PacketRecord } from './record.ts';
import { type CaptureWatch, TRACE_ROW_BYTES, type TraceWatch } from './watch.ts';

export interface TracerNode {
  readonly name: string;
  readonly isInput: boolean;
  readonly isOutput: boolean;
}

export class Tracer implements GraphObserver {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #nodes: readonly TracerNode[];
  readonly #frames: readonly Frame[];
  readonly #traces: Set<TraceWatch>;
  readonly #captures: Set<CaptureWatch>;
  /** By row: what is known of a packet that somebody watches. */
  readonly #records: (PacketRecord | null)[];
  readonly #alone: Frame;
  readonly #bulk: Frame;
  /** Rows that each frame had before the node ran. */
  readonly #before: Int32Array;
  /** Longest piece of a packet that a capture wants; 0 without captures. */
  #snapLen: number;
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;
  readonly #ids: TraceIds;

  /** `nodes` and `frames` in the order in which nodes run. */
  constructor(
    forwarding: Forwarding,
    counters: Counters,
    clock: BreathClock,
    nodes: readonly TracerNode[],
    frames: readonly Frame[],
    handoff: Handoff | null = null,
  ) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#clock = clock;
    this.#nodes = nodes;
    this.#frames = frames;
    this.#traces = new Set();
    this.#captures = new Set();
    this.#records = [];
    this.#alone = new Frame(1);
    this.#bulk = new Frame();
    this.#before = new Int32Array(frames.length);
    this.#snapLen = 0;
    this.#handoff = handoff;
    this.#ids = new TraceIds(handoff?.index ?? 0);
  }

  get active(): boolean {
    return this.#traces.size + this.#captures.size > 0;
  }

  addTrace(watch: TraceWatch): void {
    this.#traces.add(watch);
  }

  addCapture(watch: CaptureWatch): void {
    this.#captures.add(watch);
    this.#measure();
  }

  remove(watch: TraceWatch | CaptureWatch): void {
    this.#traces.delete(watch as TraceWatch);
    this.#captures.delete(watch as CaptureWatch);
    this.#measure();
    if (!this.active) this.#records.fill(null);
  }

  #measure(): void {
    this.#snapLen = 0;
    for (const { snapLen } of this.#captures) this.#snapLen = Math.max(this.#snapLen, snapLen);
  }

  /** A packet that another worker has watched so far: whoever watches there, watches here, and the join knows whose it is. */
  adopt(batch: PacketBatch, row: number, trace: number): void {
    this.#records[row] = null;
    if (trace === 0) return;
    const watches = [...this.#traces].filter((watch) => !watch.done && !watch.full);
    if (watches.length === 0) return;
    const header = readHeader(batch.region[row]!, batch.offset[row]!, batch.length[row]!);
    const link = this.#linkName(batch.ingress[row]!);
    const record = new PacketRecord(this.#clock.unixMs, link, null, header, watches);
    record.id = idOfTrace(trace);
    record.hop = hopOfTrace(trace);
    this.#records[row] = record;
  }

  /** Has the node of this number process the frame. */
  process(number: number, node: GraphNode, batch: PacketBatch, frame: Frame): void {
    const all = this.#captures.size > 0 || this.#nodes[number]!.isInput;
    const bulk = this.#bulk;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      if (!all && (this.#records[row] ?? null) === null) {
        bulk.push(row);
        continue;
      }
      // Those before it go first: the order of packets is not ours to change.
      this.#runBulk(node, batch);
      this.#runAlone(number, node, batch, row);
    }
    this.#runBulk(node, batch);
  }

  #runBulk(node: GraphNode, batch: PacketBatch): void {
    if (this.#bulk.count === 0) return;
    node.process(batch, this.#bulk);
    this.#bulk.count = 0;
  }

  #runAlone(number: number, node: GraphNode, batch: PacketBatch, row: number): void {
    const what = this.#nodes[number]!;
    const region = batch.region[row]!;
    const at = batch.offset[row]!;
    const length = batch.length[row]!;
    const record = this.#records[row] ?? null;
    const header = what.isInput ? null : (record?.header ?? readHeader(region, at, length));
    // Before the node: it may seal the packet, or make its answer of it.
    const snap =
      this.#snapLen === 0 || what.isInput ? null : region.bytes.slice(at, at + Math.min(length, this.#snapLen));
    const outlet = what.isOutput ? outletOf(this.#forwarding, batch, row) : null;
    for (let i = 0; i < this.#frames.length; i++) this.#before[i] = this.#frames[i]!.count;
    this.#counters.lastDrop = 0;
    this.#alone.rows[0] = row;
    this.#alone.count = 1;
    const worker = this.#processAlone(node, batch, record);
    // A full outbox is sent in between, and what the kernel does not take of it is the drop of others.
    const noted = outlet?.sealed === true ? 0 : this.#counters.lastDrop;
    const drop = noted === 0 ? null : dropName(noted);
    const next = this.#nextOf(row);
    if (what.isInput) {
      this.#arrived(what, batch, row, drop, next, at, length);
      return;
    }
    if (snap !== null) {
      if (drop !== null) this.#capture(batch, row, 'drop', drop, header, snap, length, outlet);
      else if (what.isOutput && next < 0 && worker < 0)
        this.#capture(batch, row, 'out', null, header, snap, length, outlet);
    }
    if (record === null) return;
    // Whether it can be sealed, only its own worker knows.
    const facts: { [name: string]: string | number } = worker < 0 ? { ...outlet?.facts() } : { toWorker: worker };
    if (what.name === 'ip-lookup') Object.assign(facts, adjacencyFacts(this.#forwarding, batch, row));
    if (what.name === 'link-output') facts.link = this.#linkName(batch.egress[row]!);
    if (header !== null && next >= 0) {
      const after = readHeader(batch.region[row]!, batch.offset[row]!, batch.length[row]!);
      if (after !== null) Object.assign(facts, changesOf(header, after));
      record.header = after;
    }
    if (outlet !== null) record.outPeer = outlet.peer;
    if (what.isOutput || what.name === 'link-output') record.outLink = this.#linkName(batch.egress[row]!);
    record.step(what.name, facts, drop);
    this.#follow(record, what, batch, row);
    if (worker >= 0) this.#handedOn(row, record);
    else if (next < 0) this.#finish(row, record, what.isOutput ? 'sent' : 'consumed');
  }

  /** Returns the worker that the row was handed to, -1 when it was not. */
  #processAlone(node: GraphNode, batch: PacketBatch, record: PacketRecord | null): number {
    const handoff = this.#handoff;
    if (handoff === null) {
      node.process(batch, this.#alone);
      return -1;
    }
    if (record !== null && record.id === 0) record.id = this.#ids.next();
    handoff.trace = record === null ? 0 : packTrace(record.id, record.hop);
    handoff.lastWorker = -1;
    node.process(batch, this.#alone);
    handoff.trace = 0;
    return handoff.lastWorker;
  }

  /** The frame that the row stands in now, by node number; -1: none. */
  #nextOf(row: number): number {
    for (let i = 0; i < this.#frames.length; i++) {
      const frame = this.#frames[i]!;
      for (let j = this.#before[i]!; j < frame.count; j++) if (frame.rows[j] === row) return i;
    }
    return -1;
  }

  /** Other rows that the node has sent on: packets that it made because of this one. */
  #follow(record: PacketRecord, what: TracerNode, batch: PacketBatch, row: number): void {
    // Of a packet that came from another worker only the join knows who asked for it; for what was made of it its header must do.
    const watches =
      record.hop === 0 ? record.watches : record.watches.filter(({ filter }) => filter.header(record.header));
    for (let i = 0; i < this.#frames.length; i++) {
      const frame = this.#frames[i]!;
      for (let j = this.#before[i]!; j < frame.count; j++) {
        const made = frame.rows[j]!;
        if (made === row || (this.#records[made] ?? null) !== null) continue;
        const header = readHeader(batch.region[made]!, batch.offset[made]!, batch.length[made]!);
        const child = new PacketRecord(record.unixMs, record.link, record.peer, header, watches);
        child.step(what.name, { made: 'here' }, null);
        this.#records[made] = child;
      }
    }
  }

  #arrived(
    what: TracerNode,
    batch: PacketBatch,
    row: number,
    drop: string | null,
    next: number,
    at: number,
    length: number,
  ): void {
    this.#records[row] = null;
    // Consumed without a word: a handshake, a keepalive.
    if (next < 0 && drop === null) return;
    const region = batch.region[row]!;
    // A packet from a wrong address is refused after it was opened, and can be seen; others are still sealed.
    const inner = drop !== null && isReadableDrop(this.#counters.lastDrop) ? INNER_AT : 0;
    const from = next >= 0 ? batch.offset[row]! : at + inner;
    const room = next >= 0 ? batch.length[row]! : length - inner;
    const header = next >= 0 || inner > 0 ? readHeader(region, from, room) : null;
    const watches = this.#interested(header);
    if (watches === null && this.#snapLen === 0) return;
    const facts = inputFacts(this.#forwarding, batch, row, drop === null);
    const peer = typeof facts.peer === 'string' ? facts.peer : this.#suspect(batch, row);
    if (this.#snapLen > 0 && header !== null) {
      const snap = region.bytes.slice(from, from + Math.min(header.length, this.#snapLen));
      const link = this.#linkName(batch.ingress[row]!);
      this.#give(link, peer, null, drop === null ? 'in' : 'drop', drop, header, snap, header.length);
    }
    if (watches === null) return;
    const record = new PacketRecord(this.#clock.unixMs, this.#linkName(batch.ingress[row]!), peer, header, watches);
    record.step(what.name, facts, drop);
    if (next < 0) this.#finish(row, record, 'consumed');
    else this.#records[row] = record;
  }

  /** Of a datagram that was dropped before it was known whose it is: the peer that somebody asks for and that is at that endpoint. */
  #suspect(batch: PacketBatch, row: number): string | null {
    for (const watches of [this.#traces, this.#captures])
      for (const { filter } of watches)
        if (filter.peerKey !== null && isFrom(this.#forwarding, batch, row, filter.peerKey))
          return filter.peerKey.toBase64();
    return null;
  }

  /** Who wants to hear of a packet with this header, and has room to. */
  #interested(header: TraceHeader | null): TraceWatch[] | null {
    let watches: TraceWatch[] | null = null;
    for (const watch of this.#traces) {
      if (watch.done || !watch.filter.header(header)) continue;
      // A row that would find no room is not even begun: what a watch costs is bounded by what its reader takes.
      if (watch.full) watch.lost++;
      else {
        watches ??= [];
        watches.push(watch);
      }
    }
    return watches;
  }

  /** Where it went in the end is not known here, so nobody's filter can say no yet. */
  #handedOn(row: number, record: PacketRecord): void {
    this.#records[row] = null;
    const part = record.part('consumed', true);
    for (const watch of record.watches) watch.push(part, TRACE_ROW_BYTES);
  }

  #finish(row: number, record: PacketRecord, end: 'sent' | 'consumed'): void {
    this.#records[row] = null;
    if (record.hop > 0) {
      const part = record.part(end, false);
      for (const watch of record.watches) watch.push(part, TRACE_ROW_BYTES);
      return;
    }
    const result = record.row(end);
    for (const watch of record.watches) {
      const { filter } = watch;
      if (filter.drops && result.drop === null) continue;
      if (filter.place(record.link, record.peer, record.outLink, record.outPeer)) watch.push(result, TRACE_ROW_BYTES);
    }
  }

  #capture(
    batch: PacketBatch,
    row: number,
    direction: 'out' | 'drop',
    drop: string | null,
    header: TraceHeader | null,
    snap: Uint8Array,
    length: number,
    outlet: Outlet | null,
  ): void {
    const link = direction === 'out' ? batch.egress[row]! : this.#counters.lastDropLink;
    // Only a drop is looked for on the side that it came in by: otherwise that side has had its packet.
    const from = drop === null || header === null ? null : senderOf(this.#forwarding, batch, row, header.source);
    this.#give(this.#linkName(link), from, outlet?.peer ?? null, direction, drop, header, snap, length);
  }

  #give(
    link: string,
    inPeer: string | null,
    outPeer: string | null,
    direction: 'in' | 'out' | 'drop',
    drop: string | null,
    header: TraceHeader | null,
    snap: Uint8Array,
    length: number,
  ): void {
    for (const watch of this.#captures) {
      const { filter } = watch;
      if (filter.drops && drop === null) continue;
      if (!filter.header(header) || !filter.place(link, inPeer, null, outPeer)) continue;
      const data = snap.length > watch.snapLen ? snap.subarray(0, watch.snapLen) : snap;
      watch.push({ unixMs: this.#clock.unixMs, link, direction, drop, length, data }, data.length + 64);
    }
  }

  #linkName(index: number): string {
    return this.#forwarding.links[index]?.name ?? '';
  }
}
