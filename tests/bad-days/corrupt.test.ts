/** Pages of a database are overwritten: it is refused with what to do and left as it is, packets go on, and a backup or a new join mends it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { spawnController } from '../../programs/controller/testing/spawn.ts';
import { Child } from '../../programs/demo/world/child.ts';
import { type Network, VROUTER } from '../../programs/demo/world/network.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { withNetwork } from '../thread/network.ts';
import { isOnThePlane, passes } from './network.ts';

const options = { wireguardGo: false };
const timeout = 180_000;
const vrouterd = fileURLToPath(new URL('../../programs/vrouterd/main.ts', import.meta.url));

/** Writes the log into the file, then garbage over the first page of a table. */
function spoil(path: string, table: string): void {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  const { rootpage } = db.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table)!;
  const { page_size } = db.prepare('PRAGMA page_size').get()!;
  db.close();
  const file = openSync(path, 'r+');
  writeSync(
    file,
    Buffer.alloc(Number(page_size), 0xa5),
    0,
    Number(page_size),
    (Number(rootpage) - 1) * Number(page_size),
  );
  closeSync(file);
}

/** Runs the controller to its end. */
async function controllerSays(args: readonly string[]): Promise<{ code: number; said: string }> {
  const child = spawnController(args);
  let said = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  const [code] = (await once(child, 'exit')) as [number];
  return { code, said };
}

async function end(network: Network, name: 'controller' | 'gateway'): Promise<void> {
  const child = network.child(name);
  child.process.kill('SIGKILL');
  await child.ended;
}

test('the controller’s database is damaged: it does not start and touches nothing; a backup brings it back', {
  timeout,
}, async () => {
  await withNetwork(options, async (network) => {
    const data = network.path('controller');
    const backup = network.path('backup');
    assert.equal((await controllerSays(['backup', '--data', data, '--to', backup])).code, 0);
    await end(network, 'controller');
    const path = network.path('controller', 'controller.db');
    spoil(path, 'intents');
    const before = readFileSync(path);
    const { code, said } = await controllerSays(['--data', data, '--rest', '127.0.0.1:0', '--agents', '127.0.0.1:0']);
    assert.equal(code, 1);
    assert.match(
      said,
      /controller\.db is no database, or a damaged one \(.*\); restore it from a backup.*\(data\.corrupt\)/,
    );
    assert.ok(readFileSync(path).equals(before), 'what can still be read of it is not touched');
    await passes(network);
    const { controller } = await network.gateway.status();
    assert.notEqual(controller.state, 'refused');
    assert.equal((await network.gateway.peers()).length, 2, 'and nobody’s network shrinks');

    const token = network.path('controller', 'admin-token');
    const saved = readFileSync(token);
    rmSync(data, { recursive: true });
    assert.equal((await controllerSays(['restore', '--data', data, '--from', backup])).code, 0);
    writeFileSync(token, saved, { mode: 0o600 });
    await network.startController();
    await waitFor('the gateway to poll', 40_000, async () =>
      (await network.controller.status(VROUTER)).connected ? true : null,
    );
    await network.removePeer('bob');
    assert.equal((await network.gateway.peers()).length, 1);
  });
});

test('the gateway’s database is damaged: it does not start, its engine goes on, and a new join string mends it', {
  timeout,
}, async () => {
  await withNetwork(options, async (network) => {
    await end(network, 'gateway');
    const path = network.path('gateway', 'vrouterd.db');
    spoil(path, 'intents');
    const child = new Child({
      name: 'vrouterd',
      command: process.execPath,
      args: [vrouterd, '--bootstrap', '--data', network.path('gateway')],
      logPath: network.path('logs', 'damaged.log'),
    });
    assert.equal(await child.ended, 1);
    const said = readFileSync(network.path('logs', 'damaged.log'), 'utf8');
    assert.match(
      said,
      /vrouterd\.db is damaged \(.*\); restore it from a backup, or move it away and join again.*\(data\.corrupt\)/,
    );
    await passes(network);
    renameSync(path, `${path}.damaged`);
    rmSync(`${path}-wal`, { force: true });
    rmSync(`${path}-shm`, { force: true });

    // As whatever starts services would: again, and without a join string.
    await network.startGateway({ controllerIsAway: true });
    const { controller, storedVersion } = await network.gateway.status();
    assert.equal(storedVersion, 0);
    assert.equal(controller.outlook?.condition, 'storeLost');
    // A file without intents is no word on it either.
    network.child('gateway').process.kill('SIGHUP');
    // Longer than it takes an empty configuration to become true.
    await delay(8000);
    await passes(network);
    await end(network, 'gateway');
    await network.startGateway({ join: (await network.controller.createToken(VROUTER)).join.string });
    await isOnThePlane(network, 'bob');
    await passes(network);
    assert.ok(statSync(path).size > 0);
  });
});
