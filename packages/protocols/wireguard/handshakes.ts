/**
 * The device's handshake half: starts them, answers them, ends them. Only an initiator has something to remember between two messages;
 * a responder has its keys as soon as it answers. So two ends that start at once do not disturb each other: each gets an answer, and
 * both sessions work.
 */
import { equalConstantTime } from '@vrouter/core/bytes.ts';
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import type { Rng } from '@vrouter/core/rng.ts';
import type { Millis } from '@vrouter/core/time.ts';
import { COOKIE_REPLY_LEN, emitCookieReply, parseCookieReply } from '@vrouter/wire/wireguard/cookie-reply.ts';
import {
  emitInitiation,
  INITIATION_LEN,
  type Initiation,
  parseInitiation,
} from '@vrouter/wire/wireguard/initiation.ts';
import {
  WG_COOKIE_REPLY,
  WG_INITIATION,
  WG_MAC_LEN,
  WG_RESPONSE,
  wireguardType,
} from '@vrouter/wire/wireguard/message.ts';
import { emitResponse, parseResponse, RESPONSE_LEN, type Response } from '@vrouter/wire/wireguard/response.ts';
import { INITIATION_SPACING_MS, KEY_BYTES, REKEY_ATTEMPT_TIME_MS, REKEY_TIMEOUT_MS } from './constants.ts';
import { CookieChecker, takeCookie, writeMacs } from './cookies.ts';
import type { WireguardNow } from './device.ts';
import { WireguardDrop } from './drops.ts';
import type { IndexTable } from './index-table.ts';
import { installAsInitiator, installAsResponder, Keypair } from './keypair.ts';
import {
  erasePending,
  type Identity,
  makeIdentity,
  makeRemote,
  type OpenedInitiation,
  openInitiation,
  openResponse,
  openTimestamp,
  type RemoteStatic,
  type SessionKeys,
  writeInitiation,
  writeResponse,
} from './noise.ts';
import type { WireguardPeer } from './peer.ts';
import type { DevicePart, WireguardCrypto, WireguardSink } from './ports.ts';
import { isLater, nextLabel, tai64n } from './tai64n.ts';
import { type PeerTimers, Timer } from './timers.ts';
import type { Turns } from './turns.ts';

const NO_MAC = new Uint8Array(WG_MAC_LEN);

export class Handshakes {
  identity: Identity;
  /** A peer whose session the last `receive` made usable; whoever called takes it and sends what waits. */
  established: WireguardPeer | null = null;

  readonly #crypto: WireguardCrypto;
  readonly #rng: Rng;
  readonly #peers: ReadonlyMap<string, WireguardPeer>;
  readonly #indices: IndexTable<WireguardPeer, Keypair>;
  readonly #timers: PeerTimers;
  readonly #turns: Turns<WireguardPeer>;
  readonly #part: DevicePart | null;
  readonly #checker: CookieChecker;
  readonly #out: Uint8Array = new Uint8Array(INITIATION_LEN);
  readonly #outView: DataView = new DataView(this.#out.buffer);

  constructor(
    crypto: WireguardCrypto,
    rng: Rng,
    privateKey: Uint8Array,
    peers: ReadonlyMap<string, WireguardPeer>,
    indices: IndexTable<WireguardPeer, Keypair>,
    timers: PeerTimers,
    turns: Turns<WireguardPeer>,
    part: DevicePart | null,
  ) {
    this.#crypto = crypto;
    this.#rng = rng;
    this.#peers = peers;
    this.#indices = indices;
    this.#timers = timers;
    this.#turns = turns;
    this.#part = part;
    this.#checker = new CookieChecker(crypto, rng);
    this.identity = makeIdentity(crypto, privateKey);
  }

