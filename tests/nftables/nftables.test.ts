/**
 * Our table of nftables in a kernel: what it makes of traffic, how it lives with strangers, and VRFs in a guest, whose kernel has them. The
 * program `nft` is here as a judge alone.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { needsGuest, runInGuest } from '../world/guest.ts';
import { needs, programPath } from '../world/needs.ts';

const fileOf = (name: string): string => new URL(name, import.meta.url).pathname;

function run(program: string): void {
  const { status, stdout, stderr } = spawnSync(programPath('unshare')!, ['-nm', process.execPath, fileOf(program)], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.match(stdout, /^ok$/m);
}

test('published ports, masquerades, floating addresses, isolation and guards of links, with real traffic', {
  skip: needs('root', 'netns', 'mountns', 'ip', 'nft'),
}, () => {
  run('traffic.ts');
});

test('objects come back, strangers are mended, one bad step holds back no other, the thousandth costs as the first', {
  skip: needs('root', 'netns', 'ip', 'nft'),
}, () => {
  run('life.ts');
});

test('the table is ours alone while we run, and stays when we end', {
  skip: needs('root', 'netns', 'ip', 'nft'),
}, () => {
  run('holding.ts');
});

test('VRFs with the same addresses, in a guest', { skip: needsGuest() }, async () => {
  const modules = ['vrf', 'veth', 'nft_ct', 'nft_fib_inet', 'nft_nat', 'nft_masq', 'nft_chain_nat', 'nft_hash'];
  const { status, output } = await runInGuest([...modules, 'nf_conntrack_netlink'], fileOf('vrf.ts'));
  assert.equal(status, 0, output);
});
