/** A file that was exported says what there is, and nothing else: applied, it changes nothing. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { compare } from '../apply/compare.ts';
import { readSources } from '../apply/read.ts';
import { anyVrouter, dice } from '../apply/worlds.testing.ts';
import { fileOf, fileText } from './file-text.ts';

const SEEDS = 300;

test('apply of an export is nothing, with --prune as without, in YAML and in JSON', () => {
  let things = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const whole = anyVrouter('edge.1', dice(seed));
    for (const text of [fileText(whole), JSON.stringify({ vrouters: { 'edge.1': fileOf(whole) } })]) {
      const { vrouters, mistakes } = readSources([{ file: 'f', text }]);
      assert.deepEqual(mistakes, [], text);
      for (const prune of [false, true]) {
        const { steps, same, left } = compare(vrouters, new Map([['edge.1', whole]]), prune);
        assert.deepEqual(steps, [], `seed ${seed}:\n${text}`);
        assert.deepEqual(left, {});
        things += same;
      }
    }
  }
  assert.ok(things > SEEDS * 10, 'there was something in them');
});

test('a preshared key is named as left out, where it is, and stands nowhere', () => {
  const withKeys = Array.from({ length: 50 }, (_, i) => anyVrouter('e', dice(i))).filter((whole) =>
    [...whole.parts.values()].some(({ fields }) => fields.presharedKey !== undefined),
  );
  assert.ok(withKeys.length > 5);
  for (const whole of withKeys) {
    const text = fileText(whole);
    const keys = [...whole.parts.values()].map(({ fields }) => fields.presharedKey).filter((key) => key !== undefined);
    assert.equal(text.match(/# its presharedKey is not exported/g)?.length, keys.length);
    for (const key of keys) assert.ok(!text.includes(String(key)));
  }
});

test('to make it elsewhere, and once more there, needs nothing but the file', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const whole = anyVrouter('e', dice(seed));
    const { vrouters } = readSources([{ file: 'f', text: fileText(whole) }]);
    const { steps, same } = compare(vrouters, new Map(), true);
    assert.ok(steps.every(({ action }) => action === 'create'));
    const own = [...whole.parts.values()].filter(({ usual }) => !usual).length + 1;
    assert.equal(steps.length + same, own);
  }
});
