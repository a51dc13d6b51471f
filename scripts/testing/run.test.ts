/** The runner counts what happened and hides nothing: tried on files that pass, fail, crash, skip and say nothing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { root } from '../files.ts';
import type { TestRun } from './run.ts';

const folder = mkdtempSync(join(tmpdir(), 'runner-'));
after(() => rmSync(folder, { recursive: true }));

const head = "import test, { describe } from 'node:test';\n";
const files = {
  'good.test.ts': `${head}test('a', () => {}); describe('s', () => { test('b', () => {}); });
test('parent', async (t) => { await t.test('c', () => {}); });`,
  'bad.test.ts': `${head}test('d', () => { throw new Error('x'); });
describe('s', () => { test('e', () => { throw new Error('y'); }); test('f', () => {}); });`,
  'crash.test.ts': "throw new Error('at import');",
  'skip.test.ts': `${head}test('g', { skip: 'no tshark' }, () => {}); test('h', { skip: true }, () => {});
describe('i', { skip: 'not root' }, () => { test('j', () => {}); }); test.todo('k'); test('l', (t) => { t.skip('late'); });`,
  'thread.test.ts': `${head}import { once } from 'node:events'; import { Worker } from 'node:worker_threads';
test('o', async () => {
  const code = "import { parentPort } from 'node:worker_threads'; parentPort.postMessage(process.listenerCount('uncaughtException'))";
  const [listeners] = await once(new Worker(new URL('data:text/javascript,' + encodeURIComponent(code))), 'message');
  if (listeners !== 0) throw new Error('somebody listens to what happens to the thread');
});`,
  'empty.test.ts': 'export {};',
  'hang.test.ts': `${head}test('m', () => new Promise(() => { setInterval(() => {}, 1000); }));`,
  'spin.test.ts': `${head}test('n', () => { for (;;); });`,
};

/** The runner in a process of its own: inside a test node refuses to run tests. */
function outcome(...names: readonly (keyof typeof files)[]): TestRun {
  const paths = names.map((name) => join(folder, name));
  for (const [i, path] of paths.entries()) writeFileSync(path, files[names[i]!]);
  const program = `import { runTestFiles } from ${JSON.stringify(join(root, 'scripts/testing/run.ts'))};
const result = await runTestFiles(${JSON.stringify(paths)}, process.stderr, { concurrency: 2, limitMs: 2000 });
console.log(JSON.stringify(result));`;
  const runner = join(folder, 'runner.mjs');
  writeFileSync(runner, program);
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [runner], {
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout) as TestRun;
}

test('what passes is counted once', () => {
  assert.deepEqual(outcome('good.test.ts'), { passed: 4, failures: [], skips: [] });
});

test('failures are named with file and line; a crash, a hang and an empty file are failures too', () => {
  const { passed, failures, skips } = outcome('bad.test.ts', 'crash.test.ts', 'empty.test.ts', 'hang.test.ts');
  assert.deepEqual([passed, skips], [1, []]);
  const seen = failures.map((failure) => failure.replace(/^.*\//, '')).sort();
  assert.deepEqual(seen, [
    'bad.test.ts:2 d',
    'bad.test.ts:3 e',
    'crash.test.ts',
    'empty.test.ts has no tests',
    'hang.test.ts:2 m',
  ]);
});

test('a test that spins is ended', () => {
  const { failures } = outcome('spin.test.ts');
  assert.deepEqual(
    failures.map((failure) => failure.replace(/^.*\//, '')),
    ['spin.test.ts stood still'],
  );
});

test('every skip has its reason', () => {
  const { passed, failures, skips } = outcome('skip.test.ts');
  assert.deepEqual([passed, failures], [0, []]);
  assert.deepEqual(
    skips.map((skip) => [skip.test.replace(/^.*:\d+ /, ''), skip.reason]),
    [
      ['g', 'no tshark'],
      ['h', 'no reason given'],
      ['i', 'not root'],
      ['k', 'to do'],
      ['l', 'late'],
    ],
  );
});

test('threads of a test end as threads elsewhere do', () => {
  assert.deepEqual(outcome('thread.test.ts'), { passed: 1, failures: [], skips: [] });
});
