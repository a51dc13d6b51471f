/**
 * What nf_tables keeps for us beside things and never reads: type, length, value, one byte each for the first two (libnftnl's udata.h).
 * Type 0 is the comment that `nft list` shows, ending in a zero byte; it passes over types that it does not know.
 */

const COMMENT = 0;
/** NFT_USERDATA_MAXLEN */
export const USERDATA_BYTES = 256;

export type Userdata = ReadonlyMap<number, Uint8Array>;

/** Throws RangeError when it is more than the kernel keeps: whoever writes knows how long it is. */
export function writeUserdata(values: Userdata): Uint8Array {
  const bytes: number[] = [];
  for (const [type, value] of values) bytes.push(type, value.length, ...value);
  if (bytes.length > USERDATA_BYTES || [...values.values()].some((value) => value.length > 255))
    throw new RangeError(`${bytes.length} bytes of userdata`);
  return Uint8Array.from(bytes);
}

/** What is cut off at the end is not among them. */
export function readUserdata(bytes: Uint8Array): Userdata {
  const values = new Map<number, Uint8Array>();
  for (let at = 0; at + 2 <= bytes.length; at += 2 + bytes[at + 1]!) {
    const end = at + 2 + bytes[at + 1]!;
    if (end > bytes.length) break;
    values.set(bytes[at]!, bytes.slice(at + 2, end));
  }
  return values;
}

/** A comment of up to 254 bytes. */
export function commentOf(text: string): [number, Uint8Array] {
  return [COMMENT, new TextEncoder().encode(`${text}\0`)];
}

export function readComment(values: Userdata): string | null {
  const bytes = values.get(COMMENT);
  if (bytes === undefined) return null;
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
