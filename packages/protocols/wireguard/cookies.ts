/**
 * MAC1, MAC2 and cookies, sections 5.3 and 5.4.4 to 5.4.7: who cannot show that it hears what we send to its address gets no
 * Diffie-Hellman from us while many ask. Whether many ask is told by a virtual queue: each handshake message adds one, and time
 * drains it; so the answer depends on arrivals alone and not on the machine.
 */
import { equalConstantTime } from '@vrouter/core/bytes.ts';
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import type { Rng } from '@vrouter/core/rng.ts';
import type { Millis } from '@vrouter/core/time.ts';
import { COOKIE_NONCE_LEN, type CookieReply } from '@vrouter/wire/wireguard/cookie-reply.ts';
import { WG_MAC_LEN } from '@vrouter/wire/wireguard/message.ts';
import {
  COOKIE_SECRET_LIFE_MS,
  COOKIE_USE_MS,
  KEY_BYTES,
  LOAD_DRAIN_PER_SECOND,
  LOAD_QUEUE,
  LOAD_STICKY_MS,
} from './constants.ts';
import { WireguardDrop } from './drops.ts';
import type { Identity, RemoteStatic } from './noise.ts';
import type { WireguardPeer } from './peer.ts';
import type { NoiseCrypto } from './ports.ts';
import { RateLimiter } from './rate-limiter.ts';

/** Handshake messages of late. */
export class LoadMeter {
  #queue = 0;
  #at = Number.NEGATIVE_INFINITY;
  #loadedUntil = Number.NEGATIVE_INFINITY;

  /** One more has come. True: we are under load. */
  arrived(now: Millis): boolean {
    this.#queue = Math.max(0, this.#queue - ((now - this.#at) * LOAD_DRAIN_PER_SECOND) / 1000);
    this.#at = now;
    // Bounded, so that the end of a flood is noticed within the sticky time.
    if (this.#queue < LOAD_QUEUE) this.#queue += 1;
    if (this.#queue >= LOAD_QUEUE) this.#loadedUntil = now + LOAD_STICKY_MS;
    return now < this.#loadedUntil;
  }
}

/** Our side as the one who is asked: checks MACs and makes cookies. */
export class CookieChecker {
  readonly #crypto: NoiseCrypto;
  readonly #rng: Rng;
  readonly #limiter = new RateLimiter();
  readonly #load = new LoadMeter();
  readonly #secret: Uint8Array = new Uint8Array(KEY_BYTES);
  #secretEndsAt = Number.NEGATIVE_INFINITY;

  constructor(crypto: NoiseCrypto, rng: Rng) {
    this.#crypto = crypto;
    this.#rng = rng;
  }

  /**
   * Judges a handshake message whose MACs are its last 32 bytes. `none`: go on; `cookieNeeded`: answer with `reply`; else drop it.
   */
  check(identity: Identity, message: Uint8Array, from: Endpoint, now: Millis): WireguardDrop {
    const mac2At = message.length - WG_MAC_LEN;
    if (this.checkMac1(identity, message) !== WireguardDrop.none) return WireguardDrop.mac1;
    if (!this.#load.arrived(now)) return WireguardDrop.none;
    const mac2 = this.#crypto.macBlake2s(this.#cookieOf(from, now), message.subarray(0, mac2At));
    if (!equalConstantTime(mac2, message.subarray(mac2At))) return WireguardDrop.cookieNeeded;
    return this.#limiter.allow(from.address, now) ? WireguardDrop.none : WireguardDrop.rateLimited;
  }

  /** The check that needs no memory: for messages that another part of the device has admitted. */
  checkMac1(identity: Identity, message: Uint8Array): WireguardDrop {
    const mac1At = message.length - 2 * WG_MAC_LEN;
    const mac1 = this.#crypto.macBlake2s(identity.mac1Key, message.subarray(0, mac1At));
    const same = equalConstantTime(mac1, message.subarray(mac1At, mac1At + WG_MAC_LEN));
    return same ? WireguardDrop.none : WireguardDrop.mac1;
  }

  /** The cookie reply to a message of `check`, section 5.4.7. `sender` is the message's sender index. */
  reply(identity: Identity, message: Uint8Array, sender: number, from: Endpoint, now: Millis): CookieReply {
    const nonce = new Uint8Array(COOKIE_NONCE_LEN);
    this.#rng.fill(nonce);
    const mac1 = message.subarray(message.length - 2 * WG_MAC_LEN, message.length - WG_MAC_LEN);
    const encryptedCookie = this.#crypto.xseal(identity.cookieKey, nonce, this.#cookieOf(from, now), mac1);
    return { receiver: sender, nonce, encryptedCookie };
  }

  erase(): void {
    this.#secret.fill(0);
    this.#secretEndsAt = Number.NEGATIVE_INFINITY;
  }

  #cookieOf(from: Endpoint, now: Millis): Uint8Array {
    if (now >= this.#secretEndsAt) {
      this.#rng.fill(this.#secret);
      this.#secretEndsAt = now + COOKIE_SECRET_LIFE_MS;
    }
    const source = new Uint8Array(from.address.length + 2);
    source.set(from.address);
    source[from.address.length] = from.port >>> 8;
    source[from.address.length + 1] = from.port & 0xff;
    return this.#crypto.macBlake2s(this.#secret, source);
  }
}

/** Writes MAC1, and MAC2 when the peer gave us a cookie that is still good, over the last 32 bytes. */
export function writeMacs(
  crypto: NoiseCrypto,
  peer: WireguardPeer,
  remote: RemoteStatic,
  message: Uint8Array,
  now: Millis,
): void {
  const mac1At = message.length - 2 * WG_MAC_LEN;
  const mac2At = message.length - WG_MAC_LEN;
  const mac1 = crypto.macBlake2s(remote.mac1Key, message.subarray(0, mac1At));
  message.set(mac1, mac1At);
  peer.lastMac1 = mac1;
  if (peer.cookie !== null && now - peer.cookieReceivedAt < COOKIE_USE_MS)
    message.set(crypto.macBlake2s(peer.cookie, message.subarray(0, mac2At)), mac2At);
  else message.fill(0, mac2At);
}

/** Takes the cookie for the next handshake; nothing is sent again at once, or a reply would amplify. */
export function takeCookie(
  crypto: NoiseCrypto,
  peer: WireguardPeer,
  remote: RemoteStatic,
  reply: CookieReply,
  now: Millis,
): WireguardDrop {
  if (peer.lastMac1 === null) return WireguardDrop.unasked;
  const cookie = crypto.xopen(remote.cookieKey, reply.nonce, reply.encryptedCookie, peer.lastMac1);
  if (cookie === null) return WireguardDrop.notAuthentic;
  peer.cookie = cookie;
  peer.cookieReceivedAt = now;
  peer.lastMac1 = null;
  return WireguardDrop.none;
}
