/** Any bytes as an ARP message: nothing may throw, and what is accepted is the same when written again. */
import { ARP_LEN, emitArp, parseArp } from './arp.ts';

export const name = 'wire/arp';

export const seeds: readonly Uint8Array[] = [
  '000108000604000102005e100002c0000202000000000000c0000201',
  '000108000604000202005e100001c000020102005e100002c0000202',
].map((hex) => Uint8Array.fromHex(hex));

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const message = parseArp(bytes, view, 0, bytes.length);
  if (message === null) return;
  const again = new Uint8Array(ARP_LEN).fill(0xa5);
  emitArp(message, again, new DataView(again.buffer), 0);
  if (again.some((byte, i) => byte !== bytes[i])) throw new Error('came back changed');
}
