/** Which WireGuard interfaces the plane has, for those who open a socket for each. */
import type { Observed } from '@vrouter/intent/model/objects.ts';

type Tell = (names: readonly string[]) => void;

export class Devices {
  readonly #observed: () => Iterable<Observed>;
  #tell: Tell = () => {};
  #told: string | null = null;

  constructor(observed: () => Iterable<Observed>) {
    this.#observed = observed;
  }

  names(): readonly string[] {
    const names: string[] = [];
    for (const { object } of this.#observed()) if (object.kind === 'wireguardDevice') names.push(object.link);
    return names.sort();
  }

  /** Told at once, and whenever `names` has become another list. */
  onChange(tell: Tell): void {
    this.#tell = tell;
    this.#told = null;
    this.look();
  }

  look(): void {
    const names = this.names();
    if (names.join(' ') === this.#told) return;
    this.#told = names.join(' ');
    this.#tell(names);
  }
}
