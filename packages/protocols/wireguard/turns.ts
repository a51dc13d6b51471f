/**
 * Whose turn it is to start a handshake. An initiation costs three X25519 and goes to somebody who may be silent for ever, so how many
 * we start is bounded; what packets need, and opening what peers say, is not made to wait for them. Peers with something to lose
 * (packets that wait, a session to renew) go first, but every fourth turn is for the others, so nobody waits for ever.
 */
import type { Millis } from '@vrouter/core/time.ts';
import { INITIATIONS_AT_ONCE, INITIATIONS_PER_SECOND, INITIATIONS_PER_WAKE, URGENT_IN_A_ROW } from './constants.ts';

const INTERVAL_MS = 1000 / INITIATIONS_PER_SECOND;
const TOLERANCE_MS = (INITIATIONS_AT_ONCE - 1) * INTERVAL_MS;

/**
 * How often: a token bucket as one number, the time when it would be full but for what was taken (the virtual scheduling algorithm of
 * ITU-T I.371). Devices of one thread share one, since they share its time.
 */
export class InitiationPace {
  #fullAt = Number.NEGATIVE_INFINITY;

  /** True: one may start now, and is counted. */
  take(now: Millis): boolean {
    if (now < this.at(1)) return false;
    this.#fullAt = Math.max(this.#fullAt, now) + INTERVAL_MS;
    return true;
  }

  /** When `count` of them may start together; in the past if that has come. At most INITIATIONS_AT_ONCE. */
  at(count: number): number {
    return this.#fullAt - TOLERANCE_MS + (count - 1) * INTERVAL_MS;
  }
}

/** Which queue somebody stands in. */
export const Place = { none: 0, ordinary: 1, urgent: 2 } as const;
export type Place = (typeof Place)[keyof typeof Place];

/** Somebody who can stand in a queue; the fields are the queue's. */
export interface Queued<T> {
  place: Place;
  ahead: T | null;
  behind: T | null;
}

class Queue<T extends Queued<T>> {
  first: T | null = null;
  size = 0;
  #last: T | null = null;

  push(item: T): void {
    item.ahead = this.#last;
    item.behind = null;
    if (this.#last === null) this.first = item;
    else this.#last.behind = item;
    this.#last = item;
    this.size++;
  }

  remove(item: T): void {
    if (item.ahead === null) this.first = item.behind;
    else item.ahead.behind = item.behind;
    if (item.behind === null) this.#last = item.ahead;
    else item.behind.ahead = item.ahead;
    item.ahead = null;
    item.behind = null;
    this.size--;
  }
}

export class Turns<T extends Queued<T>> {
  readonly #pace: InitiationPace;
  readonly #urgent = new Queue<T>();
  readonly #ordinary = new Queue<T>();
  /** Turns of the urgent since somebody else had one. */
  #urgentInARow = 0;

  constructor(pace: InitiationPace) {
    this.#pace = pace;
  }

  get size(): number {
    return this.#urgent.size + this.#ordinary.size;
  }

  /** True: it is the item's turn at once. False: it stands in a queue, and `next` will name it. */
  ask(item: T, now: Millis, urgent: boolean): boolean {
    if (item.place === Place.none && this.#mayPass(urgent) && this.#pace.take(now)) {
      this.#count(urgent);
      return true;
    }
    if (item.place === Place.ordinary && urgent) this.leave(item);
    if (item.place === Place.none) {
      item.place = urgent ? Place.urgent : Place.ordinary;
      (urgent ? this.#urgent : this.#ordinary).push(item);
    }
    return false;
  }

  /** Who may start now, in no queue any more; null when nobody waits or it is too soon. */
  next(now: Millis): T | null {
    if (this.size === 0 || !this.#pace.take(now)) return null;
    const urgent = this.#ordinary.size === 0 || (this.#urgent.size > 0 && this.#urgentInARow < URGENT_IN_A_ROW);
    const item = (urgent ? this.#urgent : this.#ordinary).first!;
    this.leave(item);
    this.#count(urgent);
    return item;
  }

  /** The item wants no turn any more. */
  leave(item: T): void {
    if (item.place === Place.none) return;
    (item.place === Place.urgent ? this.#urgent : this.#ordinary).remove(item);
    item.place = Place.none;
  }

  /** When `next` should be asked: some at a time, since each breath has its price. */
  wakeAt(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.#pace.at(Math.min(this.size, INITIATIONS_PER_WAKE));
  }

  #mayPass(urgent: boolean): boolean {
    if (!urgent) return this.size === 0;
    return this.#urgent.size === 0 && (this.#ordinary.size === 0 || this.#urgentInARow < URGENT_IN_A_ROW);
  }

  #count(urgent: boolean): void {
    this.#urgentInARow = urgent ? this.#urgentInARow + 1 : 0;
  }
}
