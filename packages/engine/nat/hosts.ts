/**
 * Hosts with an outside address of their own: one address stands for another as a whole, both ways, whatever the protocol. Nothing is
 * remembered of what passes. Published ports of the outside address and sessions through it go before.
 */
import { wordsDelta } from './checksums.ts';
import { TupleIndex } from './tuple-index.ts';

export interface HostRule {
  /** Index of its rule. */
  readonly rule: number;
  /** Of both addresses. */
  readonly vrf: number;
  readonly outside: number;
  readonly inside: number;
}

export class Hosts {
  #rules: readonly HostRule[];
  #byOutside: TupleIndex;
  #byInside: TupleIndex;

  constructor() {
    this.#rules = [];
    this.#byOutside = new TupleIndex(0);
    this.#byInside = new TupleIndex(0);
  }

  /** Outside addresses are each once in a VRF, and so are inside ones. `seed` keys the hash. */
  replace(rules: readonly HostRule[], seed: number): void {
    this.#rules = rules;
    this.#byOutside = new TupleIndex(seed, rules.length);
    this.#byInside = new TupleIndex(seed, rules.length);
    rules.forEach(({ vrf, outside, inside }, i) => {
      this.#byOutside.set(outside, vrf, 0, 0, i);
      this.#byInside.set(inside, vrf, 0, 0, i);
    });
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  findOutside(address: number, vrf: number): HostRule | null {
    return this.#rules[this.#byOutside.find(address, vrf, 0, 0)] ?? null;
  }

  findInside(address: number, vrf: number): HostRule | null {
    return this.#rules[this.#byInside.find(address, vrf, 0, 0)] ?? null;
  }
}

/** What the sums over an address gain on the way out; on the way in the complement. */
export function hostDelta({ inside, outside }: HostRule, outbound: boolean): number {
  return outbound ? wordsDelta(inside, outside) : wordsDelta(outside, inside);
}
