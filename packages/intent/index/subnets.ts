/**
 * Who wants which subnets. Of two that overlap, be they equal or one inside the other, the elder has its own. Asking costs one look for each bit of
 * the prefix, however many there are.
 */
import type { Prefix } from '@vrouter/core/prefix.ts';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import type { Entry } from './entry.ts';

/** One subnet that an entry wants. */
export interface SubnetClaim {
  readonly entry: Entry;
  /** Canonical. */
  readonly prefix: string;
}

export class Subnets {
  /** By the bits of a prefix: who wants exactly that, and who wants it or a part of it. */
  readonly #at = new Map<string, Set<SubnetClaim>>();
  readonly #within = new Map<string, Set<SubnetClaim>>();

  join(claim: SubnetClaim): void {
    const bits = bitsOf(claim.prefix);
    add(this.#at, bits, claim);
    for (const around of ancestors(bits)) add(this.#within, around, claim);
    add(this.#within, bits, claim);
  }

  leave(claim: SubnetClaim): void {
    const bits = bitsOf(claim.prefix);
    drop(this.#at, bits, claim);
    for (const around of ancestors(bits)) drop(this.#within, around, claim);
    drop(this.#within, bits, claim);
  }

  /** What others want of the addresses of this one. */
  *overlapping({ entry, prefix }: SubnetClaim): Generator<SubnetClaim, void, undefined> {
    const bits = bitsOf(prefix);
    for (const around of ancestors(bits))
      for (const one of this.#at.get(around) ?? []) if (one.entry !== entry) yield one;
    for (const one of this.#within.get(bits) ?? []) if (one.entry !== entry) yield one;
  }

  /** The eldest of those who came before; null: it is this one's. */
  holder(claim: SubnetClaim): SubnetClaim | null {
    let eldest: SubnetClaim | null = null;
    for (const one of this.overlapping(claim)) if (one.entry.age < (eldest ?? claim).entry.age) eldest = one;
    return eldest;
  }
}

/** `4:` or `6:`, and the bits as digits. */
function bitsOf(text: string): string {
  const parsed = parsePrefix(text);
  if (!parsed.ok) throw new TypeError(parsed.error.message);
  const { address, bits }: Prefix = parsed.value;
  const digits = Array.from(address, (byte) => byte.toString(2).padStart(8, '0')).join('');
  return `${address.length === 4 ? '4' : '6'}:${digits.slice(0, bits)}`;
}

/** The prefixes around it, the widest first. */
function* ancestors(bits: string): Generator<string, void, undefined> {
  for (let end = 2; end < bits.length; end++) yield bits.slice(0, end);
}

function add(sets: Map<string, Set<SubnetClaim>>, bits: string, claim: SubnetClaim): void {
  const set = sets.get(bits);
  if (set === undefined) sets.set(bits, new Set([claim]));
  else set.add(claim);
}

function drop(sets: Map<string, Set<SubnetClaim>>, bits: string, claim: SubnetClaim): void {
  const set = sets.get(bits);
  set?.delete(claim);
  if (set?.size === 0) sets.delete(bits);
}
