import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Code, ConnectError } from '@connectrpc/connect';
import { Held, Room } from './room.ts';

async function* chunks(...lengths: number[]): AsyncIterable<Uint8Array> {
  for (const length of lengths) yield new Uint8Array(length);
}

async function count(held: Held, ...lengths: number[]): Promise<number> {
  let bytes = 0;
  for await (const chunk of held.count(chunks(...lengths))) bytes += chunk.byteLength;
  return bytes;
}

const isFull = (thrown: unknown): boolean =>
  thrown instanceof ConnectError && thrown.code === Code.ResourceExhausted && /under way/.test(thrown.message);

test('a room takes what fits, in the outer one too, or nothing of it', () => {
  const all = new Room(10);
  const [a, b] = [new Room(8, all), new Room(8, all)];
  assert.equal(a.take(8), true);
  assert.equal(a.take(1), false);
  assert.equal(b.take(3), false, 'all is full');
  assert.equal(b.take(2), true);
  a.give(8);
  assert.equal(b.take(7), false);
  assert.equal(b.take(6), true);
});

test('a call holds its bytes until it is released, the first 4096 for nothing; what finds no room is refused', async () => {
  const room = new Room(1000);
  const [a, b, short] = [new Held(room), new Held(room), new Held(room)];
  assert.equal(await count(a, 4000, 500, 96), 4596);
  await assert.rejects(count(b, 5096, 1), isFull);
  assert.equal(await count(short, 4096), 4096);
  a.release();
  b.release();
  b.release();
  assert.equal(await count(new Held(room), 5096), 5096);
  await assert.rejects(count(new Held(room), 4097), isFull);
});
