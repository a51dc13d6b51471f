/** The engine on the main thread: what there was before there were workers, and still is where one is enough. */
import type { Problem } from '@vrouter/core/problem.ts';
import type { Result } from '@vrouter/core/result.ts';
import type {
  Action,
  CountersReply,
  NatSessionsReply,
  NeighboursReply,
  RowId,
} from '@vrouter/engine/control/messages.ts';
import type { TraceFilter } from '@vrouter/engine/control/trace-messages.ts';
import { Engine, type TakePage } from '@vrouter/engine/engine.ts';
import type { CaptureWatch, TraceWatch } from '@vrouter/engine/trace/watch.ts';
import { systemClock } from '@vrouter/host/clock/clock.ts';
import { fingerprint, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { Alarm } from '../alarm.ts';
import { openEthernet } from '../ethernet.ts';
import { openStats, type StatsMemory } from '../stats.ts';
import { openTun } from '../tun.ts';
import type { Machine } from './machine.ts';

export class Alone implements Machine {
  readonly epoch: string;
  readonly #alarm: Alarm;
  readonly #engine: Engine;

  constructor(epoch: string, stats: StatsMemory) {
    this.epoch = epoch;
    const clock = systemClock();
    this.#alarm = new Alarm(() => this.#engine.alarm(), clock.now);
    this.#engine = new Engine(
      {
        clock,
        crypto: systemCrypto(),
        rng: systemRng(),
        fingerprint,
        openUdp,
        openTun,
        openEthernet,
        stats: openStats(stats),
        setAlarm: (at) => this.#alarm.set(at),
        pause: () => new Promise((resolve) => setImmediate(resolve)),
      },
      epoch,
    );
  }

  async start(): Promise<void> {}

  apply(actions: readonly Action[]): Promise<(Problem | null)[]> {
    return this.#engine.apply(actions);
  }

  look(only: readonly RowId[] | undefined, page: TakePage): Promise<void> {
    return this.#engine.look(only, page);
  }

  counters(): CountersReply {
    return this.#engine.counters();
  }

  natSessions(limit: number): NatSessionsReply {
    return this.#engine.natSessions(limit);
  }

  neighbours(limit: number): NeighboursReply {
    return this.#engine.neighbours(limit);
  }

  trace(filter: TraceFilter, ready: () => void): Result<TraceWatch> {
    return this.#engine.trace(filter, ready);
  }

  capture(filter: TraceFilter, snapLen: number, ready: () => void): Result<CaptureWatch> {
    return this.#engine.capture(filter, snapLen, ready);
  }

  endWatch(watch: TraceWatch | CaptureWatch): void {
    this.#engine.endWatch(watch);
  }

  async close(): Promise<void> {
    await this.#engine.close();
    this.#alarm.cancel();
  }

  async abandon(): Promise<void> {}
}
