/** The program by its flags, in a network namespace of its own: what it prints and how it ends, and that it answers. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { needs } from '../../tests/world/needs.ts';
import { newerClient, sessionOver } from './doors/router/client.testing.ts';

const program = new URL('router-service.ts', import.meta.url).pathname;
const isRoot = process.getuid?.() === 0;
const world = { skip: isRoot ? needs('root', 'netns') : needs('userns') };
const argv = ['unshare', isRoot ? '-n' : '-Urn', process.execPath, program] as const;

function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'router-service-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function start(t: TestContext, ...args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(argv[0], [...argv.slice(1), ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr!.setEncoding('utf8');
  for await (const text of child.stderr! as AsyncIterable<string>) {
    said += text;
    if (said.includes('"running"')) break;
  }
  assert.match(said, /"the router service takes calls"/);
  child.stderr!.resume();
  return child;
}

for (const [what, args, code, said] of [
  ['a flag that there is not', ['--port', '50052'], 2, /unknown option '--port'/],
  ['the same with one dash', ['-port=50052'], 2, /unknown option '--port/],
  ['no number', ['-vsock-port', 'x'], 2, /is a number/],
  ['a number too large', ['--vsock-port=4294967295'], 2, /vsockPort/],
  ['a port that is none', ['--vsock-port=0'], 2, /vsockPort/],
  ['nothing behind a flag', ['--vsock-port'], 2, /argument missing/],
  ['a word too many', ['50052'], 2, /too many arguments/],
  ['TCP for others', ['--tcp', '0.0.0.0:50052'], 2, /loopback/],
  ['a parent that is no name', ['--parent', 'a b'], 2, /parent/],
  ['a log level', ['--log-level', 'loud'], 2, /log level/],
  ['help', ['-help'], 0, /--vsock-port/],
] as const)
  test(`${what}: exit ${code}`, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
    assert.match(stdout + stderr, said);
    assert.equal(status, code);
  });

test('it answers, and ends with 0 when it is told to', world, async (t) => {
  const folder = place(t);
  const socket = join(folder, 's');
  const child = await start(t, '-socket', socket, `--data=${join(folder, 'data')}`);
  const client = newerClient(sessionOver(connect(socket)));
  const { healthy, status, activeVlans } = await client.getHealth({});
  assert.deepEqual([healthy, status, activeVlans], [true, 'running', 0]);
  assert.match((await client.createVLAN({ vlanId: 99 })).error, /99/);
  const noParent = await client.createVLAN({ vlanId: 100, subnet: '10.0.0.0/24', gateway: '10.0.0.1' });
  assert.match(noParent.error, /default route/, 'this namespace has none');
  assert.deepEqual((await client.listVLANs({})).vlans, []);
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await exit, [0, null]);
});

test('a place that is taken, or a folder: exit 1', world, async (t) => {
  const folder = place(t);
  const socket = join(folder, 's');
  await start(t, '--socket', socket, '--data', join(folder, 'one'));
  for (const [args, said] of [
    [['--socket', socket, '--data', join(folder, 'two')], /in use.*port.inUse/],
    [['--socket', join(folder, 'no', 's'), '--data', join(folder, 'two')], /does not exist/],
    [['--socket', `${socket}2`, '--data', join(folder, 'one')], /data.inUse/],
  ] as const) {
    const { status, stderr } = spawnSync(argv[0], [...argv.slice(1), ...args], { encoding: 'utf8', timeout: 20_000 });
    assert.match(stderr, said);
    assert.equal(status, 1, stderr);
  }
});
