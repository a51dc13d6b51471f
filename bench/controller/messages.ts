/** What the bench and the process of simulated gateways say to each other, over Node's own channel between parent and child. */

/** Orders are answered one after the other. */
export type Order =
  /** Join with these strings, one gateway each, and begin to poll every five seconds. */
  | { readonly do: 'join'; readonly joins: readonly string[] }
  /** Forget what was measured so far; tell after `ms` what was since. */
  | { readonly do: 'measure'; readonly ms: number }
  /** Every gateway is to poll once more from now on: how long does that take? The controller may be away for a while. */
  | { readonly do: 'all' }
  /** One gateway more, which polls with a hold: when does it hear of the next `changes` changes? */
  | { readonly do: 'follow'; readonly join: string; readonly changes: number };

export interface Measured {
  readonly polls: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type Answer =
  | { readonly is: 'joined'; readonly gateways: number }
  | ({ readonly is: 'measured' } & Measured)
  /** From the order until half, 99 % and all of the gateways had a good answer. */
  | {
      readonly is: 'all';
      readonly halfMs: number;
      readonly mostMs: number;
      readonly allMs: number;
      readonly failed: number;
    }
  /** A version has been heard at this time of `performance.timeOrigin + now()`. */
  | { readonly is: 'heard'; readonly version: number; readonly atUnixMs: number };
