/** Any bytes as an IPv6 packet: nothing may throw, and what is accepted is the same 40 bytes when written again. */
import { emitIpv6, IPV6_LEN, parseIpv6, swapIpv6Addresses } from './ipv6.ts';

export const name = 'wire/ipv6';

export const seeds: readonly Uint8Array[] = [
  '60000000000b1140fd770000000000000000000000000002fd7700000000000000000000000000030fa01388000b1d59616263',
  '6ff1234500003bfffe800000000000000000000000000001ff020000000000000000000000000001',
].map((hex) => Uint8Array.fromHex(hex));

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const header = parseIpv6(view, 0, bytes.length);
  if (header === null) return;
  const again = new Uint8Array(IPV6_LEN).fill(0xa5);
  emitIpv6(header, new DataView(again.buffer), 0);
  const before = bytes.subarray(0, IPV6_LEN).toHex();
  if (again.toHex() !== before) throw new Error(`${before} came back as ${again.toHex()}`);
  swapIpv6Addresses(view, 0);
  swapIpv6Addresses(view, 0);
  if (bytes.subarray(0, IPV6_LEN).toHex() !== before) throw new Error('swapped twice is not the same');
}
