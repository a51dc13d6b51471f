/** Container networks of the real vrouterd in namespaces: what happens to their host, and what they promise. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { needs, programPath } from '../world/needs.ts';
import { promises } from './promises.ts';

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

test('other firewalls stay byte for byte what they were, and what they drop is told', {
  skip: skip || needs('iptables-nft'),
}, (t) => {
  run(t, 'strangers.ts');
});

test('what container networks promise', { skip }, async (t) => {
  const path = new URL('promises.ts', import.meta.url).pathname;
  const { stdout, stderr } = spawnSync(programPath('unshare')!, ['-nm', process.execPath, path], {
    encoding: 'utf8',
    timeout: 280_000,
  });
  const told = new Map(
    stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as { promise: string; why: string | null })
      .map(({ promise, why }) => [promise, why]),
  );
  for (const promise of Object.keys(promises))
    await t.test(promise, () => assert.equal(told.get(promise), null, told.get(promise) ?? stderr));
});

test('the page of promises names each of these tests, and no others', () => {
  const page = readFileSync(new URL('../../docs/container-promises.md', import.meta.url), 'utf8');
  const named = [...page.matchAll(/^\|.*\| `([^`]+)` \|$/gm)].map(([, name]) => name);
  assert.deepEqual(named.sort(), Object.keys(promises).sort());
});
