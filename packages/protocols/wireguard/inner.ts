import { ipVersion } from '@vrouter/wire/ipv4/ipv4.ts';

const IPV4_MIN_LEN = 20;
const IPV6_LEN = 40;

/**
 * The length that the IP packet at `at` gives itself, padding left out; 0 when it is none, or longer than the `length` bytes there.
 * Checksums are the business of whoever takes the packet apart.
 */
export function innerLength(v: DataView, at: number, length: number): number {
  if (length < IPV4_MIN_LEN) return 0;
  const version = ipVersion(v, at);
  if (version === 4) {
    const total = v.getUint16(at + 2);
    return total >= IPV4_MIN_LEN && total <= length ? total : 0;
  }
  if (version !== 6 || length < IPV6_LEN) return 0;
  const total = IPV6_LEN + v.getUint16(at + 4);
  return total <= length ? total : 0;
}
