/** Networks of IPv4 where there is no IPv6. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { needs, programPath } from '../world/needs.ts';

const program = new URL('without-ipv6.ts', import.meta.url).pathname;
const skip = needs('root', 'netns', 'mountns', 'ip', 'nft', 'dnsmasq');

for (const [title, ...words] of [
  ['a network of IPv4 needs no IPv6 of its link; what asks for it is told why'],
  ['a network of IPv4 needs no switches of IPv6', 'off'],
] as const)
  test(title, { skip }, () => {
    const run = spawnSync(programPath('unshare')!, ['-nm', process.execPath, program, ...words], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
  });
