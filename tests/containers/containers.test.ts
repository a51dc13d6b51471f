/** Container networks of the real vrouterd in namespaces: what happens to their host, and what they promise. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { needs, programPath } from '../world/needs.ts';

const skip = needs('root', 'netns', 'mountns', 'ip', 'nft', 'dnsmasq', 'dig');

function run(t: { diagnostic(text: string): void }, program: string, ...args: readonly string[]): void {
  const path = new URL(program, import.meta.url).pathname;
  const { status, stdout, stderr } = spawnSync(programPath('unshare')!, ['-nm', process.execPath, path, ...args], {
    encoding: 'utf8',
    timeout: 280_000,
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /^ok$/m);
  for (const line of stdout.trim().split('\n').slice(0, -1)) t.diagnostic(line);
}

test('whatever is taken away is back by itself, and flows that need not end go on', { skip }, (t) => {
  run(t, 'disasters.ts');
});

test('killed at any moment among 200 networks, the next one comes to the same', { skip }, (t) => {
  run(t, 'kills.ts', '1', '3', '5');
});

test('empty intents and the end leave the host as it was, byte for byte', { skip }, (t) => {
  run(t, 'leaving.ts');
});
