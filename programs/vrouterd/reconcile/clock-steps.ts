/**
 * A wall clock that was put back. WireGuard's initiations carry a time (TAI64N) that has to grow, and peers remember the last: an engine
 * that runs sees to that by itself, but one that is started later begins with the clock, and whoever has shaken hands with us since would
 * take its initiations for old ones until the clock is where it was.
 */
import { spanText } from '@vrouter/core/units.ts';

/** Adjustments that are smaller than this are a clock being kept right, ms. */
const STEP_MS = 1000;
/** Names that a sentence may have. */
const NAMES_MAX = 20;

export interface Shaken {
  readonly name: string;
  readonly lastHandshakeUnixMs: number | null;
}

export class ClockSteps {
  readonly #unixMs: () => number;
  readonly #monotonicMs: () => number;
  #baseMs: number;

  constructor(unixMs: () => number, monotonicMs: () => number) {
    this.#unixMs = unixMs;
    this.#monotonicMs = monotonicMs;
    this.#baseMs = unixMs() - monotonicMs();
  }

  /** How far the clock was put back since the last look, ms; 0 when it was not. */
  look(): number {
    const baseMs = this.#unixMs() - this.#monotonicMs();
    const back = this.#baseMs - baseMs;
    this.#baseMs = baseMs;
    return back >= STEP_MS ? back : 0;
  }
}

/** What to tell of it; `peers` are those on the plane. */
export function stepText(backMs: number, peers: readonly Shaken[], nowUnixMs: number): string {
  const later = peers.filter(({ lastHandshakeUnixMs }) => (lastHandshakeUnixMs ?? 0) > nowUnixMs);
  const what = `this host's clock went back by ${spanText(backMs)}`;
  if (later.length === 0) return `${what}; no peer has shaken hands since, so none will refuse us`;
  const until = new Date(Math.max(...later.map(({ lastHandshakeUnixMs }) => lastHandshakeUnixMs!))).toISOString();
  const names = later.map(({ name }) => name).sort();
  const more = names.length > NAMES_MAX ? ` and ${names.length - NAMES_MAX} more` : '';
  const list = `${names.slice(0, NAMES_MAX).join(', ')}${more}`;
  return `${what}; the engine that runs goes on, but the handshakes of one that is started before ${until} will be refused by ${list}, until they shake hands themselves`;
}
