import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';

const program = new URL('narrow.testing.ts', import.meta.url).pathname;
const tried = spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up']);
const skip = tried.status === 0 ? false : 'needs root, unshare -n and ip';

test('another process hears of addresses of one link alone, and then of all again', { skip }, () => {
  const lines = execFileSync('unshare', ['-n', process.execPath, program], { encoding: 'utf8' }).trim().split('\n');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [{ narrowed: ['10.2.0.2'] }, { absent: 0, noLink: 0 }],
  );
});
