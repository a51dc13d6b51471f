/** Any bytes as an Ethernet header: nothing may throw, and what is accepted is the same when written again. */
import { emitEthernet, parseEthernet } from './ethernet.ts';

export const name = 'wire/ethernet';

export const seeds: readonly Uint8Array[] = [
  '02005e10000102005e1000020800',
  '02005e10000102005e100002810000640800',
  'ffffffffffff02005e1000020806',
].map((hex) => Uint8Array.fromHex(hex));

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = parseEthernet(bytes, view, 0, bytes.length);
  if (header === null) return;
  const again = new Uint8Array(header.length);
  const copy = new DataView(again.buffer);
  const length = emitEthernet(again, copy, 0, header.dst, header.src, header.type, header.vlan);
  // A tag behind a tag is written as the payload that it is.
  if (length !== header.length) throw new Error('another length');
  if (JSON.stringify(parseEthernet(again, copy, 0, length)) !== JSON.stringify(header))
    throw new Error('came back changed');
}
