/**
 * The handshake as the paper's 5.4.2 to 5.4.5 spell it, written a second time for tests: both roles, straight down the page, with
 * nothing shared with noise.ts but the primitives. What the device says must open here, and what is said here must open there.
 */
import { concatBytes } from '@vrouter/core/bytes.ts';
import { TestCrypto } from './crypto.testing.ts';

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const crypto = new TestCrypto();
const hash = (...parts: Uint8Array[]): Uint8Array => crypto.blake2s(...parts);
const NOTHING = new Uint8Array(0);
const C0 = hash(text('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s'));
const H0 = hash(C0, text('WireGuard v1 zx2c4 Jason@zx2c4.com'));

/** Section 5.4: Kdf_n(key, input), the n-th output last. */
function kdf(n: number, key: Uint8Array, input: Uint8Array): Uint8Array[] {
  const t0 = crypto.hmacBlake2s(key, input);
  const out: Uint8Array[] = [];
  let last = NOTHING;
  for (let i = 1; i <= n; i++) {
    last = new Uint8Array(crypto.hmacBlake2s(t0, last, Uint8Array.of(i)));
    out.push(last);
  }
  return out;
}

function dh(mine: Uint8Array, theirs: Uint8Array): Uint8Array {
  const secret = crypto.sharedSecret(mine, theirs);
  if (secret === null) throw new Error('an all-zero secret');
  return secret;
}

