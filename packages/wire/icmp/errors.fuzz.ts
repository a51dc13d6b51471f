/** Any bytes as an ICMP error of either family: nothing throws, and what is parsed is written back byte for byte. */
import { emitIcmpError, icmpErrorLen, parseIcmpError } from './errors.ts';

export const name = 'wire/icmp-errors';

export const seeds: readonly Uint8Array[] = [
  Uint8Array.fromHex('0304000000000514450000141c46400040114300'),
  Uint8Array.fromHex('03000000000000006000000000001140'),
];

export function fuzzOne(bytes: Uint8Array): void {
  if (bytes.length < 8) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (parseIcmpError(4, view, 0, bytes.length, 0) !== null) throw new Error('half a header was taken');
    return;
  }
  for (const family of [4, 6] as const) {
    const copy = bytes.slice();
    const view = new DataView(copy.buffer);
    parseIcmpError(family, view, 0, copy.length, 0);
    // With a right checksum, so that the rest is looked at.
    emitIcmpError(
      { family, type: copy[0]!, code: copy[1]!, rest: view.getUint32(4), quote: copy.slice(8) },
      view,
      0,
      0,
    );
    const parsed = parseIcmpError(family, view, 0, copy.length, 0);
    if (parsed === null) continue;
    const again = new Uint8Array(icmpErrorLen(parsed)).fill(0xa5);
    emitIcmpError(parsed, new DataView(again.buffer), 0, 0);
    if (again.toHex() !== copy.toHex()) throw new Error('written back otherwise than it came');
  }
}
