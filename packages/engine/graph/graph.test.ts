import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dropReasons } from './drops.ts';
import { nodeNames } from './graph.ts';
import { graphPlan, nodeOrder } from './plan.ts';

test('a node stands behind those that feed it, ways back aside', () => {
  const order = nodeOrder({ a: ['b', 'c'], b: ['d'], c: ['d'], d: ['b'] }, 'a');
  assert.deepEqual(order, ['a', 'c', 'b', 'd']);
  const names: readonly string[] = nodeNames;
  const place = (name: string): number => names.indexOf(name);
  for (const [from, nexts] of Object.entries(graphPlan))
    for (const to of nexts) {
      const back = to === 'ip-lookup' && from !== 'ip-input' && from !== 'source-check';
      assert.ok(back || place(from) < place(to), `${from} -> ${to}`);
    }
  assert.equal(new Set(nodeNames).size, Object.keys(graphPlan).length, 'every node is reached');
});

test('drop reasons are distinct, and none is number 0', () => {
  assert.equal(new Set(dropReasons).size, dropReasons.length);
  assert.equal(dropReasons[0], 'none');
});
