/** `./vrouterctl` of the clone: from any folder, through links, with the clone's own Node. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { ended } from './process.testing.ts';
import { serve } from './server.testing.ts';

const clone = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-'));
after(() => rmSync(folder, { recursive: true }));
symlinkSync(join(clone, 'vrouterctl'), join(folder, 'one'));
mkdirSync(join(folder, 'deep'));
symlinkSync('../one', join(folder, 'deep/two'));

for (const [name, path] of [
  ['by its path', join(clone, 'vrouterctl')],
  ['through a link', join(folder, 'one')],
  ['through a relative link to a link', join(folder, 'deep/two')],
] as const) {
  test(`runs ${name}, with a bare PATH`, () => {
    const { status, stdout } = spawnSync(path, ['--version'], {
      cwd: '/',
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin' },
    });
    assert.equal(status, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
  });
}

test('the socket of an npm start in the current folder is found by itself', async () => {
  const path = join(folder, '.vrouter/gateway/vrouterd.sock');
  mkdirSync(join(folder, '.vrouter/gateway'), { recursive: true });
  await using _server = await serve(() => ({ body: { version: '0.1.0', node: 'v26', pid: 7 } }), path);
  const child = spawn(join(folder, 'one'), ['show', 'version', '--json'], {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin' },
  });
  const { status, out } = await ended(child);
  assert.equal(status, 0);
  assert.deepEqual(JSON.parse(out), { version: '0.1.0', node: 'v26', pid: 7 });
});

test('arguments arrive as they were typed', () => {
  const { status, stderr } = spawnSync(join(folder, 'one'), ['a b "c" $d'], { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.ok(stderr.includes('knows no "a b "c" $d"'), stderr);
});
