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
}
