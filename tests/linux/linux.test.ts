/** The Linux plane on a kernel that has what it needs: VRFs and WireGuard, which not every machine has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsGuest } from '../world/guest.ts';
import { needs } from '../world/needs.ts';
import { linuxContract } from './guest.ts';

test('the contract of planes, with WireGuard, VRFs and names', { skip: needsGuest() || needs('dnsmasq') }, async () => {
  const { status, output } = await linuxContract();
  assert.equal(status, 0, output);
});
