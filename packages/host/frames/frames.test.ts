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

test('without privileges: port.denied, and what to do', { skip: needs('tun') }, () => {
  run([process.execPath, program, 'denied'], process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {});
});
