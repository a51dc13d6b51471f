/** The packet machine, whole: graph, tables and breath, wired. Everything it needs of the world comes in one object. */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Clock, Millis } from '@vrouter/core/time.ts';
import { WIREGUARD_DROPS } from '@vrouter/protocols/wireguard/drops.ts';
import { PacketBatch } from './batch/packet-batch.ts';
import { Breath } from './breath.ts';
import type { Action, CountersReply, DumpRow, RowId } from './control/messages.ts';
import { BreathClock } from './graph/breath-clock.ts';
import { type CounterColumns, Counters, sharedColumn } from './graph/counters.ts';
import { type CountedLink, countersReply } from './graph/counters-reply.ts';
import { Graph, makeFrames, nodeNames } from './graph/graph.ts';
import { IpInput } from './nodes/ip-input/ip-input.ts';
import { IpLookup } from './nodes/ip-lookup/ip-lookup.ts';
import { IpRewrite } from './nodes/ip-rewrite/ip-rewrite.ts';
import { LinkOutput } from './nodes/link-output/link-output.ts';
import { Local } from './nodes/local/local.ts';
import { WireguardInput } from './nodes/wireguard-input/wireguard-input.ts';
import { WireguardOutput } from './nodes/wireguard-output/wireguard-output.ts';
import { Outbox } from './ports/wireguard/outbox.ts';
import { Forwarding } from './state/forwarding.ts';
import { Tables } from './tables/tables.ts';
import { type WireguardSurroundings, WireguardTable } from './tables/wireguard.ts';
import { Arrivals } from './workers/arrivals.ts';
import { Handoff } from './workers/handoff.ts';
import type { Share } from './workers/share.ts';

/** Actions done before packets have a turn again: about a millisecond's worth. */
const ACTIONS_PER_BREATH = 256;

export interface EngineSurroundings extends WireguardSurroundings {
  readonly clock: Clock;
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
  readonly #tables: Tables;
  readonly #breath: Breath;
  /** Null where there is one worker. */
  readonly #arrivals: Arrivals | null;
  /** The end of the queue of applies: they never interleave, whoever asks. */
  #last: Promise<unknown>;
  #closed: boolean;

  /** `share`: what this engine has in common with the other workers; null for one that is alone. */
  constructor(surroundings: EngineSurroundings, epoch: string, share: Share | null = null) {
    this.epoch = epoch;
    this.#surroundings = surroundings;
    const clock = new BreathClock(surroundings.clock);
    const counters = new Counters(nodeNames.length, WIREGUARD_DROPS, share === null ? undefined : sharedColumn);
    const handoff = share === null ? null : new Handoff(share, counters);
    const forwarding = new Forwarding();
    const outbox = new Outbox(counters);
    const frames = makeFrames();
    const graph = new Graph(new PacketBatch(), counters, frames, {
      'wireguard-input': new WireguardInput(forwarding, counters, clock, frames['ip-input'], handoff),
      'ip-input': new IpInput(counters, frames['ip-lookup']),
      'ip-lookup': new IpLookup(forwarding, counters, frames.local, frames['ip-rewrite']),
      local: new Local(counters, frames['ip-lookup']),
      'ip-rewrite': new IpRewrite(counters, frames['link-output']),
      'link-output': new LinkOutput(forwarding, counters, frames['wireguard-output']),
      'wireguard-output': new WireguardOutput(forwarding, counters, clock, outbox, handoff),
    });
    const breath = new Breath(clock, graph, outbox, forwarding, (at) => surroundings.setAlarm(at), handoff);
    this.#counters = counters;
    this.#breath = breath;
    this.#arrivals =
      share === null
        ? null
        : new Arrivals(share, forwarding, counters, frames['wireguard-input'], frames['link-output']);
    const wireguard = new WireguardTable(
      surroundings,
      clock,
      outbox,
      (port) => breath.readable(port),
      counters.wireguardDrops,
      handoff,
    );
    this.#tables = new Tables(forwarding, counters, wireguard);
    this.#last = Promise.resolve();
    this.#closed = false;
  }

  /** Does the actions in order, one answer each: null when done, else why not. One that fails changes nothing and stops nothing. */
  apply(actions: readonly Action[]): Promise<(Problem | null)[]> {
    if (this.#closed)
      return Promise.resolve(actions.map(() => problem('engine.unreachable', 'the engine is stopping')));
    return this.#enqueue(actions);
  }

  #enqueue(actions: readonly Action[]): Promise<(Problem | null)[]> {
    const done = this.#last.then(() => this.#applyAll(actions));
    // Whoever asked hears of a failure; the next in the queue must not.
    this.#last = done.catch(() => null);
    return done;
  }

  /** All rows, or those of the named that exist. */
  dump(only?: readonly RowId[]): DumpRow[] {
    return this.#tables.dump(only);
  }

  /** The rows of the peers that live on this worker, or of those among the named. */
  ownPeers(only?: readonly RowId[]): DumpRow[] {
    return this.#tables.ownPeers(only);
  }

  counters(): CountersReply {
    return countersReply(this.epoch, this.#tables.links(), [this.#counters]);
  }

  /** The counters themselves, in shared memory when the engine is a worker. To be asked again after links have changed. */
  counterColumns(): CounterColumns {
    return this.#counters.columns();
  }

  /** The links that have counters. */
  links(): readonly CountedLink[] {
    return [...this.#tables.links()].map(({ name, index }) => ({ name, index }));
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
    }
    await this.#enqueue(actions);
  }

  async #applyAll(actions: readonly Action[]): Promise<(Problem | null)[]> {
    const results: (Problem | null)[] = [];
    for (const action of actions) {
      const outcome = this.#tables.apply(action);
      results.push(outcome instanceof Promise ? await outcome : outcome);
      if (results.length % ACTIONS_PER_BREATH === 0) await this.#surroundings.pause();
    }
    // A new peer may have something to say: a keepalive, a handshake.
    if (!this.#closed) this.#breath.tick();
    return results;
  }
}
