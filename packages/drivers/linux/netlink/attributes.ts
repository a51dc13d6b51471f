/**
 * Attributes of a message, where they lie: read once, then asked by number, and nothing is allocated but what is asked for. One reader
 * serves many messages. What a hostile or a newer kernel may say is never an error here: an attribute that is too short is not there.
 */
import { ATTRIBUTE_HEADER_LEN, aligned, NLA_TYPE_MASK } from './message.ts';

export class Attributes {
  readonly #at: Int32Array;
  readonly #length: Int32Array;
  #bytes: Uint8Array;
  #view: DataView;

  /** Attributes with numbers beyond `highest` are passed over. */
  constructor(highest: number) {
    this.#at = new Int32Array(highest + 1);
    this.#length = new Int32Array(highest + 1);
    this.#bytes = new Uint8Array(0);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Reads those between two offsets. Of two with one number the latter counts. The bytes are not copied. */
  read(view: DataView, from: number, to: number): this {
    this.#length.fill(-1);
    if (view !== this.#view) {
      this.#view = view;
      this.#bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    }
    const end = Math.min(to, view.byteLength);
    for (let at = from; at + ATTRIBUTE_HEADER_LEN <= end; ) {
      const length = view.getUint16(at, true);
      if (length < ATTRIBUTE_HEADER_LEN || at + length > end) break;
      const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
      if (type < this.#at.length) {
        this.#at[type] = at + ATTRIBUTE_HEADER_LEN;
        this.#length[type] = length - ATTRIBUTE_HEADER_LEN;
      }
      at += aligned(length);
    }
    return this;
  }

  /** Those inside of an attribute of another message; none when it is not there. */
  readNested(outer: Attributes, type: number): this {
    const at = outer.#at[type] ?? 0;
    return this.read(outer.#view, at, outer.has(type) ? at + outer.lengthOf(type) : at);
  }

  has(type: number): boolean {
    return this.lengthOf(type) >= 0;
  }

  /** Of the value, bytes; -1 when it is not there. */
  lengthOf(type: number): number {
    return this.#length[type] ?? -1;
  }

  /** Where the value lies in the view that was read. */
  offsetOf(type: number): number {
    return this.#at[type]!;
  }

  u8(type: number): number | null {
    return this.lengthOf(type) >= 1 ? this.#view.getUint8(this.#at[type]!) : null;
  }

  u16(type: number): number | null {
    return this.lengthOf(type) >= 2 ? this.#view.getUint16(this.#at[type]!, true) : null;
  }

  be16(type: number): number | null {
    return this.lengthOf(type) >= 2 ? this.#view.getUint16(this.#at[type]!, false) : null;
  }

  u32(type: number): number | null {
    return this.lengthOf(type) >= 4 ? this.#view.getUint32(this.#at[type]!, true) : null;
  }

  be32(type: number): number | null {
    return this.lengthOf(type) >= 4 ? this.#view.getUint32(this.#at[type]!, false) : null;
  }

  /** Exact up to 2^53. */
  be64(type: number): number | null {
    return this.lengthOf(type) >= 8 ? Number(this.#view.getBigUint64(this.#at[type]!, false)) : null;
  }

  /** Exact up to 2^53. */
  u64(type: number): number | null {
    return this.lengthOf(type) >= 8 ? Number(this.#view.getBigUint64(this.#at[type]!, true)) : null;
  }

  /** A copy of the value; null when it is not there or has another length than one of those. */
  bytes(type: number, ...lengths: readonly number[]): Uint8Array | null {
    const length = this.lengthOf(type);
    if (length < 0 || (lengths.length > 0 && !lengths.includes(length))) return null;
    const at = this.#at[type]!;
    return this.#bytes.slice(at, at + length);
  }

  /** Text up to the first zero byte. */
  text(type: number): string | null {
    const length = this.lengthOf(type);
    if (length < 0) return null;
    const at = this.#at[type]!;
    let end = at;
    while (end < at + length && this.#bytes[end] !== 0) end++;
    return new TextDecoder().decode(this.#bytes.subarray(at, end));
  }
}
