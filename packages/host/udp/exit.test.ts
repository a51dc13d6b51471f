/** How programs with open sockets end: the native poll must neither crash an exit nor swallow a throw. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { udpBackend } from './open.ts';

const here = new URL('.', import.meta.url).href;

/** Runs the program with a socket that a datagram is waiting at. */
function run(backend: string, body: string): { status: number | null; stderr: string } {
  const program = `
    const { openUdp } = await import('${here}open.ts');
    const { pattern, rowsOf } = await import('${here}testing.ts');
    const { makeEndpoint } = await import('@vrouter/core/endpoint.ts');
    const socket = await openUdp({ address: '127.0.0.1', port: 0 }, '${backend}');
    const there = makeEndpoint(Uint8Array.of(127, 0, 0, 1), socket.localPort);
    for (let i = 0; i < 5; i++) socket.send(rowsOf([pattern(10, i)], there));
    ${body}
  `;
  const cwd = new URL('.', import.meta.url);
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    cwd,
    timeout: 10_000,
  });
}

for (const backend of new Set([udpBackend(), 'dgram']))
  describe(`the end of a program with a socket by ${backend}`, () => {
    it('may come in the callback', () => {
      assert.deepEqual(run(backend, 'socket.onReadable(() => process.exit(7))').status, 7);
    });

    it('may come while there is something to read', () => {
      const { status, stderr } = run(backend, 'socket.onReadable(() => {}); setTimeout(() => process.exit(8), 30)');
      assert.equal(stderr, '');
      assert.equal(status, 8);
    });

    it('may come by a throw in the callback, which is seen', () => {
      const { status, stderr } = run(backend, `socket.onReadable(() => { throw new Error('seen') })`);
      assert.match(stderr, /Error: seen/);
      assert.equal(status, 1);
    });

    it('comes by itself when the socket is closed in the callback', () => {
      const { status, stderr } = run(backend, 'socket.onReadable(() => socket.close())');
      assert.equal(stderr, '');
      assert.equal(status, 0);
    });
  });
