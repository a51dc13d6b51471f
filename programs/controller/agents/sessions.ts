/**
 * Replay protection of polls, a mind without hands: which request of a gateway is new, which repeats the last one, and which is
 * neither. It is defence in depth inside mutual TLS, so it lives in memory; after a restart the first poll of everyone is refused once
 * with a fresh nonce.
 *
 *   fresh   nonce is the one last given and seq grew; or nonce is null on an unknown bootId or after a refusal
 *   retry   nonce, seq and body are those of the request before: it gets the same answer
 *   newer   the request before is still held, and the gateway has more to say: that one ends
 *   refused anything else; the fresh nonce that it is given is good for the next poll
 */

/** Boots of a gateway that are remembered: the one that polls and the one before. */
const BOOTS_KEPT = 2;

export interface PollKey {
  readonly bootId: string;
  readonly seq: number;
  readonly nonce: string | null;
  /** Tells equal bodies from different ones. */
  readonly digest: string;
}

export interface Boot<R> {
  /** What the next poll must carry. */
  nonce: string;
  /** What the last accepted poll carried; undefined when none was. */
  previous: string | null | undefined;
  seq: number;
  digest: string;
  /** After a refusal the gateway may have no nonce at all. */
  refused: boolean;
  /** The last accepted poll's answer, under way or done. */
  reply: R | null;
  answered: boolean;
}

export type Admission<R> =
  | { readonly kind: 'fresh'; readonly boot: Boot<R>; readonly superseded: R | null }
  | { readonly kind: 'retry'; readonly reply: R }
  | { readonly kind: 'refused'; readonly nextNonce: string };

export class PollSessions<R> {
  readonly #newNonce: () => string;
  readonly #boots = new Map<string, Boot<R>>();

  constructor(newNonce: () => string) {
    this.#newNonce = newNonce;
  }

  /** Judges a poll. When it is fresh, the caller puts its answer into `boot.reply` at once and sets `answered` when it is known. */
  admit(poll: PollKey): Admission<R> {
    const boot = this.#boots.get(poll.bootId);
    if (boot === undefined) {
      const made = this.#remember(poll.bootId);
      return poll.nonce === null ? this.#accept(made, poll, null) : this.#refuse(made);
    }
    const again = poll.nonce === boot.previous;
    if (again && poll.seq === boot.seq && poll.digest === boot.digest && boot.reply !== null)
      return { kind: 'retry', reply: boot.reply };
    if (poll.seq <= boot.seq) return this.#refuse(boot);
    if (poll.nonce === boot.nonce || (boot.refused && poll.nonce === null)) return this.#accept(boot, poll, null);
    if (again && !boot.answered) return this.#accept(boot, poll, boot.reply);
    return this.#refuse(boot);
  }

  #accept(boot: Boot<R>, poll: PollKey, superseded: R | null): Admission<R> {
    boot.previous = poll.nonce;
    boot.nonce = this.#newNonce();
    boot.seq = poll.seq;
    boot.digest = poll.digest;
    boot.refused = false;
    boot.reply = null;
    boot.answered = false;
    return { kind: 'fresh', boot, superseded };
  }

  #refuse(boot: Boot<R>): Admission<R> {
    // A held poll keeps its promise: the nonce that it will be answered with stays good.
    if (boot.answered || boot.reply === null) boot.nonce = this.#newNonce();
    boot.refused = true;
    return { kind: 'refused', nextNonce: boot.nonce };
  }

  #remember(bootId: string): Boot<R> {
    if (this.#boots.size >= BOOTS_KEPT) this.#boots.delete(this.#boots.keys().next().value!);
    const boot: Boot<R> = {
      nonce: this.#newNonce(),
      previous: undefined,
      seq: -1,
      digest: '',
      refused: false,
      reply: null,
      answered: true,
    };
    this.#boots.set(bootId, boot);
    return boot;
  }
}
