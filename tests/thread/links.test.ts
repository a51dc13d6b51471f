/**
 * Devices that somebody takes away and makes again, under a daemon that is not told: its links are up again within seconds, and
 * `show interfaces` says what is so now. Daemon and engine run in a network namespace of their own.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from '../../programs/demo/world/child.ts';
import { GatewayApi } from '../../programs/demo/world/gateway-api.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { needs, programPath } from '../world/needs.ts';

const main = fileURLToPath(new URL('../../programs/vrouterd/main.ts', import.meta.url));
const namespace = `vrlinks${process.pid}`;
/** A look comes every 5 s; an audit, which would see it too, every minute. */
const SOON_MS = 15_000;

test('a device that comes back has its link up within seconds, and what is shown is what is so', {
  skip: needs('root', 'netns', 'tun', 'ip'),
  timeout: 150_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vr-links-'));
  const ip = (...args: string[]): string => execFileSync(programPath('ip')!, args, { encoding: 'utf8' });
  const cable = (): void => {
    ip('-n', namespace, 'link', 'add', 'eth1', 'type', 'veth', 'peer', 'name', 'far');
    for (const end of ['eth1', 'far']) ip('-n', namespace, 'link', 'set', end, 'up');
  };
  const config = join(folder, 'vrouterd.yaml');
  const intents = [
    { kind: 'port', name: 'lan', device: 'eth1' },
    { kind: 'address', interface: 'lan', address: 'fd88::66/64' },
    { kind: 'hostInterface', name: 'host0', addresses: ['192.0.2.1/30'] },
  ];
  writeFileSync(
    config,
    JSON.stringify({ plane: 'userspace', data: join(folder, 'data'), engine: { workers: 2 }, intents }),
  );
  const gateway = new GatewayApi(join(folder, 'data', 'vrouterd.sock'));
  ip('netns', 'add', namespace);
  for (const which of ['all', 'default'])
    ip('netns', 'exec', namespace, 'sysctl', '-qw', `net.ipv4.conf.${which}.rp_filter=0`);
  let daemon: Child | null = null;
  t.after(async () => {
    await gateway.stopEngine().catch(() => {});
    await daemon?.stop();
    ip('netns', 'del', namespace);
    rmSync(folder, { recursive: true, force: true });
  });
  cable();
  // Somebody at the other end has the gateway's address.
  ip('-n', namespace, 'addr', 'add', 'fd88::66/64', 'dev', 'far', 'nodad');
  const args = ['netns', 'exec', namespace, process.execPath, main, '--config', config];
  daemon = new Child({ name: 'vrouterd', command: programPath('ip')!, args, logPath: join(folder, 'log') });
  const stateOf = async (name: string) => (await gateway.interfaces()).find((row) => row.name === name)?.state;
  const until = (what: string, ms: number, name: string, state: string): Promise<unknown> =>
    waitFor(what, ms, async () => ((await stateOf(name).catch(() => undefined)) === state ? true : null));
  await until('the port', 30_000, 'lan', 'up');
  await until('the host interface', 30_000, 'host0', 'up');

  // The namespace is as Linux makes it, so its kernel hears what the port hears.
  assert.match(readFileSync(join(folder, 'log'), 'utf8'), /"link":"lan".*sysctl net\.ipv4\.conf\.eth1\.rp_filter=1/);

  const failing = async () => (await gateway.stats()).failing.map(({ key, code }) => `${code} ${key}`);
  await waitFor('the duplicate to be told of', SOON_MS, async () => (await failing()).length > 0 || null);
  assert.deepEqual(await failing(), ['address.duplicate address/lan/fd88::66/64']);

  // The view asks the engine itself, and does not wait for the next look.
  ip('-n', namespace, 'link', 'set', 'far', 'down');
  await until('no carrier', 2000, 'lan', 'down');
  ip('-n', namespace, 'link', 'set', 'far', 'up');
  await until('a carrier', 2000, 'lan', 'up');

  ip('-n', namespace, 'link', 'del', 'eth1');
  await until('no device', 2000, 'lan', 'down');
  // Long enough for the retries' backoff to have grown beyond what is waited for below.
  await delay(20_000);
  cable();
  await until('the port on the new device', SOON_MS, 'lan', 'up');

  // Nobody asks in between: the daemon's own look alone sees it.
  ip('-n', namespace, 'link', 'del', 'host0');
  await waitFor('the host interface made again', SOON_MS, async () =>
    ip('-n', namespace, 'link').includes('host0') ? true : null,
  );
  await until('the host interface', 2000, 'host0', 'up');

  // Descriptors that the kernel gave twice are no news to Node, which counts those of threads.
  assert.doesNotMatch(readFileSync(join(folder, 'data', 'engine.log'), 'utf8'), /unmanaged/);

  await gateway.stopEngine();
  assert.deepEqual([await stateOf('lan'), await stateOf('host0')], ['unknown', 'unknown']);
});