function opened(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Uint8Array {
  const plain = crypto.open(key, 0, sealed, aad);
  if (plain === null) throw new Error('does not open');
  return new Uint8Array(plain);
}

/** 5.4.4: MAC1 of a message whose last 32 bytes are its MACs. */
export function mac1Of(recipient: Uint8Array, message: Uint8Array): Uint8Array {
  return crypto.macBlake2s(hash(text('mac1----'), recipient), message.subarray(0, message.length - 32));
}

/** 5.4.4: MAC2 covers MAC1 too. */
export function mac2Of(cookie: Uint8Array, message: Uint8Array): Uint8Array {
  return crypto.macBlake2s(cookie, message.subarray(0, message.length - 16));
}

/** 5.4.7: the cookie in a reply to a message with this MAC1. */
export function cookieIn(reply: Uint8Array, responder: Uint8Array, mac1: Uint8Array): Uint8Array | null {
  return crypto.xopen(hash(text('cookie--'), responder), reply.slice(8, 32), reply.slice(32, 64), mac1);
}

/** What a responder knows after the first message. */
export interface HeardInitiation {
  readonly sender: number;
  readonly static: Uint8Array;
  readonly timestamp: Uint8Array;
  readonly ephemeral: Uint8Array;
  readonly c: Uint8Array;
  readonly h: Uint8Array;
}

/** 5.4.2 from the responder's side. */
export function hearInitiation(message: Uint8Array, privateKey: Uint8Array): HeardInitiation {
  const publicKey = crypto.publicKey(privateKey);
  const ephemeral = message.slice(8, 40);
  const encryptedStatic = message.slice(40, 88);
  const encryptedTimestamp = message.slice(88, 116);
  let h = hash(hash(H0, publicKey), ephemeral);
  let [c] = kdf(1, C0, ephemeral) as [Uint8Array];
  let key: Uint8Array;
  [c, key] = kdf(2, c, dh(privateKey, ephemeral)) as [Uint8Array, Uint8Array];
  const theirs = opened(key, encryptedStatic, h);
  h = hash(h, encryptedStatic);
  [c, key] = kdf(2, c, dh(privateKey, theirs)) as [Uint8Array, Uint8Array];
  const timestamp = opened(key, encryptedTimestamp, h);
  h = hash(h, encryptedTimestamp);
  const sender = new DataView(message.buffer, message.byteOffset).getUint32(4, true);
  return { sender, static: theirs, timestamp, ephemeral, c, h };
}

export interface Session {
  /** The index that the other end chose. */
  readonly remote: number;
  readonly sends: Uint8Array;
  readonly receives: Uint8Array;
}

/** 5.4.3 and 5.4.5 from the responder's side: the second message, and the keys behind it. */
export function answer(
  heard: HeardInitiation,
  index: number,
  ephemeralPrivate: Uint8Array,
  psk: Uint8Array,
): { readonly message: Uint8Array; readonly session: Session } {
  const ephemeral = crypto.publicKey(ephemeralPrivate);
  let h = hash(heard.h, ephemeral);
  let [c] = kdf(1, heard.c, ephemeral) as [Uint8Array];
  [c] = kdf(1, c, dh(ephemeralPrivate, heard.ephemeral)) as [Uint8Array];
  [c] = kdf(1, c, dh(ephemeralPrivate, heard.static)) as [Uint8Array];
  const [c3, tau, key] = kdf(3, c, psk) as [Uint8Array, Uint8Array, Uint8Array];
  h = hash(h, tau);
  const empty = crypto.seal(key, 0, NOTHING, h);
  const message = concatBytes(head(2, index, heard.sender), ephemeral, empty, new Uint8Array(32));
  message.set(mac1Of(heard.static, message), message.length - 32);
  const [initiatorSends, responderSends] = kdf(2, c3, NOTHING) as [Uint8Array, Uint8Array];
  return { message, session: { remote: heard.sender, sends: responderSends, receives: initiatorSends } };
}

/** 5.4.2 from the initiator's side; `finish` takes the answer, 5.4.3. */
export function initiate(
  privateKey: Uint8Array,
  responder: Uint8Array,
  index: number,
  ephemeralPrivate: Uint8Array,
  timestamp: Uint8Array,
  psk: Uint8Array,
): { readonly message: Uint8Array; finish(response: Uint8Array): Session } {
  const ephemeral = crypto.publicKey(ephemeralPrivate);
  let h = hash(hash(H0, responder), ephemeral);
  let [c] = kdf(1, C0, ephemeral) as [Uint8Array];
  let key: Uint8Array;
  [c, key] = kdf(2, c, dh(ephemeralPrivate, responder)) as [Uint8Array, Uint8Array];
  const encryptedStatic = crypto.seal(key, 0, crypto.publicKey(privateKey), h);
  h = hash(h, encryptedStatic);
  [c, key] = kdf(2, c, dh(privateKey, responder)) as [Uint8Array, Uint8Array];
  const encryptedTimestamp = crypto.seal(key, 0, timestamp, h);
  h = hash(h, encryptedTimestamp);
  const message = concatBytes(head(1, index), ephemeral, encryptedStatic, encryptedTimestamp, new Uint8Array(32));
  message.set(mac1Of(responder, message), message.length - 32);
  return {
    message,
    finish(response) {
      const theirs = response.slice(12, 44);
      let h2 = hash(h, theirs);
      let [c2] = kdf(1, c, theirs) as [Uint8Array];
      [c2] = kdf(1, c2, dh(ephemeralPrivate, theirs)) as [Uint8Array];
      [c2] = kdf(1, c2, dh(privateKey, theirs)) as [Uint8Array];
      const [c3, tau, last] = kdf(3, c2, psk) as [Uint8Array, Uint8Array, Uint8Array];
      h2 = hash(h2, tau);
      opened(last, response.slice(44, 60), h2);
      const [sends, receives] = kdf(2, c3, NOTHING) as [Uint8Array, Uint8Array];
      return { remote: new DataView(response.buffer, response.byteOffset).getUint32(4, true), sends, receives };
    },
  };
}

/** 5.4.6: a data message. */
export function seal(session: Session, counter: number, plain: Uint8Array): Uint8Array {
  const count = new Uint8Array(8);
  new DataView(count.buffer).setBigUint64(0, BigInt(counter), true);
  return concatBytes(head(4, session.remote), count, crypto.seal(session.sends, counter, plain, NOTHING));
}

/** 5.4.6 the other way; null when it does not open. */
export function unseal(session: Session, message: Uint8Array): Uint8Array | null {
  const counter = Number(new DataView(message.buffer, message.byteOffset).getBigUint64(8, true));
  return crypto.open(session.receives, counter, message.slice(16), NOTHING);
}

function head(type: number, ...words: number[]): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * words.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = type;
  words.forEach((word, i) => {
    view.setUint32(4 + 4 * i, word, true);
  });
  return bytes;
}
