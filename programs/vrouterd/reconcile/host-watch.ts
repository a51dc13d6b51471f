/** What the host has of its own on its links, for those who compile networks: it is looked at when they ask, and they are told when it is another. */
import { formatPrefix } from '@vrouter/core/prefix.ts';
import type { HostNetwork } from '@vrouter/intent/compile/overlap.ts';

export type LookAtHost = () => readonly Omit<HostNetwork, 'isOurs'>[];

export class HostWatch {
  readonly #look: LookAtHost;
  readonly #isOurs: (link: string) => boolean;
  /** For as long as nothing else happens: a thousand networks that are compiled at once ask once. */
  #now: readonly HostNetwork[] | null = null;
  /** What they were last told; null: nobody has asked. */
  #told: string | null = null;

  /** `isOurs`: whether the plane has made this link for an intent. */
  constructor(look: LookAtHost, isOurs: (link: string) => boolean) {
    this.#look = look;
    this.#isOurs = isOurs;
  }

  networks(): readonly HostNetwork[] {
    if (this.#now === null) {
      this.#now = this.#look().map((one) => ({ ...one, isOurs: this.#isOurs(one.interface) }));
      queueMicrotask(() => {
        this.#now = null;
      });
    }
    this.#told ??= textOf(this.#now);
    return this.#now;
  }

  /** Whether what is not ours is other than at the last call; no while nobody asks. */
  hasChanged(): boolean {
    if (this.#told === null) return false;
    const before = this.#told;
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
