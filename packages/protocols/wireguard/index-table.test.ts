import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Rng, seededRng } from '@vrouter/core/rng.ts';
import { IndexTable } from './index-table.ts';

test('like a map, while it grows and shrinks', () => {
  const dice = seededRng(7);
  // Clustered indices: every entry collides with others, also round the end of the table.
  const rng: Rng = { fill: dice.fill, uint32: () => (dice.uint32() % 3000) * 0x40_0001 + 0xffff_ff00 };
  const clustered: Rng = { fill: rng.fill, uint32: () => rng.uint32() >>> 0 };
  const table = new IndexTable<number, string>(clustered);
  const model = new Map<number, number | string>();
  for (let i = 0; i < 20_000; i++) {
    const some = [...model.keys()][dice.uint32() % Math.max(1, model.size)];
    const what = dice.uint32() % 5;
    if (what < 2 && model.size < 500) {
      const index = table.reserve(i);
      assert.ok(!model.has(index));
      model.set(index, i);
    } else if (what === 2 && some !== undefined) {
      table.promote(some, `s${i}`);
      model.set(some, `s${i}`);
    } else if (some !== undefined) {
      table.release(some);
      model.delete(some);
    }
    if (i % 50 !== 0) continue;
    assert.equal(table.size, model.size);
    for (const [index, value] of model) {
      assert.equal(table.waiting(index), typeof value === 'number' ? value : null);
      assert.equal(table.session(index), typeof value === 'string' ? value : null);
    }
  }
  table.release(12345);
  assert.equal(table.session(12345), null);
  assert.throws(() => table.promote(12345, 'x'));
});

test('with a prefix every index says whose it is, and the rest stays random', () => {
  const table = new IndexTable<number, string>(seededRng(3), { bits: 3, value: 5 });
  const indices = Array.from({ length: 500 }, (_, i) => table.reserve(i));
  assert.ok(indices.every((index) => index >>> 29 === 5));
  assert.equal(new Set(indices).size, 500);
  assert.ok(new Set(indices.map((index) => (index >>> 21) & 0xff)).size > 150, 'the bits behind the prefix vary');
  indices.forEach((index, i) => {
    assert.equal(table.waiting(index), i);
  });
});
