/** The parts that the translator is made of, each against something simpler. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addWord, gainChecksum, wordsDelta } from './checksums.ts';
import { fuzzOne, seeds } from './nat.fuzz.ts';
import { PortSet } from './ports.ts';
import { Published, type PublishedRange } from './published.ts';
import { TupleIndex } from './tuple-index.ts';
import { Wheel } from './wheel.ts';

test('an index is a Map, through growth and deletions', () => {
  const step = fc.record({ what: fc.nat(3), a: fc.nat(5), b: fc.nat(5), c: fc.nat(3), value: fc.nat(100) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.integer(), (steps, seed) => {
      const index = new TupleIndex(seed);
      const map = new Map<string, number>();
      for (const { what, a, b, c, value } of steps) {
        const key = `${a} ${b} ${c}`;
        if (what <= 1) {
          index.set(a, b, -c, 7, value);
          map.set(key, value);
        } else if (what === 2) {
          index.delete(a, b, -c, 7);
          map.delete(key);
        } else assert.equal(index.find(a, b, -c, 7), map.get(key) ?? -1);
      }
      assert.equal(index.count, map.size);
      for (let a = 0; a <= 5; a++)
        for (let b = 0; b <= 5; b++)
          for (let c = 0; c <= 3; c++) assert.equal(index.find(a, b, -c, 7), map.get(`${a} ${b} ${c}`) ?? -1);
    }),
    { seed: 31 },
  );
});

test('an index counts, and forgets what has come to nothing', () => {
  const index = new TupleIndex(1);
  assert.equal(index.add(1, 2, 3, 4, 1), 1);
  assert.equal(index.add(1, 2, 3, 4, 1), 2);
  assert.equal(index.add(1, 2, 3, 4, -1), 1);
  assert.equal(index.add(1, 2, 3, 4, -1), 0);
  assert.deepEqual([index.find(1, 2, 3, 4), index.count], [-1, 0]);
});

test('a wheel shows each row once it is due, never later, and puts off what moved away', () => {
  const step = fc.record({ row: fc.nat(9), life: fc.integer({ min: 1, max: 20_000 }), pass: fc.nat(9_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const deadlines = new Map<number, number>();
      const wheel = new Wheel(4);
      wheel.grow(10);
      const owner = {
        due(row: number, tick: number): number {
          const deadline = deadlines.get(row)!;
          if (deadline > tick) return deadline;
          deadlines.delete(row);
          return 0;
        },
      };
      let now = 0;
      for (const { row, life, pass } of steps) {
        deadlines.set(row, now + life);
        wheel.wait(row, now + life);
        now += pass;
        wheel.advance(now, owner);
        for (const deadline of deadlines.values()) assert.ok(deadline > now);
      }
      assert.ok([...deadlines.keys()].every((row) => row < 10));
    }),
    { seed: 32 },
  );
  const wheel = new Wheel(2);
  wheel.wait(0, 5);
  wheel.wait(1, 5);
  wheel.cancel(1);
  const shown: number[] = [];
  wheel.advance(100, { due: (row) => shown.push(row) * 0 });
  assert.deepEqual(shown, [0]);
});

test('ports: the wanted one, then one of its parity, then any, then none', () => {
  const ports = new PortSet();
  ports.reserve(2003, 2003);
  const taken = [2001, 2001, 2001, 2001, 2001].map((wanted) => {
    const port = ports.choose(wanted, 2000, 2005, 2002);
    if (port >= 0) ports.take(port);
    return port;
  });
  assert.deepEqual(taken, [2001, 2005, 2002, 2004, 2000]);
  assert.equal(ports.choose(2001, 2000, 2005, 2002), -1);
  ports.release(2004);
  assert.equal(ports.choose(9, 2000, 2005, 2000), 2004);
  assert.equal(ports.choose(2003, 2003, 2003, 2003), -1);
  ports.clearReserved();
  assert.equal(ports.choose(2003, 2003, 2003, 2003), 2003);
  assert.equal(new PortSet().choose(0xffff, 0, 0xffff, 5), 0xffff);
});

test('published ranges: an address of its own before every address', () => {
  const range = (rule: number, address: number, firstPort: number, lastPort: number): PublishedRange => ({
    rule,
    protocol: 6,
    vrf: 0,
    address,
    firstPort,
    lastPort,
    toAddress: 1,
    toPort: 1,
    hairpin: false,
    reachedBy: null,
  });
  const published = new Published();
  published.replace([range(1, 0, 80, 90), range(2, -5, 85, 85), range(3, -5, 1, 10)]);
  const found = (address: number, port: number): number => published.find(6, address, port)?.rule ?? 0;
  assert.deepEqual(
    [79, 80, 84, 85, 86, 90, 91, 10, 11].map((port) => found(-5, port)),
    [0, 1, 1, 2, 1, 1, 0, 3, 0],
  );
  assert.deepEqual([found(-6, 85), found(7, 10), published.find(17, -5, 85)], [1, 0, null]);
});

test('what a sum has gained it loses again, to the bit', () => {
  const word = fc.integer();
  fc.assert(
    fc.property(word, word, fc.nat(0xfffe), (before, after, checksum) => {
      const delta = wordsDelta(before, after);
      assert.equal(gainChecksum(gainChecksum(checksum, delta), ~delta & 0xffff), checksum);
      assert.equal(addWord(delta, wordsDelta(after, before)) % 0xffff, 0);
    }),
    { seed: 33 },
  );
});

test('mangled packets: every property of the fuzzer holds', () => {
  for (const seed of seeds) fuzzOne(seed);
  const place = fc.tuple(fc.integer({ min: 12, max: 80 }), fc.nat(255));
  fc.assert(
    fc.property(
      fc.nat(seeds.length - 1),
      fc.array(place, { maxLength: 4 }),
      fc.nat(0xffff),
      (which, changes, fragment) => {
        const bytes = seeds[which]!.slice();
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        const view = new DataView(bytes.buffer);
        if (fragment % 3 === 0) view.setUint16(6, fragment);
        let sum = 0;
        view.setUint16(10, 0);
        for (let at = 0; at < 20; at += 2) sum += view.getUint16(at);
        while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
        view.setUint16(10, ~sum & 0xffff);
        fuzzOne(bytes);
      },
    ),
    { seed: 34, numRuns: 1500 },
  );
});
