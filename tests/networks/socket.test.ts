import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { defaultSocket } from '../../programs/cli/clients/gateway.ts';
import { readConfig } from '../../programs/vrouterd/config.ts';

test('the socket that nobody names is the one that vrouterd has when it is told no other; one of a demo at hand comes first', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'socket-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [here, clone] = [join(folder, 'here'), join(folder, 'clone')];
  assert.equal(defaultSocket(here, clone), readConfig({ plane: 'linux' }).socketPath);
  for (const place of [clone, here]) {
    const demo = join(place, '.vrouter/gateway');
    mkdirSync(demo, { recursive: true });
    writeFileSync(join(demo, 'vrouterd.sock'), '');
    assert.equal(defaultSocket(here, clone), join(demo, 'vrouterd.sock'));
  }
});
