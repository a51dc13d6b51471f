import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import test from 'node:test';
import { filesBelow, root } from './files.ts';

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(root, 'scripts/bench.ts'), ...args], { encoding: 'utf8', timeout: 60_000 });

test('without a name it lists what there is', () => {
  const { status, stdout } = bench();
  assert.equal(status, 0);
  assert.ok(!stdout.includes('result'), 'the type of results is no bench');
  for (const name of ['aead', 'change'].filter((name) => filesBelow('bench', '.ts').includes(`bench/${name}.ts`)))
    assert.match(stdout, new RegExp(`^ {2}${name} `, 'm'));
});

test('an unknown name, an unknown option and a second name are wrong usage', () => {
  for (const args of [['nope'], ['../scripts/fuzz'], ['--jsn'], ['nope', 'nope']]) {
    const { status, stdout, stderr } = bench(...args);
    assert.deepEqual([status, stdout], [2, ''], args.join(' '));
    assert.match(stderr, /^error: /);
  }
});
