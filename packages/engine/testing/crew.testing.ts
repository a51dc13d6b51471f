/**
 * Several workers in one thread, driven by hand and seen from outside as one engine. Worker 0 has the only UDP socket that hears, so that
 * everything for another worker comes to the wrong one first: steering must not matter.
 */
import { strict as assert } from 'node:assert';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import type { Problem } from '@vrouter/core/problem.ts';
import { ok, type Result } from '@vrouter/core/result.ts';
import { type Millis, millis } from '@vrouter/core/time.ts';
import { NEVER } from '../breath.ts';
import type { Action, CountersReply, DumpRow, NatSessionsReply, NeighboursReply, RowId } from '../control/messages.ts';
import type { TraceFilter } from '../control/trace-messages.ts';
import { Engine, type EngineSurroundings, ROWS_PER_PAGE, type TakePage } from '../engine.ts';
import type { DatagramSocket } from '../ports/datagram.ts';
import type { MemoryNetwork } from '../ports/memory.ts';
import { readCounters } from '../stats/reader.ts';
import { CaptureJoin, TraceJoin } from '../trace/join.ts';
import { CaptureWatch, type TraceWatch, Watch } from '../trace/watch.ts';
import { makeBells } from '../workers/bell.ts';
import { keeperEthernet, shadowEthernet } from '../workers/ethernet.ts';
import { joinResults, joinRows } from '../workers/join-rows.ts';
import { makeRing } from '../workers/ring.ts';
import { keeperOf } from '../workers/share.ts';
import { KeeperDoings, keeperTun, TunOutcomes } from '../workers/tun.ts';
import { ip } from './packets.testing.ts';

/** What tests ask of an engine, on however many workers. */
export type EngineInTests = Pick<
  Engine,
  | 'epoch'
  | 'apply'
  | 'dump'
  | 'look'
  | 'counters'
  | 'natSessions'
  | 'neighbours'
  | 'trace'
  | 'capture'
  | 'endWatch'
  | 'alarm'
  | 'close'
>;

interface JoinedWatch {
  readonly join: TraceJoin | CaptureJoin;
  readonly parts: readonly (TraceWatch | CaptureWatch)[];
}

export interface MemoryCrewOptions {
  readonly workers: number;
  readonly ringBytes?: number | undefined;
  /** Where worker 0 hears, and what the others send from. */
  readonly network: MemoryNetwork;
  readonly address: string;
  /** As of one engine. */
  readonly surroundings: EngineSurroundings;
}

export class MemoryCrew implements EngineInTests {
  readonly epoch = 'test';
  readonly engines: Engine[];
  readonly #surroundings: EngineSurroundings;
  /** When each worker wants to be called. */
  readonly #alarms: Millis[];
  readonly #watches: Map<TraceWatch | CaptureWatch, JoinedWatch>;

  constructor({ workers, ringBytes = 1 << 20, network, address, surroundings }: MemoryCrewOptions) {
    this.#surroundings = surroundings;
    this.engines = [];
    this.#alarms = new Array<Millis>(workers).fill(NEVER);
    this.#watches = new Map();
    const bells = makeBells(workers);
    const rings = Array.from({ length: workers }, (_, from) =>
      Array.from({ length: workers }, (_unused, to) => (from === to ? null : makeRing(ringBytes))),
    );
    // The others wait for what became of worker 0's sockets: all do the same actions, so they ask for the same.
    const opened: PromiseWithResolvers<DatagramSocket>[] = [];
    const number = (n: number): PromiseWithResolvers<DatagramSocket> => {
      opened[n] ??= Promise.withResolvers();
      return opened[n];
    };
    let firsts = 0;
    const first: EngineSurroundings['openUdp'] = (options) => {
      const socket = surroundings.openUdp(options);
      const { resolve, reject } = number(firsts++);
      socket.then(resolve, reject);
      return socket;
    };
    const mutes = (): EngineSurroundings['openUdp'] => {
      let asked = 0;
      return async () => mute(network, address, (await number(asked++).promise).localPort);
    };
    const outcomes = Array.from({ length: workers }, () => new TunOutcomes());
    for (let index = 0; index < workers; index++) {
      const { openTun, openEthernet } = surroundings;
      const told = (number: number, outcome: Problem | null): void => {
        for (const [other, one] of outcomes.entries()) if (other !== index) one.heard(number, outcome);
      };
      const doings = new KeeperDoings(told);
      const isKeeper = index === keeperOf(workers);
      const tun = isKeeper && openTun !== undefined ? keeperTun(openTun, doings) : outcomes[index]!.open;
      const ethernet =
        isKeeper && openEthernet !== undefined
          ? keeperEthernet(openEthernet, doings)
          : shadowEthernet(outcomes[index]!);
      this.engines.push(
        new Engine(
          {
            ...surroundings,
            openUdp: index === 0 ? first : mutes(),
            openTun: tun,
            openEthernet: ethernet,
            setAlarm: (at) => this.#setAlarm(index, at),
          },
          this.epoch,
          { index, workers, bells, rings },
        ),
      );
    }
  }

