/**
 * The handshake's arithmetic, Noise_IKpsk2 with WireGuard's labels; sections 5.4.2 to 5.4.5 of the paper. No state of a device, no
 * time: every function takes all it uses. Names: `chain` is the paper's C, `hash` its H.
 */
import { asciiBytes } from '@vrouter/core/bytes.ts';
import type { Initiation } from '@vrouter/wire/wireguard/initiation.ts';
import type { Response } from '@vrouter/wire/wireguard/response.ts';
import { KEY_BYTES } from './constants.ts';
import { WireguardDrop } from './drops.ts';
import type { NoiseCrypto } from './ports.ts';

const CONSTRUCTION = asciiBytes('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s');
const IDENTIFIER = asciiBytes('WireGuard v1 zx2c4 Jason@zx2c4.com');
const LABEL_MAC1 = asciiBytes('mac1----');
const LABEL_COOKIE = asciiBytes('cookie--');
const NOTHING = new Uint8Array(0);
const NO_PSK = new Uint8Array(KEY_BYTES);
const ONE = Uint8Array.of(1);
const TWO = Uint8Array.of(2);
const THREE = Uint8Array.of(3);

/** What everybody knows of a public key: the hash a handshake to it starts with, and the keys of its MAC1 and cookies. */
export interface PublicFacts {
  readonly publicKey: Uint8Array;
  readonly hash: Uint8Array;
  readonly mac1Key: Uint8Array;
  readonly cookieKey: Uint8Array;
}

/** Ours. `chain` is the same for all, and kept so that it is hashed once. */
export interface Identity extends PublicFacts {
  readonly privateKey: Uint8Array;
  readonly chain: Uint8Array;
}

/** A peer's, with the secret that both static keys share; null when that is all zeros. */
export interface RemoteStatic extends PublicFacts {
  readonly staticStatic: Uint8Array | null;
}

export function makeIdentity(crypto: NoiseCrypto, privateKey: Uint8Array): Identity {
  return {
    ...publicFacts(crypto, crypto.publicKey(privateKey)),
    privateKey: new Uint8Array(privateKey),
    chain: crypto.blake2s(CONSTRUCTION),
  };
}

export function makeRemote(crypto: NoiseCrypto, identity: Identity, publicKey: Uint8Array): RemoteStatic {
  return {
    ...publicFacts(crypto, publicKey),
    staticStatic: crypto.sharedSecret(identity.privateKey, publicKey),
  };
}

/** Erases the secret. The facts may not be used again. */
export function eraseRemote(remote: RemoteStatic): void {
  remote.staticStatic?.fill(0);
}

function publicFacts(crypto: NoiseCrypto, publicKey: Uint8Array): PublicFacts {
  const initial = crypto.blake2s(crypto.blake2s(CONSTRUCTION), IDENTIFIER);
  return {
    publicKey,
    hash: crypto.blake2s(initial, publicKey),
    mac1Key: crypto.blake2s(LABEL_MAC1, publicKey),
    cookieKey: crypto.blake2s(LABEL_COOKIE, publicKey),
  };
}

/** The running pair of chaining key and transcript hash. */
export class SymmetricState {
  readonly #crypto: NoiseCrypto;
  #chain: Uint8Array;
  #hash: Uint8Array;

  constructor(crypto: NoiseCrypto, chain: Uint8Array, hash: Uint8Array) {
    this.#crypto = crypto;
    // Not `slice`: of a Node Buffer, which cryptography may hand out, that is no copy.
    this.#chain = new Uint8Array(chain);
    this.#hash = new Uint8Array(hash);
  }

