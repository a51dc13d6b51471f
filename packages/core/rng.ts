/** Chance as an argument: real programs hand in the system's, tests and simulators a seeded one. */
export interface Rng {
  /** Fills `into` with random bytes. */
  fill(into: Uint8Array): void;
  /** A random unsigned 32-bit integer. */
  uint32(): number;
}

/** Repeatable chance for tests and simulators (mulberry32). Never for keys. */
export function seededRng(seed: number): Rng {
  let state = seed >>> 0;
  const uint32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    uint32,
    fill(into) {
      for (let i = 0; i < into.length; i++) into[i] = uint32() & 0xff;
    },
  };
}
