import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problem } from '@vrouter/core/problem.ts';
import type { IntentProblem } from '@vrouter/intent/index/complaints.ts';
import type { IntentKey, IntentSource } from '@vrouter/intent/model/intents.ts';
import { FileTold } from './told.ts';

test('each problem of the file is told once, and again when it comes back; others’ are not', () => {
  const of = (source: IntentSource, key: string): IntentProblem => ({
    source,
    key: key as IntentKey,
    problem: problem('intent.conflict', `${key} is another's`),
  });
  let problems: readonly IntentProblem[] = [];
  const heard: string[] = [];
  const log = { warn: (facts: { key: string; code: string }) => heard.push(`${facts.key} ${facts.code}`) };
  const told = new FileTold({ problems: () => problems }, log as never);
  const blue = of('file', 'network/blue');
  for (const now of [[blue, of('cli', 'network/red')], [blue], [], [blue, of('file', 'network/green')]]) {
    problems = now;
    told.tell();
  }
  assert.deepEqual(heard, [
    'network/blue intent.conflict',
    'network/blue intent.conflict',
    'network/green intent.conflict',
  ]);
});
