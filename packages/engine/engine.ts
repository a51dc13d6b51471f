/** The packet machine, whole: graph, tables and breath, wired. Everything it needs of the world comes in one object. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';
import type { Clock, Millis } from '@vrouter/core/time.ts';
import { WIREGUARD_DROPS } from '@vrouter/protocols/wireguard/drops.ts';
import { PeerRecords } from '@vrouter/protocols/wireguard/records.ts';
import { BATCH_ROWS, MADE_BYTES, PacketBatch, SPARE_ROWS } from './batch/packet-batch.ts';
import { Breath } from './breath.ts';
import type { Action, CountersReply, DumpRow, NatSessionsReply, NeighboursReply, RowId } from './control/messages.ts';
import type { TraceFilter } from './control/trace-messages.ts';
import { BreathClock } from './graph/breath-clock.ts';
import { Counters } from './graph/counters.ts';
import { Graph, makeFrames, nodeNames } from './graph/graph.ts';
import { inputNodes, isOneOf, outputNodes } from './graph/plan.ts';
import { Nat } from './nat/nat.ts';
import { defaultNatSettings, type NatSettings } from './nat/settings.ts';
import { EthernetInput } from './nodes/ethernet-input/ethernet-input.ts';
import { EthernetOutput } from './nodes/ethernet-output/ethernet-output.ts';
import { IcmpError } from './nodes/icmp-error/icmp-error.ts';
import { IpInput } from './nodes/ip-input/ip-input.ts';
import { IpLookup } from './nodes/ip-lookup/ip-lookup.ts';
import { IpRewrite } from './nodes/ip-rewrite/ip-rewrite.ts';
import { LinkOutput } from './nodes/link-output/link-output.ts';
import { Local } from './nodes/local/local.ts';
import { NatIn } from './nodes/nat-in/nat-in.ts';
import { NatOut } from './nodes/nat-out/nat-out.ts';
import { NeighbourInput } from './nodes/neighbour-input/neighbour-input.ts';
import { NeighbourLost } from './nodes/neighbour-lost/neighbour-lost.ts';
import { SourceCheckNode } from './nodes/source-check/source-check.ts';
import { TunInput } from './nodes/tun-input/tun-input.ts';
import { TunOutput } from './nodes/tun-output/tun-output.ts';
import { WireguardInput } from './nodes/wireguard-input/wireguard-input.ts';
import { WireguardOutput } from './nodes/wireguard-output/wireguard-output.ts';
import { LostPackets } from './ports/ethernet/lost.ts';
import { Outbox } from './ports/wireguard/outbox.ts';
import { Forwarding } from './state/forwarding.ts';
import { directoryOf, type WhoseStats } from './stats/directory.ts';
import { type ReadStats, readCounters } from './stats/reader.ts';
import { StatsSegment } from './stats/segment.ts';
import { type EthernetSurroundings, EthernetTable } from './tables/ethernet.ts';
import { Tables } from './tables/tables.ts';
import { type TunSurroundings, TunTable } from './tables/tun.ts';
import { type WireguardSurroundings, WireguardTable } from './tables/wireguard.ts';
import { Tracer } from './trace/tracer.ts';
import type { CaptureWatch, TraceWatch } from './trace/watch.ts';
import { Watching } from './trace/watching.ts';
import { Arrivals } from './workers/arrivals.ts';
import { Handoff } from './workers/handoff.ts';
import type { Share } from './workers/share.ts';

/** Actions done before packets have a turn again: about a millisecond's worth. */
const ACTIONS_PER_BREATH = 256;
/** Where nobody else looks: room for some thousand peers' records, and others are counted beside it. */
const PRIVATE_STATS_BYTES = 1 << 20;
/** Takes a page of rows, which are its own from then on. */
export type TakePage = (rows: readonly DumpRow[]) => void;

/** Rows made before packets have a turn again: a fraction of a millisecond's worth, text included. */
export const ROWS_PER_PAGE = 64;

export interface EngineSurroundings extends WireguardSurroundings, TunSurroundings, EthernetSurroundings {
  readonly clock: Clock;
  /** Knobs of NAT that are not the usual ones. */
  readonly nat?: Partial<NatSettings>;
  /** Zeros for the counters, perhaps where others can read them (`stats/layout.ts`); private memory, and little of it, if left out. */
  readonly stats?: ArrayBuffer | SharedArrayBuffer;
  /** Have `Engine.alarm` called at this time, once, instead of at the time asked for before. */
  setAlarm(at: Millis): void;
  /** Lets the event loop serve sockets before going on. */
  pause(): Promise<void>;
}

export class Engine {
  /** Another value, another life. */
  readonly epoch: string;
  readonly #surroundings: EngineSurroundings;
  readonly #counters: Counters;
  readonly #segment: StatsSegment;
  readonly #whose: WhoseStats;
  /** What the segment's text does not say yet. */
  #linksChanged: boolean;
  #pagesTold: number;
  readonly #tables: Tables;
  readonly #breath: Breath;
  readonly #watching: Watching;
  /** Null where there is one worker. */
  readonly #arrivals: Arrivals | null;
  /** The end of the queue of applies and looks: they never interleave, whoever asks. */
  #last: Promise<unknown>;
  #closed: boolean;

