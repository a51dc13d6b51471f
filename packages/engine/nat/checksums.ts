/**
 * Sums that follow a translation, RFC 1624 equation 3: what changes is added as one 16-bit number in one's complement. A session knows
 * its number for the way out; the way in adds the complement, so what comes back is what went, to the bit.
 */

/** The sum of two words in one's complement. */
export function addWord(a: number, b: number): number {
  const sum = a + b;
  return (sum & 0xffff) + (sum >>> 16);
}

/** What a sum gains when 32 bits go from `before` to `after`. */
export function wordsDelta(before: number, after: number): number {
  const gone = addWord(~(before >>> 16) & 0xffff, ~before & 0xffff);
  const come = addWord(after >>> 16, after & 0xffff);
  return addWord(gone, come);
}

/** The checksum after its data has gained `delta`. */
export function gainChecksum(checksum: number, delta: number): number {
  return ~addWord(~checksum & 0xffff, delta) & 0xffff;
}

/** Writes the checksum at `at` anew after its data has gained `delta`. */
export function gainAt(view: DataView, at: number, delta: number): void {
  view.setUint16(at, gainChecksum(view.getUint16(at), delta));
}

/** As `gainAt` for UDP: 0 says that there is none, and stays; a sum of 0 is written as 0xffff (RFC 768). */
export function gainUdpAt(view: DataView, at: number, delta: number): void {
  const before = view.getUint16(at);
  if (before !== 0) view.setUint16(at, gainChecksum(before, delta) || 0xffff);
}
