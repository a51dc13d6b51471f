import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import { seededRng } from '@vrouter/core/rng.ts';
import { systemCrypto } from '@vrouter/host/crypto/system.ts';
import { WireguardDevice } from '@vrouter/protocols/wireguard/device.ts';
import { makeRegion } from '../../batch/packet-batch.ts';
import { Counters } from '../../graph/counters.ts';
import { dropReasons } from '../../graph/drops.ts';
import type { DatagramSocket } from '../datagram.ts';
import { Outbox } from './outbox.ts';
import { WireguardPort } from './port.ts';

const to = makeEndpoint(Uint8Array.of(192, 0, 2, 7), 7);

function setup(takes: (count: number) => number = (count) => count) {
  const counters = new Counters(1, 1);
  counters.openLink(0);
  const outbox = new Outbox(counters);
  const sent: string[] = [];
  const calls: number[] = [];
  const socket: DatagramSocket = {
    localPort: 1,
    refused: 0,
    receive: () => 0,
    send(rows) {
      calls.push(rows.count);
      for (let i = 0; i < rows.count; i++) {
        const at = rows.offset[i]!;
        sent.push(rows.region[i]!.bytes.subarray(at, at + rows.length[i]!).toHex());
      }
      return takes(rows.count);
    },
    onReadable() {},
    close: async () => {},
  };
  const device = new WireguardDevice(systemCrypto(), seededRng(1), new Uint8Array(32).fill(1));
  const port = new WireguardPort(0, device, outbox);
  port.socket = socket;
  return { counters, outbox, port, sent, calls };
}

test('rows and copies leave together, in order, with one call', () => {
  const { outbox, port, sent, calls } = setup();
  const region = makeRegion(8);
  region.bytes.set([1, 2, 3, 4, 5, 6, 7, 8]);
  outbox.add(port, region, 2, 3, to);
  const passing = Uint8Array.of(9, 10, 11);
  outbox.copy(port, passing, 1, 2, to);
  passing.fill(0);
  outbox.add(port, region, 0, 1, to);
  assert.deepEqual(sent, []);
  outbox.flush();
  outbox.flush();
  assert.deepEqual([sent, calls], [['030405', '0a0b', '01'], [3]]);
});

test('a full port and full slabs send early, and nothing is lost or overwritten', () => {
  const { outbox, port, sent, calls } = setup();
  const expected: string[] = [];
  for (let i = 0; i < 1000; i++) {
    const bytes = new Uint8Array(1500).fill(i & 0xff);
    expected.push(bytes.toHex());
    if (i % 2 === 0) {
      outbox.copy(port, bytes, 0, 1500, to);
      continue;
    }
    const at = outbox.reserve(1500);
    outbox.slab.bytes.set(bytes, at);
    // The mind may speak between the reservation and its use.
    if (i % 50 === 1) {
      for (let n = 0; n < 200; n++) outbox.copy(port, bytes.subarray(0, 1480), 0, 1480, to);
      for (let n = 0; n < 200; n++) expected.splice(expected.length - 1, 0, bytes.subarray(0, 1480).toHex());
    }
    outbox.add(port, outbox.slab, at, 1500, to);
  }
  outbox.flush();
  assert.ok(calls.every((count) => count <= 256));
  assert.equal(sent.length, expected.length);
  assert.ok(sent.every((hex, i) => hex === expected[i]));
});

test('what the kernel has no room for, what it refuses, and what has no socket, is counted apart', () => {
  const { counters, outbox, port } = setup((count) => count - 1);
  const region = makeRegion(4);
  for (let i = 0; i < 3; i++) outbox.add(port, region, 0, 4, to);
  outbox.flush();
  // The one that is not taken is now refused.
  Object.assign(port.socket!, { refused: 1 });
  for (let i = 0; i < 3; i++) outbox.add(port, region, 0, 4, to);
  outbox.flush();
  port.socket = null;
  for (let i = 0; i < 2; i++) outbox.add(port, region, 0, 4, to);
  outbox.flush();
  const count = (name: (typeof dropReasons)[number]): number => counters.drops[dropReasons.indexOf(name)]!;
  assert.deepEqual([count('socketFull'), count('sendRefused'), count('linkDown'), counters.linkDrops[0]], [1, 1, 2, 4]);
});
