/**
 * What engines with real peers are asked elsewhere, asked of an engine with three workers: the same files, run once more. With its cores
 * shared among tests a machine is slow, so they run one after the other.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const files = [
  'programs/engine/watch.test.ts',
  'tests/icmp/icmp.test.ts',
  'tests/host-interface.test.ts',
  'tests/ethernet/ethernet.test.ts',
  'tests/wireguard-go/many.test.ts',
  'tests/wireguard-go/daemon.test.ts',
];

for (const file of files)
  test(`${file} with three workers`, { timeout: 240_000 }, async (t) => {
    // Not ours: it would make a runner of its own think that it is a file of this one.
    const { NODE_TEST_CONTEXT: _, ...environment } = process.env;
    const child = spawn(process.execPath, ['--test', '--test-reporter=tap', join(root, file)], {
      env: { ...environment, VROUTER_TEST_WORKERS: '3' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill());
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    const [status] = await once(child, 'close');
    assert.equal(status, 0, out.slice(-8000));
    const count = (what: string): number => Number(new RegExp(`^# ${what} (\\d+)$`, 'm').exec(out)?.[1] ?? 0);
    // The file itself says why it skips; here it is enough to see that it ran.
    if (count('pass') === 0 && count('skipped') > 0) t.skip(`all of ${file} was skipped`);
    else assert.ok(count('pass') > 0, out);
  });
