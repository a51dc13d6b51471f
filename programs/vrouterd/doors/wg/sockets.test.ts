import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { WgSockets } from './sockets.ts';

const log = pino({ level: 'silent' });

interface World {
  readonly shared: string;
  readonly own: string;
  readonly sockets: WgSockets;
}

/** `shared: false`: there is no folder where wg(8) looks, and none can be made. */
function world(t: TestContext, { shared = true } = {}): World {
  const folder = mkdtempSync(join(tmpdir(), 'vr-wg-'));
  const folders = { shared: join(folder, shared ? 'run' : 'missing/run'), own: join(folder, 'own') };
  const sockets = new WgSockets(folders, log, (name, client) => client.end(name));
  t.after(async () => {
    await sockets.set([]);
    rmSync(folder, { recursive: true });
  });
  return { ...folders, sockets };
}

function greeting(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(path);
    socket.on('data', (bytes) => {
      text += String(bytes);
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((client) => client.on('error', () => {}).end('foreign'));
    server.listen(path, () => resolve(server));
  });
}

test('sockets come and go with the interfaces, and nobody else may connect', async (t) => {
  const { shared, sockets } = world(t);
  await sockets.set(['wg0', 'wg1']);
  const path = join(shared, 'wg0.sock');
  assert.deepEqual(sockets.place('wg0'), { path, link: null });
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual([await greeting(path), await greeting(join(shared, 'wg1.sock'))], ['wg0', 'wg1']);
  await sockets.set(['wg1']);
  assert.equal(existsSync(path), false);
  assert.equal(sockets.place('wg0'), null);
  assert.equal(await greeting(join(shared, 'wg1.sock')), 'wg1');
});

test('where the folder is not ours the socket is in our own, with the command that links it', async (t) => {
  const { shared, own, sockets } = world(t, { shared: false });
  await sockets.set(['wg0']);
  const path = join(own, 'wg0.sock');
  assert.deepEqual(sockets.place('wg0'), { path, link: `mkdir -p ${shared} && ln -s ${path} ${shared}/` });
  assert.equal(await greeting(path), 'wg0');
  assert.equal(statSync(own).mode & 0o777, 0o700);
});

test('what was linked by that command is left, and not asked for again', async (t) => {
  const { shared, own, sockets } = world(t);
  mkdirSync(shared);
  symlinkSync(join(own, 'wg0.sock'), join(shared, 'wg0.sock'));
  await sockets.set(['wg0']);
  assert.deepEqual(sockets.place('wg0'), { path: join(own, 'wg0.sock'), link: null });
  assert.equal(await greeting(join(shared, 'wg0.sock')), 'wg0');
});

test('a socket that nobody answers at is replaced', async (t) => {
  const { shared, sockets } = world(t);
  mkdirSync(shared);
  const path = join(shared, 'wg0.sock');
  const dead = await listen(`${path}.dead`);
  // Moved away, it is not found by Node, which would remove it.
  renameSync(`${path}.dead`, path);
  await new Promise((resolve) => dead.close(resolve));
  assert.ok(existsSync(path));
  await sockets.set(['wg0']);
  assert.equal(await greeting(path), 'wg0');
});

test('a socket at which somebody else answers is left alone; ours is in our own folder', async (t) => {
  const { shared, own, sockets } = world(t);
  mkdirSync(shared);
  const path = join(shared, 'wg0.sock');
  const foreign = await listen(path);
  t.after(() => foreign.close());
  await sockets.set(['wg0']);
  assert.equal(await greeting(path), 'foreign');
  assert.equal(sockets.place('wg0')?.path, join(own, 'wg0.sock'));
  await sockets.set([]);
  assert.equal(await greeting(path), 'foreign');
});

test('clients are cut off when their interface goes', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vr-wg-'));
  const folders = { shared: join(folder, 'run'), own: join(folder, 'own') };
  const sockets = new WgSockets(folders, log, () => {});
  t.after(() => rmSync(folder, { recursive: true }));
  await sockets.set(['wg0']);
  const client = connect(join(folders.shared, 'wg0.sock'));
  await new Promise((resolve) => client.on('connect', resolve));
  const ended = new Promise((resolve) => client.on('close', resolve));
  await sockets.set([]);
  await ended;
});

test('clients that stay and do not read keep nobody out: the one that is stuck longest goes', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vr-wg-'));
  const folders = { shared: join(folder, 'missing/run'), own: join(folder, 'own') };
  let serve = (client: Socket): unknown => client;
  const warnings: { readonly cutOff: number }[] = [];
  const told = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(JSON.parse(line)) });
  let now = 0;
  const sockets = new WgSockets(
    folders,
    told,
    (_name, client) => void serve(client),
    () => now,
  );
  t.after(async () => {
    await sockets.set([]);
    rmSync(folder, { recursive: true });
  });
  await sockets.set(['wg0']);
  const path = sockets.place('wg0')!.path;
  const stuck: { readonly socket: Socket; closed: boolean }[] = [];
  for (let i = 0; i < 64; i++) {
    // The first is only silent, the others have not read what they asked for.
    serve = (client) => i === 0 || client.write(Buffer.alloc(4 << 20));
    const socket = connect(path);
    const one = { socket, closed: false };
    stuck.push(one);
    socket.pause();
    socket.on('error', () => {});
    socket.on('close', () => Object.assign(one, { closed: true }));
    await once(socket, 'connect');
  }
  serve = (client) => client.end('hello');
  for (let i = 0; i < 3; i++) assert.equal(await greeting(path), 'hello');
  const words = () => warnings.map(({ cutOff }) => cutOff);
  assert.deepEqual(words(), [1], 'one word a minute');
  const late: Socket[] = [];
  serve = (client) => client;
  now = 61_000;
  for (let i = 0; i < 5; i++) {
    const socket = connect(path).on('error', () => {});
    late.push(socket);
    await once(socket, 'connect');
  }
  assert.equal(words().length, 2);
  for (const { socket } of stuck) socket.resume();
  const gone = (): number[] => stuck.flatMap(({ closed }, i) => (closed ? [i] : []));
  for (const end = performance.now() + 5000; gone().length === 0 && performance.now() < end; ) await delay(10);
  assert.equal(gone()[0], 1);
  for (const socket of [...stuck.map((one) => one.socket), ...late]) socket.destroy();
});
