/** From absolute values to growth: what has passed since the last reading, over restarts of whoever counts. */

/** What passed. Bytes and packets of peers are outside of the tunnel and inside of it, as the gateway counts them. */
export interface Passed {
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxPackets: number;
  readonly txPackets: number;
  /** Packets that the gateway has dropped, whichever way they went; only of the gateway as a whole. */
  readonly drops: number;
}

/** Absolute values, counted from the beginning of `epoch` on. */
export interface Reading extends Passed {
  readonly epoch: string;
  readonly atUnixMs: number;
}

export const nothingPassed: Passed = { rxBytes: 0, txBytes: 0, rxPackets: 0, txPackets: 0, drops: 0 };

/**
 * What passed between two readings. A new epoch has counted from zero on; so has a counter that went back, as that of a peer does
 * that was removed and added again. Null: the later one is not later. Before the first reading nothing has passed: a gateway may have
 * counted for months when we first hear of it, and nobody knows when that was.
 */
export function grown(before: Reading | null, now: Reading): Passed | null {
  if (before !== null && now.atUnixMs <= before.atUnixMs) return null;
  if (before === null) return nothingPassed;
  if (before.epoch !== now.epoch || isBehind(now, before)) return passedOf(now);
  return {
    rxBytes: now.rxBytes - before.rxBytes,
    txBytes: now.txBytes - before.txBytes,
    rxPackets: now.rxPackets - before.rxPackets,
    txPackets: now.txPackets - before.txPackets,
    drops: now.drops - before.drops,
  };
}

export function sum(one: Passed, other: Passed): Passed {
  return {
    rxBytes: one.rxBytes + other.rxBytes,
    txBytes: one.txBytes + other.txBytes,
    rxPackets: one.rxPackets + other.rxPackets,
    txPackets: one.txPackets + other.txPackets,
    drops: one.drops + other.drops,
  };
}

export function isNothing(passed: Passed): boolean {
  return (
    passed.rxBytes === 0 &&
    passed.txBytes === 0 &&
    passed.rxPackets === 0 &&
    passed.txPackets === 0 &&
    passed.drops === 0
  );
}

function passedOf({ rxBytes, txBytes, rxPackets, txPackets, drops }: Passed): Passed {
  return { rxBytes, txBytes, rxPackets, txPackets, drops };
}

function isBehind(now: Passed, before: Passed): boolean {
  return (
    now.rxBytes < before.rxBytes ||
    now.txBytes < before.txBytes ||
    now.rxPackets < before.rxPackets ||
    now.txPackets < before.txPackets ||
    now.drops < before.drops
  );
}