  /** False: it is the key that we have. */
  setPrivateKey(privateKey: Uint8Array): boolean {
    if (equalConstantTime(privateKey, this.identity.privateKey)) return false;
    this.identity.privateKey.fill(0);
    this.identity = makeIdentity(this.#crypto, privateKey);
    return true;
  }

  /**
   * Sends an initiation, unless the last one is too young; then the retry timer does it. Where too many are started the peer stands in
   * a queue until `takeTurns` comes to it. `retry`: the attempt goes on; otherwise somebody wants to send now, and the time after
   * which it is given up starts anew (section 6.4).
   */
  initiate(peer: WireguardPeer, clock: WireguardNow, sink: WireguardSink, retry: boolean): void {
    const now = clock.now;
    if (peer.endpoint === null) return;
    if (!retry) peer.attemptStartedAt = now;
    const earliest = peer.lastInitiationSentAt + REKEY_TIMEOUT_MS;
    if (now < earliest) {
      if (peer.deadlines[Timer.retransmit] === Number.POSITIVE_INFINITY)
        this.#timers.arm(peer, Timer.retransmit, earliest);
      return;
    }
    const urgent = peer.staged.length > 0 || peer.current?.canSend(now) === true;
    if (this.#turns.ask(peer, now, urgent)) this.#initiateNow(peer, clock, sink);
  }

  /** Starts the handshakes that waited and whose time has come. */
  takeTurns(clock: WireguardNow, sink: WireguardSink): void {
    for (let peer = this.#turns.next(clock.now); peer !== null; peer = this.#turns.next(clock.now))
      this.#initiateNow(peer, clock, sink);
  }

  #initiateNow(peer: WireguardPeer, clock: WireguardNow, sink: WireguardSink): void {
    const now = clock.now;
    peer.lastInitiationSentAt = now;
    this.#timers.handshakeInitiated(peer, now);
    this.forget(peer);
    const remote = this.#remoteOf(peer);
    const index = this.#indices.reserve(peer);
    const label = tai64n(clock.unixMs);
    // A clock that went back must not lock us out: what we send only grows.
    peer.sentTimestamp.set(isLater(label, peer.sentTimestamp) ? label : nextLabel(peer.sentTimestamp));
    const written = writeInitiation(this.#crypto, this.identity, remote, this.#ephemeral(), index, peer.sentTimestamp);
    if (written === null) {
      this.#indices.release(index);
      return;
    }
    peer.pending = written.pending;
    const message: Initiation = { ...written.message, mac1: NO_MAC, mac2: NO_MAC };
    emitInitiation(message, this.#outView, 0);
    this.#sendHandshake(peer, remote, INITIATION_LEN, peer.endpoint!, now, sink);
  }

  /** Whether an attempt that got no answer goes on. */
  mayRetry(peer: WireguardPeer, now: Millis): boolean {
    return peer.endpoint !== null && now - peer.attemptStartedAt < REKEY_ATTEMPT_TIME_MS;
  }

  /** Both ends have the session. */
  complete(peer: WireguardPeer, clock: WireguardNow): void {
    this.stop(peer);
    peer.lastHandshakeUnixMs = clock.unixMs;
    this.#timers.handshakeComplete(peer);
  }

  /** No handshake is wanted any more: neither the unanswered one nor one that waits for its turn. */
  stop(peer: WireguardPeer): void {
    this.#turns.leave(peer);
    this.forget(peer);
  }

  /** Erases our unanswered handshake, if any. */
  forget(peer: WireguardPeer): void {
    if (peer.pending === null) return;
    this.#indices.release(peer.pending.index);
    erasePending(peer.pending);
    peer.pending = null;
  }

  close(): void {
    this.identity.privateKey.fill(0);
    this.#checker.erase();
  }

  /** Takes any message but data. 0, or -WireguardDrop; subtracted, since a negated 0 would be -0. */
  receive(
    buffer: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    from: Endpoint,
    clock: WireguardNow,
    sink: WireguardSink,
  ): number {
    const end = at + length;
    switch (wireguardType(view, at)) {
      case WG_INITIATION: {
        const message = parseInitiation(view, at, end);
        if (message === null) return -WireguardDrop.length;
        const bytes = buffer.subarray(at, end);
        const admitted = this.#part !== null && this.#part.index > 0;
        const verdict = admitted
          ? this.#checker.checkMac1(this.identity, bytes)
          : this.#admit(bytes, message.sender, from, clock.now, sink);
        return 0 - (verdict === WireguardDrop.none ? this.#initiation(message, bytes, from, clock, sink) : verdict);
      }
      case WG_RESPONSE: {
        const message = parseResponse(view, at, end);
        if (message === null) return -WireguardDrop.length;
        const verdict = this.#admit(buffer.subarray(at, end), message.sender, from, clock.now, sink);
        return 0 - (verdict === WireguardDrop.none ? this.#response(message, from, clock) : verdict);
      }
      case WG_COOKIE_REPLY: {
        const message = parseCookieReply(view, at, end);
        if (message === null) return -WireguardDrop.length;
        const peer = this.#indices.waiting(message.receiver) ?? this.#indices.session(message.receiver)?.peer;
        if (peer === undefined) return -WireguardDrop.unknownIndex;
        return 0 - takeCookie(this.#crypto, peer, this.#remoteOf(peer), message, clock.now);
      }
      default:
        return -WireguardDrop.type;
    }
  }

  #admit(bytes: Uint8Array, sender: number, from: Endpoint, now: Millis, sink: WireguardSink): WireguardDrop {
    const verdict = this.#checker.check(this.identity, bytes, from, now);
    if (verdict === WireguardDrop.cookieNeeded) {
      emitCookieReply(this.#checker.reply(this.identity, bytes, sender, from, now), this.#outView, 0);
      sink.datagram(from, this.#out, 0, COOKIE_REPLY_LEN);
    }
    return verdict;
  }

  #initiation(
    message: Initiation,
    bytes: Uint8Array,
    from: Endpoint,
    clock: WireguardNow,
    sink: WireguardSink,
  ): WireguardDrop {
    const opened = openInitiation(this.#crypto, this.identity, message);
    if (typeof opened === 'number') return opened;
    const verdict = this.#answer(opened, message, bytes, from, clock, sink);
    // However it ended: with what is in it the transcript could be read.
    opened.state.erase();
    return verdict;
  }

  #answer(
    opened: OpenedInitiation,
    message: Initiation,
    bytes: Uint8Array,
    from: Endpoint,
    clock: WireguardNow,
    sink: WireguardSink,
  ): WireguardDrop {
    const peer = this.#peers.get(opened.staticKey.toBase64());
    if (peer === undefined) return WireguardDrop.unknownPeer;
    if (peer.owner >= 0) {
      // Only part 0 is asked about peers of others; anywhere else the peer has just moved, and the next try finds it.
      if (this.#part?.index !== 0) return WireguardDrop.unknownPeer;
      this.#part.handOver(peer.owner, bytes, 0, bytes.length, from);
      return WireguardDrop.none;
    }
    const remote = this.#remoteOf(peer);
    const timestamp = openTimestamp(opened, remote, message);
    if (timestamp === null) return WireguardDrop.notAuthentic;
    const now = clock.now;
    if (!isLater(timestamp, peer.receivedTimestamp)) return WireguardDrop.oldTimestamp;
    if (now - peer.lastInitiationReceivedAt < INITIATION_SPACING_MS) return WireguardDrop.initiationFlood;
    peer.receive(timestamp);
    peer.lastInitiationReceivedAt = now;
    // The answer goes where the question came from. Packets go on to where the peer is known to be until it has used the new session:
    // an initiation is no proof of being there, since one that was recorded before our memory begins is as good as a new one.
    peer.endpoint ??= from;
    this.#heard(peer, INITIATION_LEN, now);

    const index = this.#indices.reserve(peer);
    const written = writeResponse(this.#crypto, opened, message, peer.presharedKey, this.#ephemeral(), index);
    if (written === null) {
      this.#indices.release(index);
      return WireguardDrop.weakKey;
    }
    const { keys } = written;
    const pair = this.#keypair(peer, index, message.sender, keys, false, now);
    installAsResponder(peer, pair, this.#indices);
    this.#timers.sessionDerived(peer, now);
    emitResponse({ ...written.message, mac1: NO_MAC, mac2: NO_MAC }, this.#outView, 0);
    this.#sendHandshake(peer, remote, RESPONSE_LEN, from, now, sink);
    return WireguardDrop.none;
  }

  #response(message: Response, from: Endpoint, clock: WireguardNow): WireguardDrop {
    const peer = this.#indices.waiting(message.receiver);
    const pending = peer?.pending;
    if (peer === null || !pending) return WireguardDrop.unknownIndex;
    const keys = openResponse(this.#crypto, this.identity, pending, message, peer.presharedKey);
    if (typeof keys === 'number') return keys;
    const now = clock.now;
    // Bound to our initiation, so it is fresh: the peer is where it came from (roaming, section 2.1).
    peer.endpoint = from;
    this.#heard(peer, RESPONSE_LEN, now);
    const pair = this.#keypair(peer, pending.index, message.sender, keys, true, now);
    erasePending(pending);
    peer.pending = null;
    installAsInitiator(peer, pair, this.#indices);
    this.#timers.sessionDerived(peer, now);
    this.complete(peer, clock);
    this.established = peer;
    return WireguardDrop.none;
  }

  /** Authentic words from the peer. */
  #heard(peer: WireguardPeer, length: number, now: Millis): void {
    peer.countRx(length, 0);
    this.#timers.authenticatedReceived(peer);
    this.#timers.authenticatedTraversal(peer, now);
  }

  #sendHandshake(
    peer: WireguardPeer,
    remote: RemoteStatic,
    length: number,
    to: Endpoint,
    now: Millis,
    sink: WireguardSink,
  ): void {
    writeMacs(this.#crypto, peer, remote, this.#out.subarray(0, length), now);
    peer.countTx(length, 0);
    this.#timers.authenticatedSent(peer);
    this.#timers.authenticatedTraversal(peer, now);
    sink.datagram(to, this.#out, 0, length);
  }

  #keypair(
    peer: WireguardPeer,
    localIndex: number,
    remoteIndex: number,
    keys: SessionKeys,
    initiator: boolean,
    now: Millis,
  ): Keypair {
    const sending = this.#crypto.transportCipher(initiator ? keys.initiatorSends : keys.responderSends);
    const receiving = this.#crypto.transportCipher(initiator ? keys.responderSends : keys.initiatorSends);
    keys.initiatorSends.fill(0);
    keys.responderSends.fill(0);
    const pair = new Keypair(peer, localIndex, remoteIndex, sending, receiving, initiator, now);
    this.#indices.promote(localIndex, pair);
    return pair;
  }

  #remoteOf(peer: WireguardPeer): RemoteStatic {
    peer.remote ??= makeRemote(this.#crypto, this.identity, peer.publicKey);
    return peer.remote;
  }

  #ephemeral(): Uint8Array {
    const key = new Uint8Array(KEY_BYTES);
    this.#rng.fill(key);
    return key;
  }
}
