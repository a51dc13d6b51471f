/** A peer that is in a rotation, and is changed or removed by hand: what becomes of the rotation of it. */
import type { PeerIntent } from '@vrouter/intent/model/intents.ts';
import type { Draft } from '../desired/draft.ts';
import type { Head } from '../desired/head.ts';
import type { Actor } from '../desk/actor.ts';
import type { Desk } from '../desk/desk.ts';
import { openRotationOf, renameInRotations, rotationById } from '../store/rotations.ts';
import type { Tx } from '../store/schema.ts';
import { Work } from './work.ts';

export class ByHand {
  readonly #desk: Desk;
  readonly #tx: Tx;
  readonly #draft: Draft;
  readonly #head: Head;
  readonly #actor: Actor;

  constructor(desk: Desk, tx: Tx, draft: Draft, head: Head, actor: Actor) {
    this.#desk = desk;
    this.#tx = tx;
    this.#draft = draft;
    this.#head = head;
    this.#actor = actor;
  }

  async removed(publicKey: string): Promise<void> {
    await this.#fail(publicKey, 'the peer was removed');
  }

  async renamed(publicKey: string, name: string): Promise<void> {
    await renameInRotations(this.#tx, this.#head.row.id, publicKey, name);
  }

  /** Gives the peer another key, in place: what it sends under the old one is lost from now on. */
  async rekeyed(name: string, peer: PeerIntent, publicKey: string): Promise<void> {
    await this.#fail(peer.publicKey, 'its key was changed by hand');
    await this.#work().rekey(name, peer, publicKey, peer.presharedKey);
  }

  /** `peer`: as it is now. */
  async repsked(peer: PeerIntent): Promise<void> {
    const entry = await openRotationOf(this.#tx, this.#head.row.id, peer.publicKey);
    if (entry === undefined) return;
    // Where only the preshared key was to be another, it is another now; a next key without one of its own has that of the peer.
    if (entry.publicKey === entry.nextPublicKey)
      await this.#fail(peer.publicKey, 'its preshared key was changed by hand');
    else if (entry.nextPresharedKey === null) this.#work().follow(entry, peer);
  }

  async #fail(publicKey: string, reason: string): Promise<void> {
    const vrouterId = this.#head.row.id;
    const entry = await openRotationOf(this.#tx, vrouterId, publicKey);
    if (entry === undefined) return;
    await this.#work().fail(entry, reason);
    const rotation = await rotationById(this.#tx, vrouterId, entry.rotationId);
    if (rotation !== undefined) await this.#work().advance(rotation);
  }

  #work(): Work {
    return new Work(this.#desk, this.#tx, this.#draft, this.#head, this.#actor);
  }
}
