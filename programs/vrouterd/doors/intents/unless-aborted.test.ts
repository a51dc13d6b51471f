import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { unlessAborted } from './unless-aborted.ts';

test('with a signal that was aborted before, the work does not begin', async () => {
  let began = false;
  const work = async (): Promise<void> => {
    began = true;
  };
  await assert.rejects(unlessAborted(AbortSignal.abort(new Error('gone')), work), /gone/);
  assert.equal(began, false);
});

test('aborted meanwhile, it rejects at once; that the work fails later disturbs nobody', async () => {
  const gone = new AbortController();
  const work = Promise.withResolvers<void>();
  const waiting = unlessAborted(gone.signal, () => work.promise);
  gone.abort(new Error('gone'));
  await assert.rejects(waiting, /gone/);
  work.reject(new Error('late'));
  await turn();
});

test('otherwise it is what the work comes to, also when it cannot even begin', async () => {
  const { signal } = new AbortController();
  assert.equal(await unlessAborted(signal, async () => 7), 7);
  await assert.rejects(
    unlessAborted(signal, () => {
      throw new Error('no');
    }),
    /no/,
  );
});
