/**
 * Allowed IPs by sequences of changes and questions, against a list that is searched from end to end. An operation takes 6 bytes:
 * what and who, prefix length, four bytes of address (spread over an IPv6 one).
 */
import { formatPrefix, networkOf, type Prefix } from '@vrouter/core/prefix.ts';
import { AllowedIps, type AllowedNode } from './allowed-ips.ts';

export const name = 'protocols/allowed-ips';

class Owner {
  readonly allowed = new Set<AllowedNode<Owner>>();
}

const OWNERS = 4;
const insert4 = [0, 8, 10, 0, 0, 0];
const insert6 = [0x80, 64, 0xfd, 0x77, 0, 0];
export const seeds: readonly Uint8Array[] = [
  [...insert4, 0x01, 24, 10, 77, 0, 0, 0x02, 32, 10, 77, 0, 2, 0x30, 0, 10, 77, 0, 2, 0x11, 24, 10, 77, 0, 0],
  [...insert6, 0x81, 128, 0xfd, 0x77, 0, 9, 0xb0, 0, 0xfd, 0x77, 0, 9, 0xa1, 0, 0, 0, 0, 0, 0xb0, 0, 0xfd, 0x77, 0, 9],
  [0, 0, 0, 0, 0, 0, 1, 1, 128, 0, 0, 0, 0x30, 0, 200, 0, 0, 1, 0x20, 0, 0, 0, 0, 0, 0x30, 0, 200, 0, 0, 1],
].map((bytes) => Uint8Array.from(bytes));

export function fuzzOne(bytes: Uint8Array): void {
  const trie = new AllowedIps<Owner>();
  const owners = Array.from({ length: OWNERS }, () => new Owner());
  const plain = new Map<string, { readonly prefix: Prefix; readonly owner: Owner }>();
  for (let at = 0; at + 6 <= Math.min(bytes.length, 600); at += 6) {
    const six = (bytes[at]! & 0x80) !== 0;
    const owner = owners[bytes[at]! % OWNERS]!;
    const address = new Uint8Array(six ? 16 : 4);
    for (let i = 0; i < 4; i++) address[six ? i * 5 : i] = bytes[at + 2 + i]!;
    const prefix = networkOf({ address, bits: bytes[at + 1]! % (address.length * 8 + 1) });
    const key = formatPrefix(prefix);
    switch ((bytes[at]! >>> 4) & 3) {
      case 0:
        trie.insert(prefix, owner);
        plain.set(key, { prefix, owner });
        break;
      case 1: {
        const had = plain.get(key)?.owner === owner;
        if (trie.remove(prefix, owner) !== had) throw new Error(`removing ${key} was said to be ${!had}`);
        if (had) plain.delete(key);
        break;
      }
      case 2:
        trie.removeOwner(owner);
        for (const [name, one] of plain) if (one.owner === owner) plain.delete(name);
        break;
      default: {
        const found = trie.lookup(address, 0, six ? 16 : 4);
        if (found !== longest(plain.values(), address)) throw new Error(`another owner for ${formatPrefix(prefix)}`);
      }
    }
  }
  for (const owner of owners) {
    const own = trie.prefixesOf(owner).map(formatPrefix).sort();
    const expected = [...plain].filter(([, one]) => one.owner === owner).map(([key]) => key);
    if (own.join(' ') !== expected.sort().join(' ')) throw new Error(`${own.join(' ')}, not ${expected.join(' ')}`);
  }
}

function longest(all: Iterable<{ readonly prefix: Prefix; readonly owner: Owner }>, address: Uint8Array): Owner | null {
  let bits = -1;
  let best: Owner | null = null;
  for (const { prefix, owner } of all) {
    if (prefix.address.length !== address.length || prefix.bits <= bits) continue;
    if (formatPrefix(networkOf({ address, bits: prefix.bits })) !== formatPrefix(prefix)) continue;
    bits = prefix.bits;
    best = owner;
  }
  return best;
}
