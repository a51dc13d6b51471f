import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeds } from './watch.fuzz.ts';
import { lossesOf } from './watch.ts';

test('the count of losses stands among other attributes, in the last message about the interface', () => {
  for (const bytes of seeds) assert.equal(lossesOf(new DataView(bytes.buffer), 3), 5);
  const both = new Uint8Array(seeds[0]!.length + seeds[1]!.length);
  both.set(seeds[0]!);
  both.set(seeds[1]!, seeds[0]!.length);
  both[both.length - 4] = 9;
  assert.equal(lossesOf(new DataView(both.buffer), 3), 9);
  assert.equal(lossesOf(new DataView(both.buffer), 4), null);
});
