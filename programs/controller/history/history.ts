/**
 * Keeps what gateways tell of their traffic. Polls only leave their readings here; once a minute these are compared with the last ones
 * in the store, and what has passed since is added to the steps of time that it falls into, with the new readings in one transaction. So a
 * controller that dies loses no byte: the next reading tells of it.
 */
import type { GatewayStats } from '@vrouter/api/agent/agent.ts';
import {
  addSamples,
  forgetMeters,
  forgetSamples,
  metersOf,
  type Sample,
  type Series,
  saveMeters,
} from '../store/history.ts';
import type { Db } from '../store/schema.ts';
import { lockVrouter } from '../store/vrouters.ts';
import { grown, isNothing, nothingPassed, type Passed, type Reading, sum } from './meter.ts';
import { peerTiers, stepStart, type Tier, totalTiers } from './tiers.ts';

/** The series of a whole gateway; what it receives and sends is the sum over its peers. */
export const WHOLE: Series = '';
/** Readings of one transaction: SQLite works on our thread, and polls wait meanwhile. */
const READINGS_MAX = 250;
/** Meters of peers that were not heard of for longer are forgotten; what a peer has counted is old by then. ms. */
const METER_MS = 30 * 24 * 3_600_000;

interface Waiting {
  /** By series, in the order of time: the first and the last of each epoch. */
  readonly readings: Map<Series, readonly Reading[]>;
}

export class History {
  readonly #db: Db;
  readonly #unixMs: () => number;
  readonly #waiting = new Map<string, Waiting>();
  /** The last reading that was written, so that silent peers cost nothing. */
  readonly #written = new Map<string, Map<Series, Reading>>();
  #flushing: Promise<void> | null = null;

  constructor(db: Db, unixMs: () => number) {
    this.#db = db;
    this.#unixMs = unixMs;
  }

  /** Takes in what a poll tells. `knows`: whether the configuration has a peer with this key. */
  hear(vrouterId: string, stats: GatewayStats, knows: (publicKey: string) => boolean): void {
    const atUnixMs = this.#unixMs();
    const { epoch, peers, drops } = stats;
    const all = Object.values(drops).reduce((total, count) => total + count, 0);
    this.#note(vrouterId, WHOLE, { ...nothingPassed, drops: all, epoch, atUnixMs });
    for (const { publicKey, rxBytes, txBytes, rxPackets, txPackets } of peers)
      if (knows(publicKey))
        this.#note(vrouterId, publicKey, { rxBytes, txBytes, rxPackets, txPackets, drops: 0, epoch, atUnixMs });
  }

  #note(vrouterId: string, series: Series, reading: Reading): void {
    const written = this.#written.get(vrouterId)?.get(series);
    if (written !== undefined && isSame(written, reading)) return;
    let waiting = this.#waiting.get(vrouterId);
    if (waiting === undefined) {
      waiting = { readings: new Map() };
      this.#waiting.set(vrouterId, waiting);
    }
    const known = waiting.readings.get(series) ?? [];
    // The first and the last of an epoch: of a peer that is new to us, what passes counts from the first on.
    const isBetween = known.at(-1)?.epoch === reading.epoch && known.at(-2)?.epoch === reading.epoch;
    const earlier = isBetween ? known.slice(0, -1) : known;
    waiting.readings.set(series, [...earlier, reading]);
  }

  /** Writes what was told since the last time. A second call waits for the first. What cannot be written is tried again the next time. */
  async flush(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
    this.#flushing = this.#flush().finally(() => {
      this.#flushing = null;
    });
    return this.#flushing;
  }

  async #flush(): Promise<void> {
    for (const [vrouterId, { readings }] of [...this.#waiting]) {
      for (const chunk of chunksOf([...readings], READINGS_MAX)) {
        const done = await this.#write(vrouterId, new Map(chunk));
        if (!done) {
          // The vrouter has been deleted, and with it whatever would be told of it.
          this.#waiting.delete(vrouterId);
          this.#written.delete(vrouterId);
          break;
        }
        for (const [series, list] of chunk) {
          // A later reading may have come meanwhile.
          if (readings.get(series) === list) readings.delete(series);
          this.#remember(vrouterId, series, list.at(-1)!);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (readings.size === 0) this.#waiting.delete(vrouterId);
    }
  }

  #remember(vrouterId: string, series: Series, reading: Reading): void {
    let of = this.#written.get(vrouterId);
    if (of === undefined) {
      of = new Map();
      this.#written.set(vrouterId, of);
    }
    of.set(series, reading);
  }

  /** False: there is no such vrouter. */
  async #write(vrouterId: string, readings: ReadonlyMap<Series, readonly Reading[]>): Promise<boolean> {
    return this.#db.transaction().execute(async (tx) => {
      // Another controller that has heard of the same gateway waits for our meters before it compares with them.
      if ((await lockVrouter(tx, vrouterId)) === undefined) return false;
      const meters = await metersOf(tx, vrouterId, [...readings.keys()]);
      const samples: Sample[] = [];
      let whole: Passed = nothingPassed;
      for (const [series, list] of readings) {
        let passed: Passed = nothingPassed;
        for (const reading of list) {
          const more = grown(meters.get(series) ?? null, reading);
          // Another controller has heard something later.
          if (more === null) continue;
          passed = sum(passed, more);
          meters.set(series, reading);
        }
        whole = sum(whole, passed);
        if (series !== WHOLE) addTo(samples, vrouterId, series, peerTiers, list.at(-1)!.atUnixMs, passed);
      }
      const latest = Math.max(...[...readings.values()].map((list) => list.at(-1)!.atUnixMs));
      addTo(samples, vrouterId, WHOLE, totalTiers, latest, whole);
      await saveMeters(tx, vrouterId, meters);
      await addSamples(tx, samples);
      return true;
    });
  }

  /** Forgets what is older than it is kept. */
  async prune(): Promise<void> {
    const now = this.#unixMs();
    for (const [tiers, whole] of [
      [totalTiers, true],
      [peerTiers, false],
    ] as const)
      for (const { stepMs, keepMs } of tiers) await forgetSamples(this.#db, whole, stepMs, now - keepMs - stepMs);
    await forgetMeters(this.#db, now - METER_MS);
  }
}

function addTo(
  samples: Sample[],
  vrouterId: string,
  series: Series,
  tiers: readonly Tier[],
  unixMs: number,
  passed: Passed,
): void {
  if (isNothing(passed)) return;
  for (const { stepMs } of tiers)
    samples.push({ vrouterId, series, stepMs, atUnixMs: stepStart(unixMs, stepMs), ...passed });
}

function isSame(one: Reading, other: Reading): boolean {
  return (
    one.epoch === other.epoch &&
    one.rxBytes === other.rxBytes &&
    one.txBytes === other.txBytes &&
    one.rxPackets === other.rxPackets &&
    one.txPackets === other.txPackets &&
    one.drops === other.drops
  );
}

function chunksOf<T>(all: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let at = 0; at < all.length; at += size) chunks.push(all.slice(at, at + size));
  return chunks;
}
