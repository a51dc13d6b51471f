/**
 * An engine that has been given capabilities is not to be looked into by the same user without them: its counters lie in memory that
 * cannot be opened then (packages/engine/stats/README.md), and the daemon asks over the socket instead.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Child } from '../programs/demo/world/child.ts';
import { GatewayApi } from '../programs/demo/world/gateway-api.ts';
import { waitFor } from '../programs/demo/world/wait.ts';
import { needs, programPath } from './world/needs.ts';

const programs = fileURLToPath(new URL('../programs/', import.meta.url));
const NOBODY = 65_534;
const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const capable = ['--inh-caps=+net_admin', '--ambient-caps=+net_admin'];

test('the counters of an engine with capabilities are asked for, where its memory may not be read', {
  skip: needs('root', 'setpriv'),
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vr-capable-'));
  chownSync(folder, NOBODY, NOBODY);
  chmodSync(folder, 0o755);
  const run = (name: string, how: readonly string[], ...args: readonly string[]): Child =>
    new Child({
      name,
      command: programPath('setpriv')!,
      args: [...user, ...how, process.execPath, ...args],
      logPath: join(folder, `${name}.log`),
    });
  const children: Child[] = [];
  t.after(async () => {
    for (const child of children.reverse()) await child.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  const socket = join(folder, 'engine.sock');
  const engine = run('engine', capable, join(programs, 'engine/main.ts'), '--socket', socket, '--workers', '1');
  children.push(engine);
  await waitFor('the engine', 20_000, async () => {
    if (engine.hasEnded) throw engine.failure('ended');
    return existsSync(socket) || null;
  });
  const { pid } = engine.process;
  assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^CapEff:\t0*1000$/m);
  const look = (how: readonly string[]): number | null =>
    spawnSync(programPath('setpriv')!, [...user, ...how, 'readlink', `/proc/${pid}/fd/0`]).status;
  assert.equal(look([]), 1, 'without its capabilities nobody looks into it');
  assert.equal(look(capable), 0, 'with them it may be looked into');

  const config = join(folder, 'vrouterd.yaml');
  const intents = [{ kind: 'gatewayInterface', name: 'wg0', type: 'wireguard', listenPort: 0 }];
  writeFileSync(config, JSON.stringify({ plane: 'userspace', data: join(folder, 'data'), intents }), { mode: 0o644 });
  const main = join(programs, 'vrouterd/main.ts');
  const daemon = run('vrouterd', [], main, '--config', config, '--no-engine-start', '--engine-socket', socket);
  children.push(daemon);
  const gateway = new GatewayApi(join(folder, 'data', 'vrouterd.sock'));
  await waitFor('the interface', 20_000, async () => {
    if (daemon.hasEnded) throw daemon.failure('ended');
    const rows = await gateway.interfaces().catch(() => []);
    return rows[0]?.state === 'up' || null;
  });
  const stats = await gateway.stats();
  assert.match(stats.epoch, /^[0-9a-f]{16}$/);
  assert.deepEqual(stats.failing, []);
});