  /** `share`: what this engine has in common with the other workers; null for one that is alone. */
  constructor(surroundings: EngineSurroundings, epoch: string, share: Share | null = null) {
    this.epoch = epoch;
    this.#surroundings = surroundings;
    const clock = new BreathClock(surroundings.clock);
    const segment = new StatsSegment(surroundings.stats ?? new ArrayBuffer(PRIVATE_STATS_BYTES));
    const counters = new Counters(nodeNames.length, WIREGUARD_DROPS, (length) => segment.column(length));
    this.#segment = segment;
    this.#whose = { epoch, worker: share?.index ?? 0, workers: share?.workers ?? 1 };
    const handoff = share === null ? null : new Handoff(share, counters);
    const forwarding = new Forwarding();
    const outbox = new Outbox(counters);
    const seed = surroundings.rng.uint32();
    const nat = new Nat({ ...defaultNatSettings, ...surroundings.nat }, surroundings.rng);
    const frames = makeFrames();
    const errors = frames['icmp-error'];
    const graph = new Graph(new PacketBatch(BATCH_ROWS, SPARE_ROWS, MADE_BYTES), counters, frames, {
      'wireguard-input': new WireguardInput(forwarding, counters, clock, frames['ip-input'], handoff),
      'tun-input': new TunInput(forwarding, counters, frames['ip-input']),
      'ethernet-input': new EthernetInput(forwarding, counters, frames['ip-input'], frames['neighbour-input']),
      'neighbour-input': new NeighbourInput(forwarding, counters, clock),
      'neighbour-lost': new NeighbourLost(forwarding, counters, errors),
      'ip-input': new IpInput(forwarding, counters, frames['source-check'], frames['ip-lookup']),
      'source-check': new SourceCheckNode(forwarding, counters, frames['ip-lookup']),
      'ip-lookup': new IpLookup(forwarding, counters, frames.local, frames['ip-rewrite'], frames['nat-in'], errors),
      'nat-in': new NatIn(nat, counters, clock, frames['ip-lookup'], frames.local, handoff),
      local: new Local(counters, clock, errors, frames['ip-lookup']),
      'ip-rewrite': new IpRewrite(forwarding, counters, frames['link-output'], frames['nat-out'], errors),
      'nat-out': new NatOut(nat, counters, clock, frames['link-output'], handoff),
      'link-output': new LinkOutput(
        forwarding,
        counters,
        seed,
        frames['wireguard-output'],
        frames['tun-output'],
        frames['ethernet-output'],
        errors,
      ),
      'wireguard-output': new WireguardOutput(forwarding, counters, clock, outbox, errors, handoff),
      'tun-output': new TunOutput(forwarding, counters, handoff),
      'ethernet-output': new EthernetOutput(forwarding, counters, clock, errors, handoff),
      'icmp-error': new IcmpError(forwarding, counters, clock, seed, frames['ip-lookup'], share?.workers),
    });
    const lost = new LostPackets();
    const breath = new Breath(clock, graph, outbox, forwarding, lost, (at) => surroundings.setAlarm(at), handoff);
    const tracer = new Tracer(
      forwarding,
      counters,
      clock,
      nodeNames.map((name) => ({ name, isInput: isOneOf(inputNodes, name), isOutput: isOneOf(outputNodes, name) })),
      nodeNames.map((name) => frames[name]),
      handoff,
    );
    this.#watching = new Watching(graph, tracer, (name) => forwarding.links.some((link) => link?.name === name));
    this.#counters = counters;
    this.#breath = breath;
    this.#arrivals = share === null ? null : new Arrivals(share, forwarding, counters, graph, frames);
    const wireguard = new WireguardTable(
      surroundings,
      clock,
      outbox,
      (port) => breath.readable(port),
      counters.wireguardDrops,
      new PeerRecords(segment),
      handoff,
    );
    const tun = new TunTable(surroundings, counters, (port) => breath.readable(port));
    const ethernet = new EthernetTable(
      surroundings,
      forwarding,
      counters,
      lost,
      () => surroundings.clock.now(),
      (port) => breath.readable(port),
      () => breath.tick(),
    );
    this.#tables = new Tables(forwarding, counters, wireguard, tun, ethernet, nat);
    this.#last = Promise.resolve();
    this.#closed = false;
    this.#linksChanged = false;
    this.#pagesTold = 0;
    this.#tellStats();
  }

  /** Does the actions in order, one answer each: null when done, else why not. One that fails changes nothing and stops nothing. */
  apply(actions: readonly Action[]): Promise<(Problem | null)[]> {
    if (this.#closed)
      return Promise.resolve(actions.map(() => problem('engine.unreachable', 'the engine is stopping')));
    return this.#inTurn(() => this.#applyAll(actions));
  }

  /** Whatever changes the tables, or must not see them change, comes one after the other. */
  #inTurn<T>(doing: () => Promise<T>): Promise<T> {
    const done = this.#last.then(doing);
    // Whoever asked hears of a failure; the next in the queue must not.
    this.#last = done.catch(() => null);
    return done;
  }

