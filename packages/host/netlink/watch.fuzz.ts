/** Any bytes as news of interfaces: nothing may throw, and no walk may run for ever. */
import { lossesOf } from './watch.ts';

export const name = 'host/netlink/watch';

export const seeds: readonly Uint8Array[] = [
  `2800000010000000000000000000000000000100030000004310010000000000${'0800300005000000'}`,
  `3000000010000000000000000000000000000100030000004310010000000000${'05000300780000000800300005000000'}`,
].map((hex) => Uint8Array.fromHex(hex));

export function fuzzOne(bytes: Uint8Array): void {
  const found = lossesOf(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 3);
  if (found !== null && bytes.length < 40) throw new Error('found where nothing can be');
}
