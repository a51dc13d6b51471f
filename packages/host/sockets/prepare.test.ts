import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { prepareSocketPath } from './prepare.ts';

const folder = mkdtempSync(join(tmpdir(), 'sockets-'));
after(() => rmSync(folder, { recursive: true }));

async function listen(path: string): Promise<Server> {
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  return server;
}

async function code(path: string): Promise<string> {
  try {
    await prepareSocketPath(path);
    return 'ready';
  } catch (thrown) {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.ok(thrown.problem.message.includes(path.slice(-40)), thrown.problem.message);
    return thrown.problem.code;
  }
}

/** A socket file whose program was killed. */
async function leaveStale(path: string): Promise<void> {
  const child = spawn(process.execPath, [
    '-e',
    `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`,
  ]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(existsSync(path));
}

it('a free path is ready', async () => {
  assert.equal(await code(join(folder, 'free')), 'ready');
});

it('what a killed program left is removed, and can be listened on', async () => {
  const path = join(folder, 'stale');
  await leaveStale(path);
  assert.equal(await code(path), 'ready');
  assert.ok(!existsSync(path));
  (await listen(path)).close();
});

it('a live socket is refused and goes on listening', async () => {
  const path = join(folder, 'live');
  const server = await listen(path);
  assert.equal(await code(path), 'port.inUse');
  assert.equal(await code(path), 'port.inUse');
  server.close();
  await once(server, 'close');
  assert.equal(await code(path), 'ready');
});

it('files and links are refused and stay', async () => {
  const path = join(folder, 'file');
  writeFileSync(path, 'precious');
  assert.equal(await code(path), 'port.inUse');
  const link = join(folder, 'link');
  symlinkSync(path, link);
  assert.equal(await code(link), 'port.inUse');
  assert.ok(existsSync(path) && existsSync(link));
});

it('a path of 107 bytes works and one of 108 is refused by its length', {
  skip: process.platform !== 'linux',
}, async () => {
  const fill = (bytes: number): string => join(folder, 'x'.repeat(bytes - folder.length - 1));
  const longest = fill(107);
  assert.equal(await code(longest), 'ready');
  (await listen(longest)).close();
  assert.equal(await code(fill(108)), 'input.invalid');
  // Bytes, not characters.
  assert.equal(await code(join(folder, 'é'.repeat(60))), 'input.invalid');
  assert.equal(await code(''), 'input.invalid');
});

it('a folder that is missing is named', async () => {
  await assert.rejects(prepareSocketPath(join(folder, 'no', 'socket')), /data\.unwritable.*\/no does not exist/);
});
