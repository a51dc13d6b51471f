/** Whose a link of the kernel is: in a namespace, and, for the kinds that not every kernel has, in a guest. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { needsGuest, runInGuest } from '../world/guest.ts';
import { needs, programPath } from '../world/needs.ts';
import { PLANE_MODULES } from './guest.ts';

const program = new URL('whose.ts', import.meta.url).pathname;

test('links of others are left alone, ours are known without their marks and get their names back', {
  skip: needs('root', 'netns', 'mountns', 'ip', 'nft', 'dnsmasq'),
}, () => {
  const run = spawnSync(programPath('unshare')!, ['-nm', process.execPath, program], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  assert.equal(run.status, 0, `${run.stdout}${run.stderr}`);
});

test('so are VLANs, VRFs and WireGuard devices', { skip: needsGuest() || needs('nft', 'dnsmasq') }, async () => {
  const { status, output } = await runInGuest(PLANE_MODULES, program);
  assert.equal(status, 0, output);
  assert.match(output, /tried .*lan0\.300.*wg-x.*vrf-x/);
});
