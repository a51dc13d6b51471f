import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { containsPrefix, formatPrefix, networkOf, type Prefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import fc from 'fast-check';
import { AllowedIps, type AllowedNode } from './allowed-ips.ts';

class Owner {
  readonly name: string;
  readonly allowed = new Set<AllowedNode<Owner>>();
  constructor(name: string) {
    this.name = name;
  }
}

function p(text: string): Prefix {
  const parsed = parseInterfaceAddress(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

function who(trie: AllowedIps<Owner>, text: string): string | undefined {
  const parsed = parseIp(text);
  assert.ok(parsed.ok, text);
  // At an offset, as in a packet.
  const buffer = new Uint8Array(24).fill(0xa5);
  buffer.set(parsed.value, 5);
  return trie.lookup(buffer, 5, parsed.value.length as 4 | 16)?.name;
}

const listed = (trie: AllowedIps<Owner>, owner: Owner): string[] => trie.prefixesOf(owner).map(formatPrefix);

test('the longest prefix wins, families apart', () => {
  const trie = new AllowedIps<Owner>();
  const [a, b, c] = [new Owner('a'), new Owner('b'), new Owner('c')];
  trie.insert(p('10.0.0.0/8'), a);
  trie.insert(p('10.1.0.0/16'), b);
  trie.insert(p('10.1.2.3/32'), c);
  trie.insert(p('::/0'), b);
  trie.insert(p('2001:db8::/33'), a);
  trie.insert(p('2001:db8::1/128'), c);
  for (const [address, owner] of [
    ['10.9.9.9', 'a'],
    ['10.1.9.9', 'b'],
    ['10.1.2.3', 'c'],
    ['10.1.2.2', 'b'],
    ['11.0.0.0', undefined],
    ['2001:db8::1', 'c'],
    ['2001:db8::2', 'a'],
    ['2001:db8:8000::', 'b'],
    ['::', 'b'],
  ] as const)
    assert.equal(who(trie, address), owner, address);
});

test('a prefix has one owner: giving it to another moves it', () => {
  const trie = new AllowedIps<Owner>();
  const [a, b] = [new Owner('a'), new Owner('b')];
  trie.replace(a, [p('10.0.0.0/24'), p('10.0.1.0/24')]);
  trie.replace(b, [p('10.0.1.0/24')]);
  assert.deepEqual(listed(trie, a), ['10.0.0.0/24']);
  assert.deepEqual(listed(trie, b), ['10.0.1.0/24']);
  assert.equal(trie.remove(p('10.0.1.0/24'), a), false);
  assert.equal(trie.remove(p('10.0.1.0/25'), b), false);
  assert.equal(who(trie, '10.0.1.1'), 'b');
  trie.replace(a, []);
  assert.equal(who(trie, '10.0.0.1'), undefined);
});

test('host bits do not count', () => {
  const trie = new AllowedIps<Owner>();
  const a = new Owner('a');
  trie.insert(p('10.0.0.77/24'), a);
  assert.deepEqual(listed(trie, a), ['10.0.0.0/24']);
  assert.equal(trie.remove(p('10.0.0.1/24'), a), true);
  assert.deepEqual(listed(trie, a), []);
});

test('like a list that is searched through, for any change and family', () => {
  // Few distinct bits, so that prefixes nest, clash and fork at every depth.
  const bytes = (n: number) => fc.array(fc.constantFrom(0, 1, 0x80, 0xff), { minLength: n, maxLength: n });
  const prefix = fc.oneof(
    fc.tuple(bytes(4), fc.integer({ min: 0, max: 32 })),
    fc.tuple(bytes(16), fc.integer({ min: 0, max: 128 })),
  );
  const change = fc.record({
    kind: fc.constantFrom('insert', 'insert', 'insert', 'remove', 'removeOwner', 'replace'),
    owner: fc.integer({ min: 0, max: 2 }),
    prefixes: fc.array(prefix, { minLength: 1, maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 25 }), fc.array(prefix, { maxLength: 8 }), (changes, probes) => {
      const trie = new AllowedIps<Owner>();
      const owners = [new Owner('0'), new Owner('1'), new Owner('2')];
      const model = new Map<string, { prefix: Prefix; owner: string }>();
      const asPrefix = ([address, bits]: [number[], number]): Prefix =>
        networkOf({ address: Uint8Array.from(address), bits });
      for (const { kind, owner: index, prefixes } of changes) {
        const owner = owners[index]!;
        const list = prefixes.map(asPrefix);
        const give = (one: Prefix) => model.set(formatPrefix(one), { prefix: one, owner: owner.name });
        const dropAll = () => {
          for (const [key, value] of model) if (value.owner === owner.name) model.delete(key);
        };
        if (kind === 'insert') {
          trie.insert(list[0]!, owner);
          give(list[0]!);
        } else if (kind === 'remove') {
          const key = formatPrefix(list[0]!);
          const had = model.get(key)?.owner === owner.name;
          assert.equal(trie.remove(list[0]!, owner), had);
          if (had) model.delete(key);
        } else if (kind === 'replace') {
          trie.replace(owner, list);
          dropAll();
          for (const one of list) give(one);
        } else {
          trie.removeOwner(owner);
          dropAll();
        }
      }
      for (const owner of owners) {
        const wanted = [...model].filter(([, value]) => value.owner === owner.name).map(([key]) => key);
        assert.deepEqual(listed(trie, owner).sort(), wanted.sort());
      }
      const addresses: Uint8Array[] = probes.map(([address]) => Uint8Array.from(address));
      for (const { prefix: one } of model.values()) addresses.push(one.address);
      for (const address of addresses) {
        let best: { prefix: Prefix; owner: string } | undefined;
        for (const entry of model.values())
          if (containsPrefix(entry.prefix, { address, bits: address.length * 8 }))
            if (best === undefined || entry.prefix.bits > best.prefix.bits) best = entry;
        assert.equal(who(trie, formatIp(address)), best?.owner, formatIp(address));
      }
    }),
    { seed: 4632, numRuns: 400 },
  );
});
