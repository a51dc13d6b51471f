/** What clients may hold of this machine: connections, and messages that are not answered yet. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, envelope, sessionOver, sessionTo } from './client.testing.ts';
import { open, path, session } from './door.testing.ts';
import { CONNECTIONS } from './listen.ts';

const LONG = 4_000_000;
const headers = {
  ':method': 'POST',
  ':path': path('RemoveNAT'),
  'content-type': 'application/grpc',
  te: 'trailers',
};

/** All of a message of 4 MB but its last byte. */
function begin(at: ClientHttp2Session): ClientHttp2Stream {
  const stream = at.request(headers);
  stream.on('error', () => {});
  stream.resume();
  stream.write(envelope(new Uint8Array(LONG - 1), LONG));
  return stream;
}

/** A message of zeros, which is none: 13 when it was read, 8 when there was no room for it. */
const long = async (at: ClientHttp2Session) =>
  (await ask(at, path('RemoveNAT'), [envelope(new Uint8Array(LONG))])).status;
const health = async (at: ClientHttp2Session) => (await ask(at, path('GetHealth'), [envelope(Buffer.of())])).status;

async function until(at: ClientHttp2Session, status: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while ((await long(at)) !== status) assert.ok(performance.now() < deadline, `no ${status} in time`);
}

test('one connection holds 16 MiB of unfinished messages, and is refused more of them; short calls are served', async (t) => {
  const { port } = await open(t);
  const [at, other] = [await session(t, port), await session(t, port)];
  const all = Array.from({ length: 4 }, () => begin(at));
  await until(at, '8');
  assert.equal(await health(at), '0');
  assert.equal((await ask(at, path('DeleteVLAN'), [envelope(Buffer.of(8, 100))])).status, '0');
  assert.equal(await long(other), '13', 'another has room');
  const [trailers] = (await once(begin(at), 'trailers')) as [{ 'grpc-status'?: string }];
  assert.equal(trailers['grpc-status'], '8', 'at once, not at its end');
  for (const stream of all) stream.close(8);
  await until(at, '13');
  assert.deepEqual(await Promise.all([long(at), long(at), long(at), long(at)]), ['13', '13', '13', '13']);
});

test('all connections hold 64 MiB; short calls are served, also of others', async (t) => {
  const { port } = await open(t);
  const held: ClientHttp2Session[] = [];
  for (let i = 0; i < 4; i++) held.push(await session(t, port));
  for (const at of held) for (let i = 0; i < 4; i++) begin(at);
  const at = await session(t, port);
  await until(at, '8');
  assert.equal(await health(at), '0');
  for (const one of held) one.destroy();
  await until(at, '13');
});

test('a place has so many connections at once; the next is closed, others are served, and who goes makes room', async (t) => {
  const { port, socket } = await open(t);
  const all: ClientHttp2Session[] = [];
  for (let i = 0; i < CONNECTIONS; i++) all.push(await session(t, port));
  assert.deepEqual(await Promise.all(all.map(health)), Array(CONNECTIONS).fill('0'));
  for (let i = 0; i < 3; i++) {
    const more = sessionTo(port);
    await once(more, 'close');
  }
  const unix = sessionOver(connect(socket));
  t.after(() => unix.destroy());
  assert.equal(await health(unix), '0', 'another place has its own');
  all[7]!.destroy();
  await sleep(50);
  assert.equal(await health(await session(t, port)), '0');
});
