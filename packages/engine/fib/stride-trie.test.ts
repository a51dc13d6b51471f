import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import { seededRng } from '@vrouter/core/rng.ts';
import fc from 'fast-check';
import { StrideTrie } from './stride-trie.ts';

interface Route {
  readonly address: Uint8Array;
  readonly bits: number;
  readonly value: number;
}

/** The dumb one: every route, the longest that matches. */
class Naive {
  routes: Route[] = [];
  set(address: Uint8Array, bits: number, value: number): void {
    this.remove(address, bits);
    this.routes.push({ address, bits, value });
  }
  remove(address: Uint8Array, bits: number): boolean {
    const before = this.routes.length;
    this.routes = this.routes.filter((route) => route.bits !== bits || !matches(address, route));
    return this.routes.length < before;
  }
  lookup(address: Uint8Array): number {
    let best: Route | null = null;
    for (const route of this.routes)
      if (matches(address, route) && (best === null || route.bits > best.bits)) best = route;
    return best?.value ?? 0;
  }
}

function matches(address: Uint8Array, route: { address: Uint8Array; bits: number }): boolean {
  for (let bit = 0; bit < route.bits; bit++) {
    const mask = 0x80 >>> (bit & 7);
    if ((address[bit >>> 3]! & mask) !== (route.address[bit >>> 3]! & mask)) return false;
  }
  return true;
}

const prefix = (text: string): { address: Uint8Array; bits: number } => {
  const parsed = parsePrefix(text);
  assert.ok(parsed.ok);
  return parsed.value;
};

for (const [family, length, stride] of [
  ['IPv4', 4, 8],
  ['IPv6', 16, 4],
] as const) {
  const lookup = (trie: StrideTrie, address: Uint8Array): number =>
    length === 4 ? trie.lookup4(address, 0) : trie.lookup6(address, 0);

  test(`${family}: inserts, replaces and removals answer like a list of all routes`, () => {
    // Few distinct bytes, so that prefixes nest and meet.
    const address = fc.array(fc.constantFrom(0, 1, 0x0f, 0x80, 0xff), { minLength: length, maxLength: length });
    const operation = fc.record({
      remove: fc.boolean(),
      address: address.map((bytes) => Uint8Array.from(bytes)),
      bits: fc.nat(length * 8),
      value: fc.integer({ min: 1, max: 1000 }),
    });
    fc.assert(
      fc.property(
        fc.array(operation, { maxLength: 60 }),
        fc.array(address, { maxLength: 10 }),
        (operations, probes) => {
          const trie = new StrideTrie(stride);
          const naive = new Naive();
          for (const { remove, address, bits, value } of operations) {
            if (remove) assert.equal(trie.remove(address, bits), naive.remove(address, bits));
            else {
              trie.set(address, bits, value);
              naive.set(address, bits, value);
            }
          }
          assert.equal(trie.size, naive.routes.length);
          for (const at of [
            ...operations.map((operation) => operation.address),
            ...probes.map((p) => Uint8Array.from(p)),
          ])
            assert.equal(lookup(trie, at), naive.lookup(at));
          for (const { address, bits, value } of naive.routes) assert.equal(trie.get(address, bits), value);
          for (const { address, bits } of naive.routes) assert.equal(trie.remove(address, bits), true);
          assert.equal(trie.blocks, 0, 'every block came back');
          for (const { address } of operations) assert.equal(lookup(trie, address), 0);
        },
      ),
      { seed: 11, numRuns: 300 },
    );
  });

  test(`${family}: 100,000 routes`, { timeout: 60_000 }, (t) => {
    const rng = seededRng(12);
    const trie = new StrideTrie(stride);
    const routes: Route[] = [];
    const seen = new Set<string>();
    for (let i = 0; routes.length < 100_000; i++) {
      const address = new Uint8Array(length);
      rng.fill(address);
      // Like real tables: IPv6 from few registries, lengths around /24 and /48.
      if (length === 16) address.set([0x20, 0x01, rng.uint32() & 0x0f]);
      const bits = length === 4 ? 16 + (rng.uint32() % 9) : 32 + (rng.uint32() % 17);
      for (let bit = bits; bit < length * 8; bit++) address[bit >>> 3] = address[bit >>> 3]! & ~(0x80 >>> (bit & 7));
      const name = `${address.toHex()}/${bits}`;
      if (!seen.has(name)) routes.push({ address, bits, value: (i % 1000) + 1 });
      seen.add(name);
    }
    const start = performance.now();
    for (const { address, bits, value } of routes) trie.set(address, bits, value);
    const added = performance.now();
    t.diagnostic(
      `${family}: 100,000 routes in ${(added - start).toFixed(0)} ms, ${(trie.tableBytes / 2 ** 20).toFixed(0)} MiB`,
    );
    assert.equal(trie.size, 100_000);
    for (let i = 0; i < routes.length; i += 97) {
      const { address, bits, value } = routes[i]!;
      assert.equal(trie.get(address, bits), value);
      assert.notEqual(lookup(trie, address), 0);
    }
    const removing = performance.now();
    for (const { address, bits } of routes) trie.remove(address, bits);
    t.diagnostic(`${family}: removed in ${(performance.now() - removing).toFixed(0)} ms`);
    assert.equal(trie.blocks, 0);
    for (let i = 0; i < routes.length; i += 97) assert.equal(lookup(trie, routes[i]!.address), 0);
  });

  test(`${family}: addresses are read where they stand`, () => {
    const trie = new StrideTrie(stride);
    const buffer = new Uint8Array(64).fill(0xff);
    buffer.fill(7, 13, 13 + length);
    trie.set(buffer.subarray(13), length * 8, 42);
    assert.equal(length === 4 ? trie.lookup4(buffer, 13) : trie.lookup6(buffer, 13), 42);
    assert.equal(length === 4 ? trie.lookup4(buffer, 12) : trie.lookup6(buffer, 12), 0);
  });
}

test('removing a route shows what it covered', () => {
  const trie = new StrideTrie(8);
  const host = Uint8Array.of(10, 1, 2, 3);
  const rows = ['0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.2.0/23', '10.1.2.3/32'].map(prefix);
  rows.forEach(({ address, bits }, i) => {
    trie.set(address, bits, i + 1);
  });
  for (let i = rows.length; i > 0; i--) {
    assert.equal(trie.lookup4(host, 0), i);
    assert.equal(trie.remove(rows[i - 1]!.address, rows[i - 1]!.bits), true);
  }
  assert.equal(trie.lookup4(host, 0), 0);
  assert.equal(trie.remove(host, 32), false);
});

test('an empty table costs nothing and ten routes next to nothing', () => {
  const trie = new StrideTrie(8);
  assert.equal(trie.lookup4(Uint8Array.of(10, 0, 0, 1), 0), 0);
  assert.equal(trie.tableBytes, 0);
  for (let i = 0; i < 10; i++) trie.set(Uint8Array.of(10, i, 2, 3), 32, 1);
  assert.ok(trie.tableBytes < 64 * 1024, `${trie.tableBytes} bytes`);
});
