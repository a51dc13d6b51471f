import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { MAX_WORKERS } from '../control/messages.ts';
import { ownerOf, steeringProgram, WORKER_BITS, workerOf } from './share.ts';

/** The few instructions that we use, as linux/filter.h has them; a load beyond the end ends the program with 0. */
function runFilter(bytes: Uint8Array): number {
  let a = 0;
  for (let at = 0; ; at++) {
    const [code, yes, no, k] = steeringProgram[at]!;
    switch (code) {
      case 0x30:
        if (k >= bytes.length) return 0;
        a = bytes[k]!;
        break;
      case 0x15:
        at += a === k ? yes : no;
        break;
      case 0x74:
        a >>>= k;
        break;
      case 0x16:
        return a;
      case 0x06:
        return k;
      default:
        assert.fail(`instruction ${code}`);
    }
  }
}

test('rows: where a datagram belongs', () => {
  const rows: readonly [string, number, number, number][] = [
    ['an initiation', 1, 148, 0],
    ['a response', 2, 92, 5],
    ['a cookie reply', 3, 64, 6],
    ['data', 4, 1452, 6],
    ['a keepalive', 4, 32, 6],
    ['data that is too short', 4, 7, 0],
    ['a response that is too short', 2, 11, 0],
    ['no message', 5, 100, 0],
    ['nothing', 0, 0, 0],
  ];
  for (const [what, type, length, worker] of rows) {
    const bytes = new Uint8Array(length + 3).fill(0xff);
    bytes[3] = type;
    bytes[3 + 7] = 6 << (8 - WORKER_BITS);
    bytes[3 + 11] = (5 << (8 - WORKER_BITS)) | 7;
    assert.equal(workerOf(bytes, 3, length), worker, what);
  }
});

test('the kernel is told the same', () => {
  const rng = seededRng(2);
  for (let i = 0; i < 20_000; i++) {
    const bytes = new Uint8Array(rng.uint32() % 40);
    rng.fill(bytes);
    if (bytes.length > 0) bytes[0] = rng.uint32() % 6;
    const told = runFilter(bytes);
    assert.equal(told, workerOf(bytes, 0, bytes.length), bytes.toHex());
    assert.ok(told < MAX_WORKERS);
  }
});

test('peers are spread evenly, and the same key stays where it is', () => {
  const rng = seededRng(4);
  for (let workers = 1; workers <= MAX_WORKERS; workers++) {
    const counts = new Array<number>(workers).fill(0);
    for (let i = 0; i < 4000; i++) {
      const key = new Uint8Array(32);
      rng.fill(key);
      const owner = ownerOf(key, workers);
      assert.equal(ownerOf(key.slice(), workers), owner);
      counts[owner]!++;
    }
    assert.ok(Math.min(...counts) > (4000 / workers) * 0.8, `${counts}`);
  }
});