  async apply(actions: readonly Action[]): Promise<(Problem | null)[]> {
    const answers = await Promise.all(this.engines.map((engine) => engine.apply(actions)));
    for (const results of answers)
      assert.deepEqual(
        results.map((one) => one?.code),
        answers[0]!.map((one) => one?.code),
        'the workers agree',
      );
    return joinResults(actions.length, answers);
  }

  async look(only: readonly RowId[] | undefined, page: TakePage): Promise<void> {
    const rows = this.dump(only);
    for (let at = 0; at < rows.length; at += ROWS_PER_PAGE) page(rows.slice(at, at + ROWS_PER_PAGE));
  }

  dump(only?: readonly RowId[]): DumpRow[] {
    const keeper = keeperOf(this.engines.length);
    return joinRows(
      this.engines.map((engine, index) => (index === keeper ? engine.dump(only) : engine.ownPeers(only))),
      this.engines.length,
    );
  }

  counters(): CountersReply {
    return readCounters(this.engines.map((engine) => engine.readStats))!;
  }

  natSessions(limit: number): NatSessionsReply {
    for (const [index, engine] of this.engines.entries())
      if (index !== keeperOf(this.engines.length))
        assert.equal(engine.natSessions(0).total, 0, 'the keeper alone has any');
    return this.engines.at(-1)!.natSessions(limit);
  }

  neighbours(limit: number): NeighboursReply {
    return this.engines.at(-1)!.neighbours(limit);
  }

  trace(filter: TraceFilter, ready: () => void): Result<TraceWatch> {
    const { count: _, ...rest } = filter;
    const parts: TraceWatch[] = [];
    for (const engine of this.engines) {
      const part = engine.trace(rest, () => {});
      if (!part.ok) return part;
      parts.push(part.value);
    }
    const own = this.engines[0]!.trace(filter, () => {});
    if (!own.ok) return own;
    this.engines[0]!.endWatch(own.value);
    const watch: TraceWatch = new Watch(own.value.filter, ready);
    this.#watches.set(watch, { join: new TraceJoin(watch), parts });
    return ok(watch);
  }

  capture(filter: TraceFilter, snapLen: number, ready: () => void): Result<CaptureWatch> {
    const { count: _, ...rest } = filter;
    const parts: CaptureWatch[] = [];
    for (const engine of this.engines) {
      const part = engine.capture(rest, snapLen, () => {});
      if (!part.ok) return part;
      parts.push(part.value);
    }
    const own = this.engines[0]!.capture(filter, snapLen, () => {});
    if (!own.ok) return own;
    this.engines[0]!.endWatch(own.value);
    const watch = new CaptureWatch(own.value.filter, snapLen, ready);
    this.#watches.set(watch, { join: new CaptureJoin(watch), parts });
    return ok(watch);
  }

  endWatch(watch: TraceWatch | CaptureWatch): void {
    this.#join();
    for (const part of this.#watches.get(watch)?.parts ?? []) for (const engine of this.engines) engine.endWatch(part);
    this.#watches.delete(watch);
    watch.end();
  }

  /** Calls the workers whose time has come. */
  alarm(): void {
    for (const [index, at] of this.#alarms.entries())
      if (at <= this.#surroundings.clock.now()) {
        this.#alarms[index] = NEVER;
        this.engines[index]!.alarm();
      }
    this.#surroundings.setAlarm(millis(Math.min(...this.#alarms)));
  }

  /** Moves what waits in the rings; false when nothing did. */
  turn(): boolean {
    let busy = false;
    for (const engine of this.engines)
      if (engine.arrivalsWaiting) {
        engine.arrivals();
        busy = true;
      }
    if (!busy) this.#join();
    return busy;
  }

  async close(): Promise<void> {
    await Promise.all(this.engines.map((engine) => engine.close()));
  }

  #join(): void {
    for (const { join, parts } of this.#watches.values()) {
      for (const part of parts) {
        if (join instanceof TraceJoin) join.add((part as TraceWatch).take());
        else join.add((part as CaptureWatch).take());
        join.watch.lost += part.lost;
        part.lost = 0;
      }
      join.release(0, true);
    }
  }

  #setAlarm(index: number, at: Millis): void {
    this.#alarms[index] = at;
    this.#surroundings.setAlarm(millis(Math.min(...this.#alarms)));
  }
}

/** A socket that only sends. */
function mute(network: MemoryNetwork, address: string, port: number): DatagramSocket {
  return {
    refused: 0,
    localPort: port,
    receive: (rows) => {
      rows.count = 0;
      return 0;
    },
    send: (rows) => {
      for (let row = 0; row < rows.count; row++) {
        const at = rows.offset[row]!;
        const bytes = rows.region[row]!.bytes.slice(at, at + rows.length[row]!);
        network.pass(makeEndpoint(ip(address), port), rows.endpoint[row]!, bytes);
      }
      return rows.count;
    },
    onReadable: () => {},
    close: async () => {},
  };
}
