/**
 * VSOCK listener, streams and HTTP/2 over them, to be run in a kernel with VSOCK loopback: `node vsock.testing.ts`. Says `ok` at the end; any
 * failure is an exit code and a stack.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, connect as http2Connect } from 'node:http2';
import { buffer, text } from 'node:stream/consumers';
import { ProblemError } from '@vrouter/core/problem.ts';
import { connectVsock } from './connect.ts';
import { listenVsock, type VsockListener } from './listen.ts';
import type { VsockStream } from './stream.ts';
import { VMADDR_CID_LOCAL } from './syscalls.ts';

const refused: number[] = [];

function listen(connected: (stream: VsockStream) => void, allowedCids = [VMADDR_CID_LOCAL]): VsockListener {
  return listenVsock({ port: 0, allowedCids }, { connected, refused: (cid) => refused.push(cid) });
}

async function code(thunk: () => unknown): Promise<string> {
  try {
    await thunk();
    return 'done';
  } catch (thrown) {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    return thrown.problem.code;
  }
}

async function echoes(): Promise<void> {
  const listener = listen((stream) => stream.pipe(stream));
  const stream = await connectVsock(VMADDR_CID_LOCAL, listener.port);
  assert.equal(stream.peerCid, VMADDR_CID_LOCAL);
  // More than the socket holds, both ways at once, in pieces of any length.
  const said = randomBytes(8 << 20);
  const heard = buffer(stream);
  for (let at = 0; at < said.length; ) {
    const end = at + 1 + ((at * 7919) % 200_000);
    if (!stream.write(said.subarray(at, end))) await once(stream, 'drain');
    at = end;
  }
  stream.end();
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  assert.equal(digest(await heard), digest(said));
  listener.close();
  listener.close();
}

async function isClosedToOthers(): Promise<void> {
  const listener = listen(() => assert.fail('a stranger was let in'), [2]);
  const stream = await connectVsock(VMADDR_CID_LOCAL, listener.port);
  stream.on('error', () => {});
  stream.resume();
  await once(stream, 'close');
  assert.deepEqual(refused, [VMADDR_CID_LOCAL]);
  assert.equal(await code(() => listenVsock({ port: listener.port, allowedCids: [] }, {} as never)), 'port.inUse');
  assert.equal(await code(() => listenVsock({ port: -1, allowedCids: [] }, {} as never)), 'input.invalid');
  const { port } = listener;
  listener.close();
  assert.equal(await code(() => connectVsock(VMADDR_CID_LOCAL, port)), 'socket.unreachable');
}

/** A peer that does not read holds back its own stream only; one that goes away is an error or an end, never a crash. */
async function bearsBadPeers(): Promise<void> {
  const streams: VsockStream[] = [];
  const listener = listen((stream) => {
    stream.on('error', () => {});
    streams.push(stream);
  });
  const client = await connectVsock(VMADDR_CID_LOCAL, listener.port);
  while (streams.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const [server] = streams as [VsockStream];
  let written = 0;
  while (written < 64 << 20 && server.write(Buffer.alloc(65_536))) written += 65_536;
  assert.ok(written < 64 << 20);
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.destroy();
  if (!server.closed) {
    server.resume();
    await new Promise<void>((resolve) => server.once('close', resolve));
  }
  assert.equal(server.writable, false);
  listener.close();
}

async function carriesHttp2(): Promise<void> {
  const server = createServer((request, response) => request.pipe(response));
  const listener = listen((stream) => {
    // The session has ended by then, and with it whoever listened.
    stream.on('error', () => {});
    server.emit('connection', stream);
  });
  const socket = await connectVsock(VMADDR_CID_LOCAL, listener.port);
  const session = http2Connect('http://vsock', { createConnection: () => socket });
  const answers = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const request = session.request({ ':method': 'POST', ':path': `/${i}` });
      request.end(`${i} `.repeat(i * 500));
      return text(request);
    }),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 50 }, (_, i) => `${i} `.repeat(i * 500)),
  );
  session.close();
  await once(session, 'close');
  listener.close();
}

await echoes();
await isClosedToOthers();
await bearsBadPeers();
await carriesHttp2();
console.log('ok');
