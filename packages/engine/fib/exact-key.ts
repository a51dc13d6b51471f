/** A short text that two prefixes share when they are equal, host bits aside: the length, then the network in 16-bit characters. */
export function exactKey(address: Uint8Array, bits: number): string {
  let key = String.fromCharCode(bits);
  for (let bit = 0; bit < bits; bit += 16) {
    const word = (address[bit >>> 3]! << 8) | address[(bit >>> 3) + 1]!;
    const keep = Math.min(16, bits - bit);
    key += String.fromCharCode(word & (0xffff0000 >>> keep) & 0xffff);
  }
  return key;
}
