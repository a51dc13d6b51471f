/**
 * One number for a whole state, the same on both sides when the states are: the sum modulo 2^256 of the SHA-256 of each intent. A sum
 * does not mind the order and is mended in O(1) by adding and taking away. It finds differences; it is no proof against a forger.
 */
import { canonicalJson } from '@vrouter/core/json.ts';

/** SHA-256 of a text's UTF-8 bytes: 32 bytes. This package knows no hash. */
export type Sha256 = (text: string) => Uint8Array;

const BYTES = 32;

export class StateHash {
  readonly #sha256: Sha256;
  /** Big-endian. */
  readonly #sum = new Uint8Array(BYTES);

  constructor(sha256: Sha256) {
    this.#sha256 = sha256;
  }

  /** Counts an intent in, as it travelled: unknown fields too, so that a side that does not understand one still agrees. */
  add(key: string, intent: unknown): void {
    const digest = this.#digest(key, intent);
    let carry = 0;
    for (let i = BYTES - 1; i >= 0; i--) {
      carry += this.#sum[i]! + digest[i]!;
      this.#sum[i] = carry & 0xff;
      carry >>= 8;
    }
  }

  /** Counts out what was counted in with the same key and value. */
  remove(key: string, intent: unknown): void {
    const digest = this.#digest(key, intent);
    let borrow = 0;
    for (let i = BYTES - 1; i >= 0; i--) {
      borrow += this.#sum[i]! - digest[i]!;
      this.#sum[i] = borrow & 0xff;
      borrow >>= 8;
    }
  }

  /** The same sum, apart from now on: for trying out where a delta leads. */
  clone(): StateHash {
    const copy = new StateHash(this.#sha256);
    copy.#sum.set(this.#sum);
    return copy;
  }

  /** 64 lower-case hex digits; of nothing at all, zeros. */
  hex(): string {
    return this.#sum.toHex();
  }

  /** SHA-256(kind \0 key \0 canonical JSON). */
  #digest(key: string, intent: unknown): Uint8Array {
    const digest = this.#sha256(`${key.slice(0, key.indexOf('/'))}\0${key}\0${canonicalJson(intent)}`);
    if (digest.length !== BYTES) throw new RangeError(`SHA-256 has ${BYTES} bytes, not ${digest.length}`);
    return digest;
  }
}
