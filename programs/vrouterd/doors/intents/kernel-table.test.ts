import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { readKernelTable } from './kernel-table.ts';

test('what is there is read, what is not there is empty', () => {
  assert.match(readKernelTable('/proc/self/net/tcp'), /local_address/);
  assert.equal(readKernelTable('/proc/self/net/nothing'), '');
});

test('a table that is there and cannot be read is a failure, not an empty one', () => {
  const isTold = (thrown: unknown): boolean =>
    thrown instanceof ProblemError && thrown.problem.code === 'plane.failed' && /EISDIR/.test(thrown.message);
  assert.throws(() => readKernelTable(tmpdir()), isTold);
});

test('with no files left it says so', () => {
  const module = JSON.stringify(new URL('./kernel-table.ts', import.meta.url).href);
  const program = `
    import { openSync } from 'node:fs';
    import { readKernelTable } from ${module};
    try { for (;;) openSync('/dev/null', 'r'); } catch {}
    try { console.log('read', readKernelTable('/proc/self/net/route')); } catch (thrown) { console.log(thrown.problem.code, thrown.message); }
  `;
  const shell = 'ulimit -n 100; exec "$0" --input-type=module-typescript --eval "$1"';
  const { stdout, stderr } = spawnSync('sh', ['-c', shell, process.execPath, program], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.match(stdout, /^plane.failed .*\/route \(EMFILE\): too many files are open/, stderr);
});
