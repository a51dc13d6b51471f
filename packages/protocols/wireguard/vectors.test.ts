/** A handshake with fixed keys whose bytes were computed by another program, which also spoke with wireguard-go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Rng } from '@vrouter/core/rng.ts';
import { millis } from '@vrouter/core/time.ts';
import { TestCrypto } from './crypto.testing.ts';
import { WireguardDevice } from './device.ts';
import { WireguardDrop } from './drops.ts';
import { endpoint } from './net.testing.ts';
import { makeIdentity } from './noise.ts';
import type { TransportCipher, WireguardSink } from './ports.ts';

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);
const iPriv = hex('0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20');
const iPub = '07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c';
const rPriv = hex('2122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f40');
const rPub = '5869aff450549732cbaaed5e5df9b30a6da31cb0e5742bad5ad4a1a768f1a67b';
const iEph = hex('4142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f60');
const rEph = hex('6162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f80');
const psk = hex('8182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0');
const init =
  '010000004433221164b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188dd128d9846d48466158a0e4ca242d151ca97ab90159a98b67e61662' +
  '5e68b4065d357376b6598e644ad7d678c0295d22de4cb43d5135581ed36346bfa7cf42a122639f89315e67f2b43de40f99f8e6be9135e1632d45237' +
  'be41c55cffa3e7b390a525fe6500000000000000000000000000000000';
const resp =
  '020000008877665544332211244fe3b963e899dd295baffce248d3530f3a9a7479ba063002680ebfe7adad4927d9d0c10dbd892b072dfd62f2b6d42b' +
  'ee99ce22cd644e00a4f7522e3d9c984400000000000000000000000000000000';
const iSend = '248a29611829aaf7ee8bc8e87df805c1019f08f82d80eb79b7625821ba0a1317';
const iRecv = '848308e622b3e15e5ebc5312111efc31082e86c85e9ee93fe8c5aa7f972cc9c3';
const data0 = '04000000887766550000000000000000b2ea16d7c48dfa56b7ff9ac27204bd502c59bbe5213aaa4b8f44f8f07b742879';
const keepalive1 = '0400000088776655010000000000000045e836be3e0a3596e52872ec13bc82f5';

class WatchedCrypto extends TestCrypto {
  readonly keys: string[] = [];
  override transportCipher(key: Uint8Array): TransportCipher {
    this.keys.push(key.toHex());
    return super.transportCipher(key);
  }
}

/** Dice that fall as the vectors want: one index, one ephemeral key. */
const loaded = (index: number, ephemeral: Uint8Array): Rng => ({
  uint32: () => index,
  fill: (into) => into.set(ephemeral.subarray(0, into.length)),
});

const clock = { now: millis(5000), unixMs: 1_700_000_000_123.4568 };
const iAt = endpoint('192.0.2.1:1');
const rAt = endpoint('192.0.2.2:2');

class Sent implements WireguardSink {
  readonly all: string[] = [];
  datagram(_to: unknown, buffer: Uint8Array, at: number, length: number): void {
    this.all.push(buffer.slice(at, at + length).toHex());
  }
}

function hear(device: WireguardDevice, text: string, from: typeof iAt, sink: Sent): number {
  const bytes = hex(text);
  return device.receive(bytes, new DataView(bytes.buffer), 0, bytes.length, from, clock, sink);
}

test('initiation, response, keys, first data and keepalive are the vectors, byte for byte', () => {
  const iCrypto = new WatchedCrypto();
  const rCrypto = new WatchedCrypto();
  const initiator = new WireguardDevice(iCrypto, loaded(0x1122_3344, iEph), iPriv);
  const responder = new WireguardDevice(rCrypto, loaded(0x5566_7788, rEph), rPriv);
  assert.equal(initiator.publicKey.toHex(), iPub);
  assert.equal(responder.publicKey.toHex(), rPub);
  const to = initiator.setPeer({ publicKey: hex(rPub), presharedKey: psk, endpoint: rAt }, clock.now)!;
  const back = responder.setPeer({ publicKey: hex(iPub), presharedKey: psk }, clock.now)!;
  const said = new Sent();
  const answered = new Sent();

  const buffer = new Uint8Array(128).fill(0xa5);
  buffer.set(new TextEncoder().encode('hello wireguard'), 16);
  assert.equal(initiator.send(to, buffer, new DataView(buffer.buffer), 16, 15, 1420, clock, said), 0);
  assert.deepEqual(said.all, [init]);

  assert.equal(hear(responder, init, iAt, answered), 0);
  assert.deepEqual(answered.all, [resp]);
  assert.equal(back.endpoint?.text, iAt.text);

  assert.equal(hear(initiator, resp, rAt, said), 0);
  assert.deepEqual(said.all, [init, data0]);
  assert.deepEqual(iCrypto.keys, [iSend, iRecv]);
  assert.deepEqual(rCrypto.keys, [iRecv, iSend]);

  initiator.setPeer({ publicKey: hex(rPub), persistentKeepaliveSeconds: 25 }, clock.now);
  initiator.tick(clock, said);
  assert.deepEqual(said.all, [init, data0, keepalive1]);

  // The text is no IP packet, so it is refused, but only after it was opened.
  assert.equal(hear(responder, data0, iAt, answered), -WireguardDrop.innerMalformed);
  assert.equal(hear(responder, keepalive1, iAt, answered), 0);
  assert.equal(hear(responder, keepalive1, iAt, answered), -WireguardDrop.replay);
  assert.deepEqual([to.txBytes, to.rxBytes, to.txPackets, to.rxPackets], [148 + 48 + 32, 92, 1, 0]);
  assert.deepEqual([back.txBytes, back.rxBytes, back.txPackets, back.rxPackets], [92, 148 + 48 + 32, 0, 0]);
  assert.equal(to.lastHandshakeUnixMs, clock.unixMs);
});

test('what is known of a public key', () => {
  const facts = makeIdentity(new TestCrypto(), rPriv);
  assert.equal(facts.chain.toHex(), '60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36');
  assert.equal(facts.mac1Key.toHex(), '5c5cbbfd0c782a2539047315dc2b629f825570bc6a8686d245dd060463b85e1b');
  assert.equal(facts.cookieKey.toHex(), '17728e626505a9a7054fda9a980a5209fb72714de5d9e476848ec7214cc83713');
});
