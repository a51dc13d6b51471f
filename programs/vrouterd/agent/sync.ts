/**
 * What the controller has said, and what a poll's reply does to it. A delta must start where we stand and end at the hash that it
 * names; anything else asks for the whole state. What a full state does not name goes, unless that is suspiciously much. No I/O.
 *
 * Bodies are kept as they came, also those that this version cannot read: the hash is the controller's, over its own words.
 */
import type { PollReply } from '@vrouter/api/agent/agent.ts';
import type { Json } from '@vrouter/core/json.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, type Result } from '@vrouter/core/result.ts';
import { countKinds, interlock } from '@vrouter/intent/interlock/interlock.ts';
import { type Intent, type IntentKey, intentKey, successorKey } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { type Sha256, StateHash } from '@vrouter/intent/version/hash.ts';

export interface SyncChange {
  readonly version: number;
  readonly hash: string;
  readonly put: readonly { readonly key: IntentKey; readonly body: Json }[];
  readonly remove: readonly IntentKey[];
}

export type SyncOutcome =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'change'; readonly change: SyncChange }
  /** The reply does not fit what we have: ask for everything. */
  | { readonly kind: 'resync'; readonly why: string }
  /** It would take away too much to be believed without a person's word. */
  | { readonly kind: 'held'; readonly version: number; readonly removes: number; readonly reason: string };

export class ControllerState {
  readonly #sha256: Sha256;
  readonly #bodies = new Map<IntentKey, Json>();
  #hash: StateHash;
  #version: number;

  constructor(sha256: Sha256, version: number, stored: Iterable<readonly [IntentKey, Json]>) {
    this.#sha256 = sha256;
    this.#version = version;
    this.#hash = new StateHash(sha256);
    for (const [key, body] of stored) {
      this.#bodies.set(key, body);
      this.#hash.add(key, body);
    }
  }

  get version(): number {
    return this.#version;
  }

  /** Of what we have now; null before the first state. */
  hash(): string | null {
    return this.#version === 0 ? null : this.#hash.hex();
  }

  /** Judges a reply; changes nothing. `confirmed`: a person on the spot has agreed to a held change. */
  judge(reply: PollReply, confirmed: boolean): SyncOutcome {
    const isFull = reply.baseVersion === null;
    if (!isFull && reply.baseVersion !== this.#version)
      return { kind: 'resync', why: `delta from ${reply.baseVersion}, we have ${this.#version}` };
    const put = new Map<IntentKey, Json>();
    const remove = new Set<IntentKey>(isFull ? this.#bodies.keys() : []);
    for (const op of reply.ops) {
      const key = op.key as IntentKey;
      if (op.op === 'put') {
        put.set(key, op.intent as Json);
        remove.delete(key);
      } else {
        put.delete(key);
        if (this.#bodies.has(key)) remove.add(key);
      }
    }
    const hash = this.#hashAfter(isFull, put, remove);
    if (hash !== reply.hash) return { kind: 'resync', why: `state hash differs at version ${reply.version}` };
    if (put.size === 0 && remove.size === 0 && reply.version === this.#version) return { kind: 'unchanged' };
    // At no version, what we have is an earlier controller's, and a person has just sent us to this one.
    if (!confirmed && !reply.confirmShrink && this.#version > 0) {
      const gone = [...remove].filter((key) => !this.#isSuccession(key, put));
      const verdict = interlock('controller', countKinds(this.#bodies.keys()), countKinds(gone));
      if (verdict.held) return { kind: 'held', version: reply.version, removes: remove.size, reason: verdict.reason };
    }
    const puts = [...put].map(([key, body]) => ({ key, body }));
    return { kind: 'change', change: { version: reply.version, hash, put: puts, remove: [...remove] } };
  }

  /** Takes over what was judged, once it is stored. */
  accept(change: SyncChange): void {
    for (const key of change.remove) this.#drop(key);
    for (const { key, body } of change.put) {
      this.#drop(key);
      this.#bodies.set(key, body);
      this.#hash.add(key, body);
    }
    this.#version = change.version;
  }

  /** After joining anew: what comes next is a whole state, and what it does not name goes. */
  forget(): void {
    this.#version = 0;
  }

  /** The change that takes away everything that the controller has said; the version begins anew. */
  emptying(): SyncChange {
    return { version: 0, hash: new StateHash(this.#sha256).hex(), put: [], remove: [...this.#bodies.keys()] };
  }

  #drop(key: IntentKey): void {
    const old = this.#bodies.get(key);
    if (old === undefined) return;
    this.#hash.remove(key, old);
    this.#bodies.delete(key);
  }

  /** Nobody loses anything: a peer comes under the next key that we knew of, or is no longer waited for under another. */
  #isSuccession(key: IntentKey, put: ReadonlyMap<IntentKey, Json>): boolean {
    if (key.startsWith('peerSuccessor/')) return true;
    if (!key.startsWith('peer/')) return false;
    const [, link = ''] = key.split('/', 2);
    const body = this.#bodies.get(successorKey(link, key.slice(`peer/${link}/`.length)));
    const next = typeof body === 'object' && body !== null && 'nextPublicKey' in body ? body.nextPublicKey : null;
    return put.has(`peer/${link}/${String(next)}` as IntentKey);
  }

  #hashAfter(isFull: boolean, put: Map<IntentKey, Json>, remove: Set<IntentKey>): string {
    const hash = isFull ? new StateHash(this.#sha256) : this.#hash.clone();
    if (!isFull) {
      for (const key of [...remove, ...put.keys()]) {
        const old = this.#bodies.get(key);
        if (old !== undefined) hash.remove(key, old);
      }
    }
    for (const [key, body] of put) hash.add(key, body);
    return hash.hex();
  }
}

/** An intent that came under a key, checked: it must be valid and belong there. */
export function readIntent(key: string, body: unknown): Result<Intent> {
  const parsed = parseIntent(body);
  if (!parsed.ok || intentKey(parsed.value) === key) return parsed;
  const wrong: Problem = problem('input.invalid', `the intent's key is ${intentKey(parsed.value)}, it came as ${key}`);
  return err(wrong);
}
