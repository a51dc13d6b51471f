/**
 * What whole engines are asked to do elsewhere, asked of three workers: the same files, run once more. The worlds of these tests put
 * client n on worker n % 3, so most of what they send changes workers.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const folder = join(import.meta.dirname, '..');
const files = [
  'engine.test.ts',
  'tables/tables.test.ts',
  'tables/tun.test.ts',
  'tables/ethernet.test.ts',
  'trace/tracer.test.ts',
  'control/session.test.ts',
  'control/streams.test.ts',
];

for (const file of files)
  test(`${file} on three workers`, () => {
    // Not ours: it would make a runner of its own think that it is a file of this one.
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const run = spawnSync(process.execPath, ['--test', '--test-reporter=tap', join(folder, file)], {
      env: { ...environment, VROUTER_TEST_WORKERS: '3' },
      encoding: 'utf8',
    });
    assert.equal(
      run.status,
      0,
      run.stdout
        .split('\n')
        .filter((line) => !line.startsWith('#'))
        .join('\n')
        .slice(-8000),
    );
    const passed = Number(/^# pass (\d+)$/m.exec(run.stdout)?.[1] ?? 0);
    assert.ok(passed > 0, run.stdout);
  });
