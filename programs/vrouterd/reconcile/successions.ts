/**
 * Peers whose next key is waited for. The gateway decides by itself, at once: a handshake with the next key moves the peer's allowed IPs
 * to it (packages/intent/compile/peer.ts asks `has`). What was heard is on the disk before it counts, so that no restart moves them
 * back, and it is told to the controller until that makes the next key the peer's own.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { SUCCEEDED_MAX, type Succession } from '@vrouter/api/agent/agent.ts';
import type { PeerFacts } from '@vrouter/drivers/contract/counters.ts';
import { type IntentKey, type PeerSuccessorIntent, successorKey } from '@vrouter/intent/model/intents.ts';
import type { Store, StoredSuccession } from '../store/store.ts';

/** Between two looks, ms: what a device that has changed waits at most until its packets pass. */
const LOOK_MS = 100;
/** A look costs at most this share of the time: with thousands of peers the looks are further apart. */
const LOOK_SHARE = 0.02;
/** REKEY_TIMEOUT (the WireGuard paper, section 6.1), ms: a handshake that began with the old preshared key is over by then. */
const UNDER_WAY_MS = 5000;

export interface SuccessionParts {
  readonly store: Pick<Store, 'successions' | 'saveSuccessions' | 'forgetSuccession'>;
  readonly unixMs: () => number;
  /** What the plane has learnt of its peers, cheaply. */
  facts(): Promise<readonly PeerFacts[]>;
  /** Whether the plane has this peer as it should be, its preshared key included. */
  isTrue(link: string, publicKey: string): boolean;
  /** The next key of this peer was heard. */
  heard(intent: PeerSuccessorIntent): void;
}

export class Successions {
  readonly #parts: SuccessionParts;
  readonly #said = new Map<IntentKey, PeerSuccessorIntent>();
  /** What was heard, by the key of its intent. */
  readonly #done = new Map<IntentKey, StoredSuccession>();
  /** From when on a handshake is one with the new preshared key, Unix ms. */
  readonly #since = new Map<IntentKey, number>();
  #watching: Promise<void> | null = null;
  readonly #stop = new AbortController();

  constructor(parts: SuccessionParts) {
    this.#parts = parts;
    for (const row of parts.store.successions()) this.#done.set(successorKey(row.link, row.publicKey), row);
  }

  /** Whether the next key of this peer was heard in this rotation. */
  has(link: string, publicKey: string, rotation: string): boolean {
    return this.#done.get(successorKey(link, publicKey))?.rotation === rotation;
  }

  /** Such an intent was said, or said anew. */
  said(intent: PeerSuccessorIntent): void {
    const key = successorKey(intent.interface, intent.publicKey);
    if (this.#said.get(key)?.rotation !== intent.rotation) this.#since.delete(key);
    this.#said.set(key, intent);
    if (this.#done.get(key)?.rotation !== intent.rotation) this.#forget(key);
  }

  /** It was taken back, or what it led to is said otherwise now. */
  gone(key: IntentKey): void {
    this.#said.delete(key);
    this.#since.delete(key);
    this.#forget(key);
  }

  /** Forgets what no intent tells of: to be called once all that is stored has been said. */
  tidy(): void {
    for (const key of [...this.#done.keys()]) if (!this.#said.has(key)) this.#forget(key);
  }

  /** For the controller. */
  told(): Succession[] {
    const told: Succession[] = [];
    for (const { link, publicKey, rotation } of this.#done.values()) {
      if (told.length === SUCCEEDED_MAX) break;
      told.push({ interface: link, publicKey, rotation });
    }
    return told;
  }

  /** Looks as long as anybody is waited for. */
  watch(): void {
    if (this.#stop.signal.aborted || this.#watching !== null || this.#waiting().length === 0) return;
    this.#watching = this.#watch(this.#stop.signal).finally(() => {
      this.#watching = null;
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#watching;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#waiting().length > 0) {
      const began = performance.now();
      this.look(await this.#parts.facts());
      const took = performance.now() - began;
      await delay(Math.max(LOOK_MS, took / LOOK_SHARE), undefined, { signal }).catch(() => {});
    }
  }

  /** Takes those of whom the plane has heard. */
  look(facts: readonly PeerFacts[]): void {
    const waiting = this.#waiting();
    if (waiting.length === 0) return;
    const handshakes = new Map(facts.map((fact) => [`${fact.link} ${fact.publicKey}`, fact.lastHandshakeUnixMs]));
    const heard = waiting.filter((intent) => {
      const at = handshakes.get(`${intent.interface} ${intent.nextPublicKey}`) ?? null;
      return intent.nextPublicKey === intent.publicKey ? this.#isRenewed(intent, at) : at !== null;
    });
    if (heard.length === 0) return;
    const rows = heard.map(({ interface: link, publicKey, rotation }) => ({ link, publicKey, rotation }));
    this.#parts.store.saveSuccessions(rows);
    for (const row of rows) this.#done.set(successorKey(row.link, row.publicKey), row);
    for (const intent of heard) this.#parts.heard(intent);
  }

  /** A handshake that began after the plane had the new preshared key can only have been made with it. */
  #isRenewed(intent: PeerSuccessorIntent, handshakeUnixMs: number | null): boolean {
    const key = successorKey(intent.interface, intent.publicKey);
    const since = this.#since.get(key);
    if (since !== undefined) return handshakeUnixMs !== null && handshakeUnixMs >= since;
    if (this.#parts.isTrue(intent.interface, intent.publicKey))
      this.#since.set(key, this.#parts.unixMs() + UNDER_WAY_MS);
    return false;
  }

  #waiting(): PeerSuccessorIntent[] {
    return [...this.#said].flatMap(([key, intent]) => (intent.open && !this.#done.has(key) ? [intent] : []));
  }

  #forget(key: IntentKey): void {
    const row = this.#done.get(key);
    if (row === undefined) return;
    this.#done.delete(key);
    this.#parts.store.forgetSuccession(row.link, row.publicKey);
  }
}
