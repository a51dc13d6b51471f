/**
 * What the WireGuard mind asks of the outside: cryptography, and a place to put what it wants to say. Everything is synchronous and
 * writes into buffers that the caller owns. `host/crypto` happens to have the first shape, the engine's WireGuard port the second.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';

/** Handshake cryptography: rare calls, so results are fresh arrays. */
export interface NoiseCrypto {
  /** Unkeyed BLAKE2s-256 over the concatenation of the parts. */
  blake2s(...parts: readonly Uint8Array[]): Uint8Array;
  /** HMAC-BLAKE2s-256. */
  hmacBlake2s(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array;
  /** Keyed BLAKE2s with 16 bytes of output. */
  macBlake2s(key: Uint8Array, data: Uint8Array): Uint8Array;
  /** The X25519 public key of a private key (clamped inside). */
  publicKey(privateKey: Uint8Array): Uint8Array;
  /** X25519; null when the shared secret is all zero. */
  sharedSecret(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | null;
  /** ChaCha20-Poly1305, nonce = four zero bytes and the counter, little-endian. Returns ciphertext and tag. */
  seal(key: Uint8Array, counter: number, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  /** Null when the tag does not match. */
  open(key: Uint8Array, counter: number, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | null;
  /** XChaCha20-Poly1305 with a 24-byte nonce (cookie replies). */
  xseal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Uint8Array;
  xopen(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, aad: Uint8Array): Uint8Array | null;
}

/**
 * One direction of a session: ChaCha20-Poly1305 with a fixed key, in place, for the packet path. The 64-bit counter comes as two
 * unsigned 32-bit halves, since a BigInt per packet is dear.
 */
export interface TransportCipher {
  /** Seals `length` bytes at `at` in place and writes the 16-byte tag behind them. */
  seal(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): void;
  /** Opens `length` bytes (tag not counted) at `at` in place; the tag stands behind them. False: not authentic, bytes undefined. */
  open(buffer: Uint8Array, at: number, length: number, counterLow: number, counterHigh: number): boolean;
  /** Erases the key. No call may follow. */
  destroy(): void;
}

export interface WireguardCrypto extends NoiseCrypto {
  /** Copies the key, 32 bytes: the caller erases its own when this returns. */
  transportCipher(key: Uint8Array): TransportCipher;
}

/**
 * A device may be divided over threads that share its UDP port: every part knows all peers and their allowed IPs, but each peer has
 * its sessions, timers and keys in one part alone (`WireguardPeer.owner`). An index tells its part by its top bits; an initiation
 * tells nothing, so part 0 hears them all, keeps floods off, finds out whose each is, and hands it over.
 */
export interface DevicePart {
  readonly index: number;
  readonly indexBits: number;
  /** Takes an initiation that part 0 has admitted for a peer of part `owner`. The bytes are only good during the call. */
  handOver(owner: number, buffer: Uint8Array, at: number, length: number, from: Endpoint): void;
}

/** Where the mind puts what it wants sent. The bytes are only good during the call. */
export interface WireguardSink {
  datagram(to: Endpoint, buffer: Uint8Array, at: number, length: number): void;
}
