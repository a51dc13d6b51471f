import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slowBackends } from './machine.ts';

test('each slow way is told, the fast ones are not', () => {
  const told = (udp: string, crypto: string) =>
    slowBackends({ udp, crypto, workers: 1 }).map((text) => text.split(' ')[0]);
  assert.deepEqual(told('recvmmsg', 'openssl-direct'), []);
  assert.deepEqual(told('recvmmsg', 'openssl-ffi'), []);
  assert.deepEqual(told('dgram', 'openssl-ffi'), ['UDP']);
  assert.deepEqual(told('dgram', 'node-crypto'), ['UDP', 'packets']);
});
