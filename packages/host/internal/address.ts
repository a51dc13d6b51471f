/**
 * Where a buffer lies in memory. An address does not keep its buffer alive: whoever hands one to the kernel holds the buffer until
 * the call is over, and what the kernel may write to later lies in an arena that lives as long as the descriptor.
 */
import type { Native } from './native.ts';

export type AnyBuffer = ArrayBuffer | SharedArrayBuffer;

/** Addresses of buffers, asked for once: koffi's answer is a BigInt and costs more than a short syscall's preparation. */
export class AddressBook {
  readonly #native: Native;
  readonly #known = new WeakMap<AnyBuffer, number>();
  #lastView: Uint8Array | null = null;
  #lastAddress = 0;

  constructor(native: Native) {
    this.#native = native;
  }

  /** The address of byte 0 of the buffer. Below 2^48 on the machines we run on, so a Number holds it. */
  of(buffer: AnyBuffer): number {
    const known = this.#known.get(buffer);
    if (known !== undefined) return known;
    const address = Number(this.#native.koffi.address(buffer));
    // A detached or empty buffer has no address; remembering that would outlive a later, real one.
    if (address !== 0) this.#known.set(buffer, address);
    return address;
  }

  /**
   * The address of the first byte that the view shows. Remembers the last view asked for: of the packets of a batch nearly all lie in
   * one region, and a getter of a typed array costs about as much as a lookup in a WeakMap.
   */
  ofView(view: Uint8Array): number {
    if (view !== this.#lastView) {
      const address = this.of(view.buffer) + view.byteOffset;
      if (view.length === 0) return address;
      this.#lastView = view;
      this.#lastAddress = address;
    }
    return this.#lastAddress;
  }
}
