/** Names of peers as people gave them, and their public keys: traces show both. */
import { parseKey } from '@vrouter/core/bytes.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { Daemon } from '../../daemon.ts';

export class PeerNames {
  readonly #daemon: Daemon;
  readonly #byKey = new Map<string, string>();
  /** Keys that are waited for, beside those of the peers that they are to succeed. */
  readonly #next = new Set<string>();

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
    this.#look();
  }

  /** Empty for a peer without a name, and for none. */
  nameOf(publicKey: string | null): string {
    if (publicKey === null) return '';
    // A peer that came while we were watching; one without a name is remembered as such.
    if (!this.#byKey.has(publicKey)) this.#look();
    const name = this.#byKey.get(publicKey) ?? '';
    this.#byKey.set(publicKey, name);
    return name;
  }

  /** The public key for a name or for itself. Throws ProblemError `peer.notFound`, or `input.invalid` when several have the name. */
  keyOf(nameOrKey: string): string {
    if (parseKey(nameOrKey).ok) return nameOrKey;
    this.#look();
    const keys = [...this.#byKey].flatMap(([key, name]) => (name === nameOrKey && !this.#next.has(key) ? [key] : []));
    if (keys.length === 1) return keys[0]!;
    if (keys.length === 0)
      throw new ProblemError(
        problem('peer.notFound', `no peer of this gateway is named "${nameOrKey}"; see vrouterctl show peers`, 'peer'),
      );
    throw new ProblemError(
      problem('input.invalid', `${keys.length} peers are named "${nameOrKey}"; give the public key`, 'peer'),
    );
  }

  #look(): void {
    this.#next.clear();
    const { desired, reconciler } = this.#daemon;
    for (const { key, object } of reconciler.observed().values()) {
      if (object.kind !== 'wireguardPeer') continue;
      const intent = desired.intentsOf(key)[0]?.intent;
      this.#byKey.set(object.publicKey, intent?.kind === 'peer' ? intent.name : '');
      const isOwn = intent?.kind !== 'peer' || intent.publicKey === object.publicKey;
      if (!isOwn && object.allowedIps.length === 0) this.#next.add(object.publicKey);
    }
  }
}
