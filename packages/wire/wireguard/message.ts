/**
 * What the four WireGuard messages share (WireGuard paper section 5.4): a type byte, three zero bytes, then little-endian fields.
 *
 *   type 1 initiation 148   2 response 92   3 cookie reply 64   4 data 32 + n
 */
export const WG_INITIATION = 1;
export const WG_RESPONSE = 2;
export const WG_COOKIE_REPLY = 3;
export const WG_DATA = 4;

/** MAC1 and MAC2 end the two handshake messages. */
export const WG_MAC_LEN = 16;

/** Type and the reserved zeros in one number, so a message with other reserved bytes has none of the four types. Needs 4 bytes. */
export const wireguardType = (v: DataView, at: number): number => v.getUint32(at, true);

/** A copy of the bytes; what `parse` gives out must outlive the buffer. */
export function copyBytes(v: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(v.buffer, v.byteOffset + at, length).slice();
}

/** Writes a field of a fixed length. Throws RangeError when `bytes` has another. */
export function putBytes(v: DataView, at: number, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${length} bytes, not ${bytes.length}`);
  new Uint8Array(v.buffer, v.byteOffset + at, length).set(bytes);
}
