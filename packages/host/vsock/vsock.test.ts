/** The program beside this in a kernel that has VSOCK loopback. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needsUml, runInUml } from '../../../tests/world/uml.ts';

test('VSOCK: streams, strangers, peers that do not read, HTTP/2', { skip: needsUml() }, () => {
  const { status, output } = runInUml(['vsock_loopback'], new URL('vsock.testing.ts', import.meta.url).pathname);
  assert.equal(status, 0, output);
});
