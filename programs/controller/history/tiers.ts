/** How finely and for how long history is kept. Every sample is written to all tiers of its series, so nothing has to be thinned out later. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export interface Tier {
  /** Length of a step, ms; a step begins at a multiple of it. */
  readonly stepMs: number;
  /** Steps that ended longer ago are forgotten, ms. */
  readonly keepMs: number;
}

/** Of a gateway as a whole, finest first. */
export const totalTiers: readonly Tier[] = [
  { stepMs: MINUTE_MS, keepMs: DAY_MS },
  { stepMs: 15 * MINUTE_MS, keepMs: 30 * DAY_MS },
  { stepMs: DAY_MS, keepMs: 730 * DAY_MS },
];

/** Of each peer: there may be ten thousand, so it is less. At most 2,000 rows a peer, and none for steps in which it was silent. */
export const peerTiers: readonly Tier[] = [
  { stepMs: 5 * MINUTE_MS, keepMs: DAY_MS },
  { stepMs: HOUR_MS, keepMs: 30 * DAY_MS },
  { stepMs: DAY_MS, keepMs: 730 * DAY_MS },
];

/** Points that an answer has at most. */
export const MOST_POINTS = 1500;

export function stepStart(unixMs: number, stepMs: number): number {
  return Math.floor(unixMs / stepMs) * stepMs;
}

/** The finest tier that still has what happened at `fromUnixMs` and needs no more points than an answer has; else the coarsest. */
export function tierFor(tiers: readonly Tier[], fromUnixMs: number, untilUnixMs: number, nowUnixMs: number): Tier {
  const fits = ({ stepMs, keepMs }: Tier): boolean =>
    nowUnixMs - fromUnixMs <= keepMs && (untilUnixMs - fromUnixMs) / stepMs <= MOST_POINTS;
  return tiers.find(fits) ?? tiers.at(-1)!;
}
