/** However a handshake ends, no secret of it stays in memory: every way out of the code, with a crypto that remembers what it gave away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@vrouter/core/rng.ts';
import { type Millis, millis } from '@vrouter/core/time.ts';
import { BOOK, key, NO_PSK } from './book-world.testing.ts';
import { answer, hearInitiation, initiate, mac1Of } from './by-the-book.testing.ts';
import { TestCrypto } from './crypto.testing.ts';
import { WireguardDevice } from './device.ts';
import { WireguardDrop } from './drops.ts';
import type { DevicePart } from './ports.ts';
import { tai64n } from './tai64n.ts';

/** Secrets, chaining keys and keys as they were handed out, by reference. */
class WatchedCrypto extends TestCrypto {
  readonly given: Uint8Array[] = [];
  /** Calls of `sharedSecret` to come, and which of them finds zeros; -1: none. */
  weakIn = -1;

  override sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null {
    if (this.weakIn-- === 0) return null;
    return this.#note(super.sharedSecret(privateKey, publicKey));
  }

  override hmacBlake2s(mac: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
    return this.#note(super.hmacBlake2s(mac, ...parts))!;
  }

  /** How many of them can still be read. */
  get alive(): number {
    return this.given.filter((bytes) => bytes.some((byte) => byte !== 0)).length;
  }

  #note(bytes: Uint8Array | null): Uint8Array | null {
    if (bytes !== null) this.given.push(bytes);
    return bytes;
  }
}

const UNIX_MS = 1_700_000_000_000;
const privateKey = key(0x11);
const bookKey = key(0x42);

/** A device whose only peer is the book; the secret that both static keys share is made, and not counted. */
function stage(part: DevicePart | null = null, owner = -1) {
  const crypto = new WatchedCrypto();
  const device = new WireguardDevice(crypto, seededRng(1), privateKey, part);
  const publicKey = crypto.publicKey(bookKey);
  const peer = device.setPeer({ publicKey, endpoint: BOOK, owner }, millis(0))!;
  const sent: Uint8Array[] = [];
  let now: Millis = millis(0);
  const sink = {
    datagram: (_: unknown, bytes: Uint8Array, at: number, length: number) =>
      void sent.push(bytes.slice(at, at + length)),
  };
  const hear = (message: Uint8Array, at = 0): number => {
    now = millis(at);
    const region = message.slice();
    return device.receive(region, new DataView(region.buffer), 0, region.length, BOOK, clock(), sink);
  };
  const clock = () => ({ now, unixMs: UNIX_MS + now });
  const initiation = (n = 1, by = bookKey) =>
    initiate(by, device.publicKey, n, key(n), tai64n(UNIX_MS + 100 * n), NO_PSK).message;
  const calls = () => {
    const room = new Uint8Array(128);
    assert.equal(device.send(peer, room, new DataView(room.buffer), 16, 20, 1420, clock(), sink), 0);
  };
  return { crypto, device, peer, sent, hear, initiation, calls };
}

/** The message with a byte changed and its MAC1 mended. */
function bent(message: Uint8Array, at: number, to: Uint8Array): Uint8Array {
  const mutant = message.slice();
  mutant[at]! ^= 1;
  mutant.set(mac1Of(to, mutant), mutant.length - 32);
  return mutant;
}

test('an answered initiation leaves the secret of the static keys alone, and the peer takes that with it', () => {
  const { crypto, device, hear, initiation } = stage();
  assert.equal(hear(initiation()), 0);
  assert.equal(crypto.alive, 1);
  device.removePeer(crypto.publicKey(bookKey));
  assert.equal(crypto.alive, 0);
});

test('a new private key erases what was shared with the old one', () => {
  const { crypto, device, peer, hear, initiation } = stage();
  hear(initiation());
  device.setPrivateKey(key(0x12), millis(100));
  assert.deepEqual([crypto.alive, peer.remote], [0, null]);
});

test('refused initiations leave nothing', () => {
  const { crypto, device, hear, initiation } = stage();
  assert.equal(hear(initiation()), 0);
  const before = crypto.alive;
  const rows: readonly (readonly [message: Uint8Array, at: number, drop: WireguardDrop])[] = [
    [initiation(1, key(0x43)), 200, WireguardDrop.unknownPeer],
    [bent(initiation(3), 50, device.publicKey), 400, WireguardDrop.notAuthentic],
    [bent(initiation(3), 100, device.publicKey), 400, WireguardDrop.notAuthentic],
    [initiation(1), 600, WireguardDrop.oldTimestamp],
    [initiation(2), 10, WireguardDrop.initiationFlood],
  ];
  for (const [message, at, drop] of rows) {
    assert.equal(hear(message, at), -drop);
    assert.equal(crypto.alive, before, `after drop ${drop}`);
  }
});

for (const which of [0, 1, 2])
  test(`secret ${which} of an initiation that we answer is zero`, () => {
    const { crypto, hear, initiation } = stage();
    assert.equal(hear(initiation(1)), 0);
    const before = crypto.alive;
    // The first is the one of the message itself; the others come with the answer.
    crypto.weakIn = which;
    assert.equal(hear(initiation(2), 100), -WireguardDrop.weakKey);
    assert.equal(crypto.alive, before);
  });

for (const which of [0, 1])
  test(`secret ${which} of a response is zero: what we keep is the handshake, as it was`, () => {
    const { crypto, device, sent, hear, calls } = stage();
    calls();
    const { message } = answer(hearInitiation(sent[0]!, bookKey), 7, key(9), NO_PSK);
    const before = crypto.alive;
    crypto.weakIn = which;
    assert.equal(hear(message, 5), -WireguardDrop.weakKey);
    assert.equal(crypto.alive, before);
    assert.equal(hear(bent(message, 50, device.publicKey), 6), -WireguardDrop.notAuthentic);
    assert.equal(crypto.alive, before);
    assert.equal(hear(message, 7), 0);
    assert.equal(crypto.alive, 1);
  });

for (const which of [0, 1])
  test(`secret ${which} of our own initiation is zero`, () => {
    const { crypto, peer, sent, calls } = stage();
    // The static secret comes first, since nobody has spoken yet.
    crypto.weakIn = which;
    calls();
    assert.deepEqual([sent, peer.pending, crypto.alive], [[], null, which]);
  });

test('an initiation that is handed over to another part leaves nothing here', () => {
  let handed = 0;
  const { crypto, hear, initiation } = stage({ index: 0, indexBits: 3, handOver: () => void handed++ }, 1);
  assert.equal(hear(initiation()), 0);
  assert.deepEqual([handed, crypto.alive], [1, 0]);
});
