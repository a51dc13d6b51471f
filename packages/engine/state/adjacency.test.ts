import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AdjacencyKind, AdjacencyTable } from './adjacency.ts';

test('equal ways out share a row; the last release frees it', () => {
  const table = new AdjacencyTable();
  const a = table.obtain(AdjacencyKind.link, 3, null);
  const b = table.obtain(AdjacencyKind.link, 3, '10.0.0.9');
  assert.equal(table.obtain(AdjacencyKind.link, 3, null), a);
  assert.notEqual(a, b);
  assert.notEqual(a, 0);
  assert.deepEqual([table.kind[a], table.link[a]], [AdjacencyKind.link, 3]);
  table.release(a);
  assert.equal(table.kind[a], AdjacencyKind.link);
  table.release(a);
  assert.equal(table.kind[a], AdjacencyKind.none);
  assert.equal(table.obtain(AdjacencyKind.blackhole, -1, null), a);
});

test('it grows', () => {
  const table = new AdjacencyTable();
  const rows = Array.from({ length: 100 }, (_, link) => table.obtain(AdjacencyKind.link, link, null));
  assert.equal(new Set(rows).size, 100);
  rows.forEach((row, link) => {
    assert.equal(table.link[row], link);
  });
});
