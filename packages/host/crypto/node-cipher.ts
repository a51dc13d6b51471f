/** TransportCipher by node:crypto alone, for machines where OpenSSL's own functions are out of reach: five times dearer. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { checkKey, checkRoom, NONCE_LEN, TAG_LEN, type TransportCipher } from './shape.ts';

const options = { authTagLength: TAG_LEN } as const;

export class NodeCipher implements TransportCipher {
  #key: Uint8Array | null;
  readonly #nonce = new Uint8Array(NONCE_LEN);
  readonly #nonceView = new DataView(this.#nonce.buffer);

  constructor(key: Uint8Array) {
    checkKey(key);
    this.#key = key.slice();
  }

  seal(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): void {
    checkRoom(buffer, at, length);
    const cipher = createCipheriv('chacha20-poly1305', this.#ready(counterLow, counterHigh), this.#nonce, options);
    buffer.set(cipher.update(buffer.subarray(at, at + length)), at);
    cipher.final();
    buffer.set(cipher.getAuthTag(), at + length);
  }

  open(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): boolean {
    checkRoom(buffer, at, length);
    const decipher = createDecipheriv('chacha20-poly1305', this.#ready(counterLow, counterHigh), this.#nonce, options);
    const end = at + length;
    decipher.setAuthTag(buffer.subarray(end, end + TAG_LEN));
    const opened = decipher.update(buffer.subarray(at, end));
    try {
      decipher.final();
    } catch {
      return false;
    }
    buffer.set(opened, at);
    return true;
  }

  destroy(): void {
    this.#key?.fill(0);
    this.#key = null;
  }

  #ready(counterLow: number, counterHigh: number): Uint8Array {
    if (this.#key === null) throw new Error('the cipher has been destroyed');
    this.#nonceView.setUint32(4, counterLow, true);
    this.#nonceView.setUint32(8, counterHigh, true);
    return this.#key;
  }
}
