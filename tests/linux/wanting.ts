/** What the Linux plane says of a kernel that has no WireGuard, and of an interface that somebody else has made. Run on such a kernel. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { address, create, device, link, peer, remove } from '@vrouter/drivers/contract/samples.ts';
import { linuxPlane } from '../../programs/vrouterd/planes/linux.ts';
import { testLinux } from './options.ts';

const objects = [link(), device(), peer(), address()];
const wanted = objects.map(create);

test('a kernel without WireGuard', async () => {
  const plane = await linuxPlane(testLinux());
  const signal = AbortSignal.timeout(10_000);
  const [made, ...others] = await plane.driver.apply(wanted, signal);
  assert.ok(made?.ok === false);
  assert.equal(made.error.code, 'plane.failed');
  assert.match(made.error.message, /^wgc0, of the type wireguard: this kernel cannot .*modprobe/);
  assert.deepEqual(
    others.map((one) => (one.ok ? 'ok' : one.error.code)),
    others.map(() => 'object.dependency'),
  );
  // All else of it can be seen.
  assert.ok((await plane.driver.observe('all', signal)).length > 0);
  assert.deepEqual(await plane.driver.peerFacts(signal), []);
  await plane.close();
});

test('an interface of that name which is not ours is left alone', async () => {
  const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });
  ip('link', 'add', 'wgc0', 'mtu', '1400', 'type', 'dummy');
  ip('addr', 'add', '192.0.2.1/24', 'dev', 'wgc0');
  const before = ip('-d', 'addr', 'show', 'wgc0');
  const plane = await linuxPlane(testLinux());
  const [made, ...others] = await plane.driver.apply(wanted, AbortSignal.timeout(10_000));
  assert.ok(made?.ok === false);
  assert.equal(made.error.code, 'object.exists');
  assert.ok(others.every((one) => !one.ok));
  await plane.driver.apply(objects.toReversed().map(remove), AbortSignal.timeout(10_000));
  assert.equal(ip('-d', 'addr', 'show', 'wgc0'), before);
  await plane.close();
});
