/**
 * Which peers' counters go up with a poll: those that differ from what the controller was last told, at most so many and so many bytes,
 * who finds no room has a turn with the next; everything every five minutes, and after the controller has lost its memory. Counters are
 * absolute, so one that is left out or told twice harms nobody. A mind without hands: no clock and no socket.
 */
import type { PeerStats } from '@vrouter/api/agent/agent.ts';

export interface StatsBounds {
  /** Peers of one poll, at most. */
  readonly entries: number;
  /** Bytes of their JSON, at most. */
  readonly bytes: number;
  /** Everything is told anew so often, ms. */
  readonly fullMs: number;
}

export const defaultBounds: StatsBounds = { entries: 2000, bytes: 256 * 1024, fullMs: 5 * 60_000 };

export class StatsFeed {
  readonly #bounds: StatsBounds;
  /** JSON of what the controller has, by interface and key. */
  readonly #known = new Map<string, string>();
  /** What the last poll told, until it is answered. */
  #offered: readonly (readonly [name: string, text: string])[] = [];
  /** Names of whom the turn is behind; null: the list begins. */
  #after: string | null = null;
  #epoch: string | null = null;
  /** On the monotonic clock, ms. */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  constructor(bounds: StatsBounds = defaultBounds) {
    this.#bounds = bounds;
  }

  /** What to tell now. `epoch`: the life of the plane that counted; a new one has counted from zero on. */
  next(peers: readonly PeerStats[], epoch: string, nowMs: number): PeerStats[] {
    if (epoch !== this.#epoch || nowMs >= this.#fullAtMs + this.#bounds.fullMs) {
      this.forget();
      this.#epoch = epoch;
      this.#fullAtMs = nowMs;
    }
    const rows = peers.map((peer) => ({ peer, name: `${peer.interface} ${peer.publicKey}` }));
    rows.sort((a, b) => (a.name < b.name ? -1 : 1));
    const there = new Set(rows.map(({ name }) => name));
    for (const name of this.#known.keys()) if (!there.has(name)) this.#known.delete(name);
    const from = rows.findIndex(({ name }) => this.#after === null || name > this.#after);
    const offered: [string, string][] = [];
    const told: PeerStats[] = [];
    let bytes = 0;
    for (let i = 0; i < rows.length && told.length < this.#bounds.entries; i++) {
      const { peer, name } = rows[(Math.max(0, from) + i) % rows.length]!;
      const text = JSON.stringify(peer);
      if (this.#known.get(name) === text) continue;
      // A comma between two; names are ASCII.
      bytes += text.length + 1;
      if (bytes > this.#bounds.bytes) break;
      told.push(peer);
      offered.push([name, text]);
    }
    this.#offered = offered;
    return told;
  }

  /** The poll was answered: the controller has what was told, and the next ones have their turn. */
  answered(): void {
    for (const [name, text] of this.#offered) this.#known.set(name, text);
    this.#after = this.#offered.at(-1)?.[0] ?? this.#after;
    this.#offered = [];
  }

  /** The controller is another, or was started anew: it has nothing. */
  forget(): void {
    this.#known.clear();
    this.#offered = [];
  }
}
