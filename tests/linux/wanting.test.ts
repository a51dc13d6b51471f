/** The Linux plane on a kernel that lacks what it needs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsUml, runInUml } from '../world/uml.ts';

test('a kernel without WireGuard, and interfaces of others', { skip: needsUml() }, () => {
  const { status, output } = runInUml(
    ['vrf', 'dummy', 'nf_tables', 'nfnetlink'],
    new URL('wanting.ts', import.meta.url).pathname,
  );
  assert.equal(status, 0, output);
});
