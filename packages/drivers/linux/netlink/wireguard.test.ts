/** What is read of a device with many peers: all of them, or only those in question. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messagesOf } from './answers.ts';
import { changeDevice, joinDevice, parseDevice, peerName } from './wireguard.ts';

const FAMILY = 0x20;
/** Where the command of a generic message is: behind its header. */
const COMMAND_AT = 16;
const WG_CMD_GET_DEVICE = 0;
const key = (n: number): Uint8Array => new Uint8Array(32).fill(n);

test('of the peers of a device only those in question are read', () => {
  // The kernel says a device in the words in which it is told one.
  const [said] = changeDevice(FAMILY, 7, { privateKey: key(9), peers: [1, 2, 3].map((n) => ({ publicKey: key(n) })) });
  said![COMMAND_AT] = WG_CMD_GET_DEVICE;
  const seen = (wanted: ReadonlySet<string> | null): number[] => {
    const rows = [...messagesOf(said!)].map((message) => parseDevice(message, FAMILY, wanted)!);
    const device = joinDevice(rows)!;
    assert.deepEqual([device.index, device.privateKey], [7, key(9)]);
    return device.peers.map(({ publicKey }) => publicKey[0]!);
  };
  assert.deepEqual(seen(null), [1, 2, 3]);
  assert.deepEqual(seen(new Set([peerName(key(2)), peerName(key(4))])), [2]);
  assert.deepEqual(seen(new Set()), []);
});
