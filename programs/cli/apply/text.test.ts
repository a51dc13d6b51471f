/** What is said of a run besides its counts. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Outcome } from './run.ts';
import { heldTexts } from './text.ts';
import type { Kind } from './things.ts';

/** `count` deletions of a kind in `vrouter`, of which so many failed. */
function deleted(vrouter: string, kind: Kind, count: number, failed = 0): Outcome[] {
  const rest = { changes: [], effect: 'none', note: '', wanted: null, present: null, problem: null } as const;
  return Array.from({ length: count }, (_, i) => ({
    step: { action: 'delete', kind, vrouter, id: `x${i}`, ...rest },
    state: i < failed ? 'failed' : 'done',
    failure: null,
    version: 1,
  }));
}

test('ten of a kind that are gone are what a gateway may not believe', () => {
  const many = [...deleted('edge', 'peer', 10), ...deleted('edge', 'route', 9), ...deleted('branch', 'route', 12)];
  const [edge, branch, ...more] = heldTexts(many);
  assert.match(edge!, /^the gateway of edge may hold back that it loses 10 peers: .* vrouterctl vrouter confirm edge /);
  assert.match(branch!, /^the gateway of branch .* 12 routes: /);
  assert.deepEqual(more, []);
});

test('fewer are taken at once, and what failed is still there', () => {
  assert.deepEqual(heldTexts([...deleted('edge', 'peer', 9), ...deleted('branch', 'peer', 9)]), []);
  assert.deepEqual(heldTexts(deleted('edge', 'peer', 10, 1)), []);
});
