import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Writer } from './writer.ts';

const never = new AbortController().signal;

test('one after the other, in the order in which they came; a failure holds back nobody', async () => {
  const writer = new Writer();
  const seen: string[] = [];
  const work = (name: string, ms: number) => async (): Promise<string> => {
    seen.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, ms));
    seen.push(`${name} ends`);
    if (name === 'b') throw new Error('b');
    return name;
  };
  const all = [writer.run(never, work('a', 8)), writer.run(never, work('b', 1)), writer.run(never, work('c', 0))];
  const outcomes = (await Promise.allSettled(all)).map(({ status }) => status);
  assert.deepEqual(outcomes, ['fulfilled', 'rejected', 'fulfilled']);
  assert.deepEqual(
    seen,
    ['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]),
  );
});

test('who has gone before its turn is told at once, and nothing of it is done', async () => {
  const writer = new Writer();
  const first = Promise.withResolvers<void>();
  const began = writer.run(never, () => first.promise);
  const gone = new AbortController();
  let ran = false;
  const waiting = writer.run(gone.signal, async () => {
    ran = true;
  });
  const last = writer.run(never, async () => 'last');
  gone.abort(new Error('gone'));
  await assert.rejects(waiting, /gone/);
  first.resolve();
  await began;
  assert.equal(await last, 'last');
  assert.equal(ran, false);
});
