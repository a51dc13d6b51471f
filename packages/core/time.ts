/** Milliseconds of a monotonic clock; the origin is the program's own. Never wall time. */
export type Millis = number & { readonly __unit: 'Millis' };

export function millis(value: number): Millis {
  return value as Millis;
}

/** A clock that a mind is handed: monotonic for intervals, wall time (Unix ms) only where a format carries it. */
export interface Clock {
  now(): Millis;
  unixMs(): number;
}
