import assert from 'node:assert/strict';
import { closeSync, openSync, readSync } from 'node:fs';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createMemory, mapMemory } from './memory.ts';

const BYTES = 1 << 20;
const isHere = createMemory('probe', 4096) !== null;

it('is there on Linux', () => {
  if (process.platform === 'linux') assert.ok(isHere);
});

it('one mapping sees what is written through another, by another thread, and read as a file', {
  skip: !isHere && 'no memfd',
}, async () => {
  const fd = createMemory('test', BYTES)!;
  const [one, other] = [mapMemory(fd, BYTES)!, mapMemory(fd, BYTES)!].map((buffer) => new Uint8Array(buffer));
  assert.deepEqual([one!.length, one![0], one![BYTES - 1]], [BYTES, 0, 0]);
  one![77] = 1;
  assert.equal(other![77], 1);
  const url = new URL('memory.ts', import.meta.url).href;
  const code = `import(${JSON.stringify(url)}).then(({ mapMemory }) => { new Uint8Array(mapMemory(${fd}, ${BYTES}))[${BYTES - 1}] = 2; })`;
  await new Promise((resolve) => new Worker(code, { eval: true }).once('exit', resolve));
  assert.equal(one![BYTES - 1], 2);
  const file = openSync(`/proc/self/fd/${fd}`, 'r');
  const read = Buffer.alloc(8);
  readSync(file, read, 0, 8, 76);
  closeSync(file);
  assert.deepEqual([...read], [0, 1, 0, 0, 0, 0, 0, 0]);
});

it('what is no descriptor is not mapped', { skip: !isHere && 'no memfd' }, () => {
  assert.equal(mapMemory(-1, BYTES), null);
});