  copy(): SymmetricState {
    return new SymmetricState(this.#crypto, this.#chain, this.#hash);
  }

  mixHash(data: Uint8Array): void {
    this.#hash = this.#crypto.blake2s(this.#hash, data);
  }

  /** KDF1. */
  mixChain(input: Uint8Array): void {
    const seed = this.#extract(input);
    this.#setChain(this.#crypto.hmacBlake2s(seed, ONE));
    seed.fill(0);
  }

  /** KDF2: the second output is a key, which the caller erases. */
  mixKey(input: Uint8Array): Uint8Array {
    const seed = this.#extract(input);
    const chain = this.#crypto.hmacBlake2s(seed, ONE);
    const key = this.#crypto.hmacBlake2s(seed, chain, TWO);
    this.#setChain(chain);
    seed.fill(0);
    return key;
  }

  /** KDF3, and its second output into the hash; the third is a key, which the caller erases. */
  mixPresharedKey(psk: Uint8Array | null): Uint8Array {
    const seed = this.#extract(psk ?? NO_PSK);
    const chain = this.#crypto.hmacBlake2s(seed, ONE);
    const tau = this.#crypto.hmacBlake2s(seed, chain, TWO);
    const key = this.#crypto.hmacBlake2s(seed, tau, THREE);
    this.#setChain(chain);
    this.mixHash(tau);
    seed.fill(0);
    tau.fill(0);
    return key;
  }

  /** Seals under a one-time key, which is erased, with the hash as associated data; the ciphertext goes into the hash. */
  sealOnce(key: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const sealed = this.#crypto.seal(key, 0, plaintext, this.#hash);
    key.fill(0);
    this.mixHash(sealed);
    return sealed;
  }

  /** The reverse; null when not authentic. */
  openOnce(key: Uint8Array, sealed: Uint8Array): Uint8Array | null {
    const plaintext = this.#crypto.open(key, 0, sealed, this.#hash);
    key.fill(0);
    if (plaintext !== null) this.mixHash(sealed);
    return plaintext;
  }

  /** The chaining key as a key of its own; the state is erased. */
  takeChain(): Uint8Array {
    const chain = new Uint8Array(this.#chain);
    this.erase();
    return chain;
  }

  erase(): void {
    this.#chain.fill(0);
    this.#hash.fill(0);
  }

  #extract(input: Uint8Array): Uint8Array {
    return this.#crypto.hmacBlake2s(this.#chain, input);
  }

  #setChain(chain: Uint8Array): void {
    this.#chain.fill(0);
    this.#chain = chain;
  }
}

/** Our handshake that waits for its response. */
export interface PendingInitiation {
  readonly index: number;
  readonly ephemeralPrivate: Uint8Array;
  readonly state: SymmetricState;
}

export function erasePending(pending: PendingInitiation): void {
  pending.ephemeralPrivate.fill(0);
  pending.state.erase();
}

/** The two transport keys of section 5.4.5, by who sends with them. */
export interface SessionKeys {
  readonly initiatorSends: Uint8Array;
  readonly responderSends: Uint8Array;
}

type Sealed<T> = Omit<T, 'mac1' | 'mac2'>;

/** Section 5.4.2. `ephemeralPrivate` is kept in what is returned. Null, and that is erased: a key of the peer makes a secret of zeros. */
export function writeInitiation(
  crypto: NoiseCrypto,
  identity: Identity,
  remote: RemoteStatic,
  ephemeralPrivate: Uint8Array,
  index: number,
  timestamp: Uint8Array,
): { message: Sealed<Initiation>; pending: PendingInitiation } | null {
  const shared = crypto.sharedSecret(ephemeralPrivate, remote.publicKey);
  if (shared === null || remote.staticStatic === null) {
    shared?.fill(0);
    ephemeralPrivate.fill(0);
    return null;
  }
  const state = new SymmetricState(crypto, identity.chain, remote.hash);
  const ephemeral = crypto.publicKey(ephemeralPrivate);
  state.mixHash(ephemeral);
  state.mixChain(ephemeral);
  const encryptedStatic = state.sealOnce(state.mixKey(shared), identity.publicKey);
  shared.fill(0);
  const encryptedTimestamp = state.sealOnce(state.mixKey(remote.staticStatic), timestamp);
  return {
    message: { sender: index, ephemeral, encryptedStatic, encryptedTimestamp },
    pending: { index, ephemeralPrivate, state },
  };
}

/** An initiation whose sender is known, but not yet that it is no replay. Whoever opened it erases the state. */
export interface OpenedInitiation {
  readonly staticKey: Uint8Array;
  readonly state: SymmetricState;
}

