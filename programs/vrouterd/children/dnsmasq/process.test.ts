import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { endLeftovers, signal } from './ending.ts';
import { findProcesses, identify, isAlive, isOurs } from './process.ts';

test('a process is ours by its program, its configuration and its start; others are never told anything', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-processes-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const configuration = join(folder, 'blue', 'dnsmasq.conf');
  const words = ['-c', 'while :; do sleep 1; done', '--keep-in-foreground', `--conf-file=${configuration}`];
  const stranger = spawn('/bin/sh', words, { argv0: 'dnsmasq', stdio: 'ignore' });
  t.after(() => stranger.kill('SIGKILL'));
  await once(stranger, 'spawn');
  const id = identify(stranger.pid!)!;
  assert.ok(isAlive(id));
  assert.ok(!isOurs(id, configuration), 'the words are not where ours has them');
  assert.equal(findProcesses(folder).size, 0);
  assert.equal(signal(id, configuration, 'SIGKILL'), false);
  await endLeftovers(() => []);
  assert.ok(isAlive(id));
  assert.ok(!isAlive({ ...id, started: '1' }), 'a number that was given to another');
  assert.equal(identify(2 ** 22 + 1), null);
});
