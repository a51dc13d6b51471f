/** What the host has of its own on its links, for those who compile networks: it is looked at when they ask, and they are told when it is another. */
import { formatPrefix } from '@vrouter/core/prefix.ts';
import type { HostNetwork } from '@vrouter/intent/compile/overlap.ts';

export type LookAtHost = () => readonly Omit<HostNetwork, 'isOurs'>[];

/**
 * What was seen is good for so many times what looking took: a thousand networks that are compiled at once ask a few times, and asking takes a twentieth of
 * the time at most. A host with a thousand links takes some 50 ms.
 */
const COSTS_KEPT = 20;

export class HostWatch {
  readonly #look: LookAtHost;
  readonly #isOurs: (link: string) => boolean;
  readonly #now: () => number;
  #seen: readonly HostNetwork[] | null = null;
  /** On the clock, ms. */
  #staleAt = 0;
  /** What they were last told; null: nobody has asked. */
  #told: string | null = null;

  /** `isOurs`: whether the plane has made this link for an intent. `now`: a clock, ms. */
  constructor(look: LookAtHost, isOurs: (link: string) => boolean, now: () => number = () => performance.now()) {
    this.#look = look;
    this.#isOurs = isOurs;
    this.#now = now;
  }

  /** As it is, or where looking costs much, as it was a moment ago. */
  networks(): readonly HostNetwork[] {
    if (this.#seen !== null && this.#now() < this.#staleAt) return this.#seen;
    const began = this.#now();
    this.#seen = this.#look().map((one) => ({ ...one, isOurs: this.#isOurs(one.interface) }));
    const ended = this.#now();
    this.#staleAt = ended + (ended - began) * COSTS_KEPT;
    this.#told ??= textOf(this.#seen);
    return this.#seen;
  }

  /** Whether what is not ours is other than at the last call; no while nobody asks. */
  hasChanged(): boolean {
    if (this.#told === null) return false;
    const before = this.#told;
    this.#staleAt = 0;
    this.#told = textOf(this.networks());
    return this.#told !== before;
  }
}

function textOf(networks: readonly HostNetwork[]): string {
  const theirs = networks.filter(({ isOurs }) => !isOurs);
  return theirs
    .map((one) => `${one.interface} ${formatPrefix(one.prefix)} ${one.isGateway}`)
    .sort()
    .join('\n');
}
