/**
 * Whether the kernel may have learnt anything about paths: it does from "destination unreachable" (RFC 1191) and "packet too big"
 * (RFC 8201), and counts those of its network namespace in /proc/net/snmp and snmp6. Two small files, read once a second at most.
 */
import { readFileSync } from 'node:fs';

const LOOK_MS = 1000;

export class PathNews {
  #lookedAt = Number.NEGATIVE_INFINITY;
  #number = 0;
  #sum = -1;

  /** Another number than before: there may be news. `nowMs` is monotonic. Where the kernel does not count, each look is news. */
  at(nowMs: number): number {
    if (nowMs - this.#lookedAt < LOOK_MS) return this.#number;
    this.#lookedAt = nowMs;
    const sum = heard();
    if (sum === null || sum !== this.#sum) this.#number++;
    this.#sum = sum ?? -1;
    return this.#number;
  }
}

/** Messages so far that can carry a path MTU; null where that is not told. */
function heard(): number | null {
  try {
    const four = icmpColumn(readFileSync('/proc/thread-self/net/snmp', 'latin1'), 'InDestUnreachs');
    if (four === null) return null;
    // A kernel without IPv6 has no such file, and learns nothing by it.
    return four + tooBigs();
  } catch {
    return null;
  }
}

function tooBigs(): number {
  try {
    return Number(/^Icmp6InPktTooBigs\s+(\d+)$/m.exec(readFileSync('/proc/thread-self/net/snmp6', 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** A counter of the two lines `Icmp: NAMES` and `Icmp: NUMBERS`. */
export function icmpColumn(text: string, name: string): number | null {
  const [names, numbers] = text.split('\n').filter((line) => line.startsWith('Icmp: '));
  const at = names?.split(' ').indexOf(name) ?? -1;
  const value = at < 0 ? undefined : numbers?.split(' ')[at];
  return value === undefined || !/^\d+$/.test(value) ? null : Number(value);
}
