/** The contract of frames.testing.ts in namespaces of its own: once as root, once inside a user namespace, and once where it may not. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { needs } from '../../../tests/world/needs.ts';

const program = new URL('frames.testing.ts', import.meta.url).pathname;

function run(argv: readonly string[], as: { readonly uid?: number; readonly gid?: number } = {}): void {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const path = `${env.PATH ?? ''}:/usr/sbin:/sbin`;
  const [command, ...rest] = argv;
  const done = spawnSync(command!, rest, { encoding: 'utf8', timeout: 30_000, env: { ...env, PATH: path }, ...as });
  assert.deepEqual([done.status, done.stdout], [0, 'ok\n'], done.stderr);
}

for (const kind of ['tun', 'tap', 'veth']) {
  const device = kind === 'veth' ? 'ip' : 'tun';
  test(`${kind}: frames both ways, as root`, { skip: needs('root', 'netns', 'ip', device) }, () => {
    run(['unshare', '-n', process.execPath, program, kind]);
  });
  test(`${kind}: frames both ways, in a user namespace`, { skip: needs('userns', 'ip', device) }, () => {
    run(['unshare', '-Urn', process.execPath, program, kind]);
  });
}

/** Root has the device with this mode, in a mount namespace of its own, and then is nobody with these capabilities. */
function asNobody(mode: string, capabilities: readonly string[], what: string): void {
  const device = `mount -t tmpfs none /dev/net && mknod -m ${mode} /dev/net/tun c 10 200 && exec "$@"`;
  const user = ['--reuid=65534', '--regid=65534', '--clear-groups', ...capabilities];
  run(['unshare', '-mn', 'sh', '-ec', device, 'sh', 'setpriv', ...user, process.execPath, program, what]);
}

const nobody = { skip: needs('root', 'netns', 'tun', 'setpriv') };
test('without privileges: port.denied, and what to do', nobody, () => asNobody('0666', [], 'denied'));
test('a device that this user may not open: port.denied, and that it is not for want of a capability', nobody, () => {
  asNobody('0600', ['--inh-caps=+net_admin', '--ambient-caps=+net_admin'], 'closed');
});
