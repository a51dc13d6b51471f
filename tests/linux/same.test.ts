/** Tests of the whole network say nothing of a plane: as they stand they pass on the kernel's. Others than these by hand: `VROUTER_TEST_PLANE=linux`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { needsGuest } from '../world/guest.ts';

for (const name of ['command-line', 'metrics'])
  test(`thread/${name} with its gateway on the kernel`, { skip: needsGuest(), timeout: 500_000 }, async () => {
    const file = fileURLToPath(new URL(`../thread/${name}.test.ts`, import.meta.url));
    // Whoever runs under node:test tells its results in a form of its own.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = spawn(process.execPath, ['--test', '--test-reporter=spec', file], {
      env: { ...env, VROUTER_TEST_PLANE: 'linux' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    const [code] = await once(child, 'close');
    assert.equal(code, 0, said);
    assert.match(said, /pass [1-9]/);
  });
