import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLater, nextLabel, tai64n } from './tai64n.ts';

test('seconds big-endian, nanoseconds rounded down', () => {
  assert.equal(tai64n(1_700_000_000_123.456).toHex(), '400000006553f10a07000000');
  assert.equal(tai64n(0).toHex(), '400000000000000a00000000');
  assert.equal(tai64n(4_294_967_286_000).toHex(), '400000010000000000000000');
  assert.equal(tai64n(999).toHex(), '400000000000000a3b000000');
});

test('the next label is later, keeps the grain, and carries', () => {
  let label = tai64n(4_294_967_285_900);
  for (let i = 0; i < 20; i++) {
    const next = nextLabel(label);
    assert.ok(isLater(next, label));
    assert.ok(!isLater(label, next));
    assert.equal(next[9]! | next[10]! | next[11]!, 0);
    label = next;
  }
  assert.equal(label.subarray(0, 8).toHex(), '4000000100000000');
  assert.ok(!isLater(label, label));
});
