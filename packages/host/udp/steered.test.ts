/** Steering over loopback: the kernel brings each datagram to the socket that the program names. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import { parseIp } from '@vrouter/core/ip.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { steeringProgram, WORKER_BITS, workerOf } from '@vrouter/engine/workers/share.ts';
import { openUdp } from './open.ts';
import { adoptUdp, canSteer, closeBound, openSteered } from './steered.ts';
import { Inbox, rowsOf } from './testing.ts';

const skip = canSteer(steeringProgram) ? false : 'this system has no SO_ATTACH_REUSEPORT_CBPF';
const SOCKETS = 8;

/** A message of the type with a receiver index of the worker, where that type has it. */
function message(type: number, worker: number, length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(seed);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, type, true);
  view.setUint32(type === 2 ? 8 : 4, ((worker << (32 - WORKER_BITS)) | (seed * 7919)) >>> 0, true);
  return bytes;
}

test('Linux with koffi can steer', { skip: process.platform === 'linux' ? false : 'not Linux' }, () => {
  assert.equal(skip, false);
});

for (const address of ['127.0.0.1', '::1'])
  test(`each datagram comes to the socket of its index, bundled or not, over ${address}`, { skip }, async (t) => {
    const sockets = openSteered({ address: '::', port: 0 }, SOCKETS, steeringProgram).map(adoptUdp);
    t.after(async () => {
      for (const socket of sockets) await socket.close();
    });
    const inboxes = sockets.map((socket) => new Inbox(socket, 256));
    const parsed = parseIp(address);
    assert.ok(parsed.ok);
    assert.equal(new Set(sockets.map((socket) => socket.localPort)).size, 1);
    const there = makeEndpoint(parsed.value, sockets[0]!.localPort);
    const from = await openUdp({ address, port: 0 });
    t.after(() => from.close());
    const expected: Uint8Array[][] = sockets.map(() => []);
    const send = (batch: Uint8Array[]): void => {
      assert.equal(from.send(rowsOf(batch, there)), batch.length);
      for (const bytes of batch) expected[workerOf(bytes, 0, bytes.length)]!.push(bytes);
    };
    for (let worker = 0; worker < SOCKETS; worker++) {
      // Equal neighbours go as one message and come as one: the program sees the first.
      send(Array.from({ length: 40 }, (_, i) => message(4, worker, 1452, i + worker)));
      // Growing, so that no two are bundled: of a bundle the first decides, and engines pass on what came to the wrong worker.
      send([
        message(4, worker, 32, 4),
        message(3, worker, 64, 2),
        message(2, worker, 92, 1),
        message(1, worker, 148, 3),
      ]);
    }
    // Nonsense goes to the first.
    send([new Uint8Array(0), Uint8Array.of(4), Uint8Array.of(4, 0, 0, 0, 1, 1), new Uint8Array(40).fill(0xff)]);
    await Promise.all(inboxes.map((inbox, i) => inbox.until(expected[i]!.length)));
    inboxes.forEach((inbox, i) => {
      assert.deepEqual(
        inbox.arrivals.map((arrival) => Buffer.from(arrival.bytes).toString('hex')).sort(),
        expected[i]!.map((bytes) => Buffer.from(bytes).toString('hex')).sort(),
        `socket ${i}`,
      );
    });
    assert.ok(sockets[3]!.counters.coalesced >= 1, 'some were bundled');
    // All of them answer from the same port.
    sockets[5]!.send(rowsOf([Uint8Array.of(7)], makeEndpoint(parsed.value, from.localPort)));
    const back = new Inbox(from);
    await back.until(1);
    assert.equal(back.arrivals[0]!.from.port, there.port);
  });

test('a port that somebody has is refused, also when that is such a group', { skip }, () => {
  const group = openSteered({ address: '::', port: 0 }, 3, steeringProgram);
  const inUse = (thrown: unknown): boolean => thrown instanceof ProblemError && thrown.problem.code === 'port.inUse';
  const port = group[0]!.localPort;
  assert.throws(() => openSteered({ address: '::', port }, 3, steeringProgram), inUse);
  assert.throws(() => openSteered({ address: '0.0.0.0', port }, 2, steeringProgram), inUse);
  for (const one of group) closeBound(one);
  for (const one of openSteered({ address: '::', port }, 2, steeringProgram)) closeBound(one);
});