  /** All rows, or those of the named that exist, at once: packets wait meanwhile. */
  dump(only?: readonly RowId[]): DumpRow[] {
    return [...this.#tables.rows(only)];
  }

  /**
   * The same without making packets wait: a page of rows, then whatever has come, then the next. Actions wait until it is done, so the
   * rows fit together; what peers have learnt and counted is of the moment at which their row was made.
   */
  look(only: readonly RowId[] | undefined, page: TakePage): Promise<void> {
    return this.#inTurn(() => this.#inPages(this.#tables.rows(only), page));
  }

  /** As `look`, at the peers that live on this worker, or at those among the named. */
  lookAtOwnPeers(only: readonly RowId[] | undefined, page: TakePage): Promise<void> {
    return this.#inTurn(() => this.#inPages(this.#tables.ownPeers(only), page));
  }

  async #inPages(all: Iterable<DumpRow>, page: TakePage): Promise<void> {
    let rows: DumpRow[] = [];
    for (const row of all) {
      rows.push(row);
      if (rows.length < ROWS_PER_PAGE) continue;
      page(rows);
      rows = [];
      await this.#surroundings.pause();
    }
    if (rows.length > 0) page(rows);
  }

  /** NAT sessions, at most `limit` of them, and how many there are. */
  natSessions(limit: number): NatSessionsReply {
    return this.#tables.nat.sessions(limit, this.#surroundings.clock.now());
  }

  /** Ethernet ports and at most `limit` of their neighbours. */
  neighbours(limit: number): NeighboursReply {
    return this.#tables.neighbours(limit, this.#surroundings.clock.now());
  }

  /** Packets that match, with the nodes that they visit. Errors name a field of the filter. End it with `endWatch`. */
  trace(filter: TraceFilter, ready: () => void): Result<TraceWatch> {
    return this.#watching.trace(filter, ready);
  }

  /** Packets that match, themselves; at most `snapLen` bytes of each. */
  capture(filter: TraceFilter, snapLen: number, ready: () => void): Result<CaptureWatch> {
    return this.#watching.capture(filter, snapLen, ready);
  }

  endWatch(watch: TraceWatch | CaptureWatch): void {
    this.#watching.endWatch(watch);
  }

  /** The rows of the peers that live on this worker, or of those among the named. */
  ownPeers(only?: readonly RowId[]): DumpRow[] {
    return [...this.#tables.ownPeers(only)];
  }

  counters(): CountersReply {
    return readCounters([this.readStats])!;
  }

  /** Reads the memory that the counters lie in. */
  get readStats(): ReadStats {
    return this.#segment.read;
  }

  #tellStats(): void {
    this.#pagesTold = this.#segment.pageCount;
    this.#segment.tell(directoryOf(this.#segment, this.#counters, this.#tables.links(), this.#whose));
  }

  /** Whether other workers have handed something over. */
  get arrivalsWaiting(): boolean {
    return !this.#closed && this.#arrivals?.waiting === true;
  }

  /** Takes what other workers have handed over; true when there may be more. To be called when the bell has rung. */
  arrivals(): boolean {
    return !this.#closed && this.#arrivals !== null && this.#breath.arrived(this.#arrivals);
  }

  /** To be called when the alarm rings. */
  alarm(): void {
    if (!this.#closed) this.#breath.alarm();
  }

  /** Takes everything down: sockets closed, keys erased. Safe to call again. */
  async close(): Promise<void> {
    this.#closed = true;
    // What was asked for before still comes to its end.
    await this.#last;
    const actions: Action[] = [];
    for (const row of this.dump()) {
      if (row.is === 'peer') actions.unshift({ do: 'peer.remove', link: row.link, publicKey: row.publicKey });
      if (row.is === 'wireguard') actions.push({ do: 'wireguard.remove', link: row.link });
      // Without its device: what stands on the link is nobody's concern any more.
      if (row.is === 'link' && row.type !== 'wireguard') {
        const { is: _, index: __, operUp: ___, ...link } = row;
        actions.push({ do: 'link.set', ...link, adminUp: false });
      }
    }
    await this.#inTurn(() => this.#applyAll(actions));
  }

  #settle(): void {
    this.#tables.settle();
    if (!this.#linksChanged && this.#segment.pageCount === this.#pagesTold) return;
    this.#linksChanged = false;
    this.#tellStats();
  }

  async #applyAll(actions: readonly Action[]): Promise<(Problem | null)[]> {
    const results: (Problem | null)[] = [];
    for (const action of actions) {
      if (action.do.startsWith('link.')) this.#linksChanged = true;
      const outcome = this.#tables.apply(action);
      results.push(outcome instanceof Promise ? await outcome : outcome);
      if (results.length % ACTIONS_PER_BREATH !== 0) continue;
      this.#settle();
      await this.#surroundings.pause();
    }
    this.#settle();
    // A new peer may have something to say: a keepalive, a handshake.
    if (!this.#closed) this.#breath.tick();
    return results;
  }
}
