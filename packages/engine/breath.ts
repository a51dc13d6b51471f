/**
 * The loop that everything else serves: a socket has something, so take a batch, put it through the graph, send what came of it; when
 * nothing has come, sleep. Minds are ticked by one alarm, set to the earliest of their wishes; an idle engine has no other timer. A tick
 * does a bounded amount of work, and what is left wishes for the next: the alarm is a timer, so sockets are looked at in between.
 *
 *   readable(port):  clock -> [ receive 256 -> graph -> send ] x 8 -> alarm
 *   arrivals:        the same with what other workers have handed over
 *   alarm:           clock -> tick every mind that is due -> send -> alarm
 *   actions:         between two of these, since nothing here waits
 */
import { type Millis, millis } from '@vrouter/core/time.ts';
import type { PacketBatch } from './batch/packet-batch.ts';
import type { BreathClock } from './graph/breath-clock.ts';
import type { Graph } from './graph/graph.ts';
import type { InputNode } from './graph/plan.ts';
import type { LostPackets } from './ports/ethernet/lost.ts';
import type { Outbox } from './ports/wireguard/outbox.ts';
import type { Forwarding } from './state/forwarding.ts';
import type { Arrivals } from './workers/arrivals.ts';
import type { Handoff } from './workers/handoff.ts';

/** Batches of one port before the others have a turn. */
const BATCHES_PER_BREATH = 8;

/** An alarm this late has slept with the machine: timers stand still in a suspend, which the clock counts. */
const LATE_MS = 1000;

export const NEVER: Millis = millis(Number.POSITIVE_INFINITY);

/** A port of any kind, as the loop sees it. */
export interface ReceivingPort {
  /** The node that its packets enter by. */
  readonly input: InputNode;
  /** Fills the batch; returns the rows. */
  receive(batch: PacketBatch): number;
}

export class Breath {
  readonly #clock: BreathClock;
  readonly #graph: Graph;
  readonly #outbox: Outbox;
  readonly #forwarding: Forwarding;
  readonly #lost: LostPackets;
  readonly #setAlarm: (at: Millis) => void;
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;
  #alarmAt: Millis;
  /** Link whose mind is ticked first; another each time, since minds share what a tick may do. */
  #firstLink: number;

  /** `setAlarm(at)`: have `alarm()` called at `at`, once, instead of any earlier wish; `NEVER` cancels. */
  constructor(
    clock: BreathClock,
    graph: Graph,
    outbox: Outbox,
    forwarding: Forwarding,
    lost: LostPackets,
    setAlarm: (at: Millis) => void,
    handoff: Handoff | null = null,
  ) {
    this.#clock = clock;
    this.#graph = graph;
    this.#outbox = outbox;
    this.#forwarding = forwarding;
    this.#lost = lost;
    this.#setAlarm = setAlarm;
    this.#handoff = handoff;
    this.#alarmAt = NEVER;
    this.#firstLink = 0;
  }

  /** Something has come for this port. */
  readable(port: ReceivingPort): void {
    this.#clock.read();
    for (let i = 0; i < BATCHES_PER_BREATH && port.receive(this.#graph.batch) > 0; i++) {
      this.#graph.run(port.input);
      this.#outbox.flush();
      this.#handoff?.publish();
    }
    this.#rest();
  }

  /** Other workers have something for this one; true when there may be more after this turn. */
  arrived(arrivals: Arrivals): boolean {
    this.#clock.read();
    let turns = 0;
    while (turns < BATCHES_PER_BREATH && arrivals.receive(this.#graph.batch) > 0) {
      this.#graph.runPending();
      this.#outbox.flush();
      this.#handoff?.publish();
      turns++;
    }
    this.#rest();
    return turns === BATCHES_PER_BREATH;
  }

  /** The end of a breath. */
  #rest(): void {
    if (this.#alarmAt < this.#clock.now - LATE_MS) this.alarm();
    else this.rearm();
  }

  /** The alarm rang. */
  alarm(): void {
    this.#alarmAt = NEVER;
    this.tick();
  }

  /** Lets every mind that is due speak, and sets the alarm for the next. Also called after actions, which may have started one. */
  tick(): void {
    this.#clock.read();
    const { links } = this.#forwarding;
    const first = this.#firstLink % Math.max(1, links.length);
    this.#firstLink = first + 1;
    for (let i = 0; i < links.length; i++) {
      const link = links[(first + i) % links.length] ?? null;
      const port = link?.wireguard ?? null;
      if (port !== null && port.device.wakeAt() <= this.#clock.now) port.device.tick(this.#clock, port);
      const ethernet = link?.ethernet ?? null;
      if (ethernet !== null && ethernet.wakeAt() <= this.#clock.now) ethernet.tick(this.#clock.now);
    }
    // What the minds gave up; their senders hear of it.
    while (this.#lost.receive(this.#graph.batch) > 0) {
      this.#graph.run(this.#lost.input);
      this.#outbox.flush();
      this.#handoff?.publish();
    }
    this.#outbox.flush();
    this.rearm();
  }

  /** Sets the alarm to the earliest wish. A wish put off leaves the alarm, which then rings in vain once: cheaper than to move it. */
  rearm(): void {
    let earliest = NEVER;
    for (const link of this.#forwarding.links) {
      const port = link?.wireguard ?? null;
      if (port !== null && port.device.wakeAt() < earliest) earliest = port.device.wakeAt();
      const ethernet = link?.ethernet ?? null;
      if (ethernet !== null && ethernet.wakeAt() < earliest) earliest = ethernet.wakeAt();
    }
    if (earliest >= this.#alarmAt) return;
    this.#alarmAt = earliest;
    this.#setAlarm(earliest);
  }
}
