/** Any bytes as a chain of extension headers: nothing throws, and what is found lies inside of the packet. */
import { findUpperLayer, makeUpperLayer } from './extensions.ts';
import { checkIpv6 } from './ipv6.ts';

export const name = 'wire/ipv6-extensions';

const addresses = 'fd770000000000000000000000000002fd770000000000000000000000000003';
export const seeds: readonly Uint8Array[] = [
  Uint8Array.fromHex(`6000000000100040${addresses}2c000104000000003a00000100000007`),
  Uint8Array.fromHex(`6000000000103340${addresses}3c0200000000000000000000000000003a000000`),
];

const found = makeUpperLayer();

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (checkIpv6(view, 0, bytes.length) !== 0) return;
  findUpperLayer(view, 0, bytes.length, found);
  if (found.at < 40 || found.at > bytes.length) throw new Error(`the upper layer at ${found.at} of ${bytes.length}`);
  if (found.laterFragment && !found.fragment) throw new Error('a later piece that is no piece');
}