/** The first half of reading an initiation: who says to be there. The rest needs that peer. */
export function openInitiation(
  crypto: NoiseCrypto,
  identity: Identity,
  message: Initiation,
): OpenedInitiation | WireguardDrop {
  const shared = crypto.sharedSecret(identity.privateKey, message.ephemeral);
  if (shared === null) return WireguardDrop.weakKey;
  const state = new SymmetricState(crypto, identity.chain, identity.hash);
  state.mixHash(message.ephemeral);
  state.mixChain(message.ephemeral);
  const staticKey = state.openOnce(state.mixKey(shared), message.encryptedStatic);
  shared.fill(0);
  if (staticKey !== null) return { staticKey, state };
  state.erase();
  return WireguardDrop.notAuthentic;
}

/** The second half: proves that the sender has that static key, and gives its timestamp, 12 bytes; null when it does not. */
export function openTimestamp(opened: OpenedInitiation, remote: RemoteStatic, message: Initiation): Uint8Array | null {
  if (remote.staticStatic === null) return null;
  return opened.state.openOnce(opened.state.mixKey(remote.staticStatic), message.encryptedTimestamp);
}

/** Section 5.4.3, with the keys that follow from it. Erases `opened` and `ephemeralPrivate`. Null: a secret of zeros. */
export function writeResponse(
  crypto: NoiseCrypto,
  opened: OpenedInitiation,
  initiation: Initiation,
  psk: Uint8Array | null,
  ephemeralPrivate: Uint8Array,
  index: number,
): { message: Sealed<Response>; keys: SessionKeys } | null {
  const { state } = opened;
  const ephemeral = crypto.publicKey(ephemeralPrivate);
  const withEphemeral = crypto.sharedSecret(ephemeralPrivate, initiation.ephemeral);
  const withStatic = crypto.sharedSecret(ephemeralPrivate, opened.staticKey);
  ephemeralPrivate.fill(0);
  if (withEphemeral === null || withStatic === null) {
    withEphemeral?.fill(0);
    withStatic?.fill(0);
    state.erase();
    return null;
  }
  mixResponse(state, ephemeral, withEphemeral, withStatic);
  const encryptedEmpty = state.sealOnce(state.mixPresharedKey(psk), NOTHING);
  return {
    message: { sender: index, receiver: initiation.sender, ephemeral, encryptedEmpty },
    keys: deriveKeys(state),
  };
}

/** Reads the response to `pending`, which stays as it was: a forged one must not end the handshake. */
export function openResponse(
  crypto: NoiseCrypto,
  identity: Identity,
  pending: PendingInitiation,
  message: Response,
  psk: Uint8Array | null,
): SessionKeys | WireguardDrop {
  const withEphemeral = crypto.sharedSecret(pending.ephemeralPrivate, message.ephemeral);
  const withStatic = crypto.sharedSecret(identity.privateKey, message.ephemeral);
  if (withEphemeral === null || withStatic === null) {
    withEphemeral?.fill(0);
    withStatic?.fill(0);
    return WireguardDrop.weakKey;
  }
  const state = pending.state.copy();
  mixResponse(state, message.ephemeral, withEphemeral, withStatic);
  if (state.openOnce(state.mixPresharedKey(psk), message.encryptedEmpty) === null) {
    state.erase();
    return WireguardDrop.notAuthentic;
  }
  return deriveKeys(state);
}

function mixResponse(
  state: SymmetricState,
  ephemeral: Uint8Array,
  withEphemeral: Uint8Array,
  withStatic: Uint8Array,
): void {
  state.mixHash(ephemeral);
  state.mixChain(ephemeral);
  state.mixChain(withEphemeral);
  state.mixChain(withStatic);
  withEphemeral.fill(0);
  withStatic.fill(0);
}

/** KDF2 over nothing. Erases the state. */
function deriveKeys(state: SymmetricState): SessionKeys {
  const responderSends = state.mixKey(NOTHING);
  return { initiatorSends: state.takeChain(), responderSends };
}
