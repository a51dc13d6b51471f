/**
 * The kernel reads what our netlink writes, and we read what it says: `kernel.ts` as root, as root of a user namespace alone, and in a
 * kernel that has VLANs and VRFs.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { needsGuest, runInGuest } from '../world/guest.ts';
import { needs, programPath } from '../world/needs.ts';
import { needsUml, runInUml } from '../world/uml.ts';

const program = new URL('kernel.ts', import.meta.url).pathname;

function run(...unshare: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(programPath('unshare')!, [...unshare, process.execPath, program], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^ok$/m);
}

test('links, addresses, routes, rules, neighbours and their news, as root', {
  skip: needs('root', 'netns', 'ip'),
}, () => {
  run('-n');
});

test('the same inside a user namespace', { skip: needs('userns', 'ip') }, () => {
  run('-Urn');
});

test('the same in a kernel that has VLANs and VRFs', { skip: needsUml() }, () => {
  const modules = ['8021q', 'vrf', 'veth', 'bridge', 'macvlan', 'vxlan'];
  const { status, output } = runInUml(modules, program, 'vlan', 'vrf');
  assert.equal(status, 0, output);
});

test("the kernel's WireGuard, in a guest", { skip: needsGuest() || needs('wg') }, async () => {
  const { status, output } = await runInGuest(['wireguard'], new URL('wireguard.ts', import.meta.url).pathname);
  assert.equal(status, 0, output);
});
