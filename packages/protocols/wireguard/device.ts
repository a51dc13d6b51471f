/**
 * A WireGuard interface without hands: configuration, datagrams, inner packets and time go in; datagrams and inner packets come out.
 * Read the README's drawing first. Sections are those of the WireGuard paper.
 *
 * Not re-entrant: a sink must not call the device that calls it. After any call the owner asks `wakeAt` again.
 */
import { equalConstantTime } from '@vrouter/core/bytes.ts';
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import type { Prefix } from '@vrouter/core/prefix.ts';
import type { Rng } from '@vrouter/core/rng.ts';
import { type Millis, millis } from '@vrouter/core/time.ts';
import { checkData, dataCounterHigh, dataCounterLow, dataReceiver } from '@vrouter/wire/wireguard/data.ts';
import { WG_DATA, wireguardType } from '@vrouter/wire/wireguard/message.ts';
import { AllowedIps } from './allowed-ips.ts';
import {
  DATA_HEADER_BYTES,
  KEEPALIVE_TIMEOUT_MS,
  KEY_BYTES,
  PEERS_PER_TICK,
  REJECT_AFTER_MESSAGES_HIGH,
  REJECT_AFTER_MESSAGES_LOW,
  REJECT_AFTER_TIME_MS,
  TAG_BYTES,
} from './constants.ts';
import { WIREGUARD_DROPS, WireguardDrop } from './drops.ts';
import { Handshakes } from './handshakes.ts';
import { IndexTable } from './index-table.ts';
import { innerLength } from './inner.ts';
import { confirmNext, dropSessions, expireSending, type Keypair } from './keypair.ts';
import { eraseRemote } from './noise.ts';
import { Outbox } from './outbox.ts';
import { type PeerUpdate, WireguardPeer } from './peer.ts';
import type { DevicePart, WireguardCrypto, WireguardSink } from './ports.ts';
import { PeerRecords, placeElsewhere, type RecordPlace } from './records.ts';
import { isLater } from './tai64n.ts';
import { DeadlineHeap, PeerTimers, Timer } from './timers.ts';
import { InitiationPace, Turns } from './turns.ts';

export type { PeerConfig, PeerUpdate } from './peer.ts';
export { WireguardPeer } from './peer.ts';

/** Both clocks at the moment of a call. `unixMs` may have a fraction. */
export interface WireguardNow {
  readonly now: Millis;
  readonly unixMs: number;
}

export class WireguardDevice {
  /** The peer of the inner packet that `receive` delivered last. */
  receivedFrom: WireguardPeer | null = null;
  /** Packets lost that no return value told of (staged ones), by WireguardDrop. */
  readonly silentDrops: Float64Array;

  readonly #peers = new Map<string, WireguardPeer>();
  readonly #allowedIps = new AllowedIps<WireguardPeer>();
  readonly #indices: IndexTable<WireguardPeer, Keypair>;
  readonly #heap = new DeadlineHeap<WireguardPeer>();
  readonly #turns: Turns<WireguardPeer>;
  readonly #timers: PeerTimers;
  readonly #handshakes: Handshakes;
  readonly #outbox: Outbox;
  readonly #records: PeerRecords;
  readonly #number: number;
  readonly #elsewhere: RecordPlace;

  /**
   * `privateKey`: 32 bytes, copied. `rng` makes keys: the system's, except in tests. `part`: which one of a divided device this is;
   * null for a whole one. `silentDrops`: where these are counted; `pace`: how often handshakes are started; `records`: where it is told
   * what becomes of peers, and `number` is the device's name there. These may be shared with others.
   */
  constructor(
    crypto: WireguardCrypto,
    rng: Rng,
    privateKey: Uint8Array,
    part: DevicePart | null = null,
    silentDrops: Float64Array = new Float64Array(WIREGUARD_DROPS),
    pace: InitiationPace = new InitiationPace(),
    records: PeerRecords = new PeerRecords(),
    number = 0,
  ) {
    checkKey(privateKey);
    this.#records = records;
    this.#number = number;
    this.#elsewhere = placeElsewhere();
    this.silentDrops = silentDrops;
    this.#indices =
      part === null ? new IndexTable(rng) : new IndexTable(rng, { bits: part.indexBits, value: part.index });
    this.#turns = new Turns(pace);
    this.#timers = new PeerTimers(this.#heap, rng);
    this.#handshakes = new Handshakes(
      crypto,
      rng,
      privateKey,
      this.#peers,
      this.#indices,
      this.#timers,
      this.#turns,
      part,
    );
    this.#outbox = new Outbox(this.#handshakes, this.#timers, this.silentDrops);
  }

  get publicKey(): Uint8Array {
    return this.#handshakes.identity.publicKey;
  }

  /**
   * The same key changes nothing. Another ends all sending keys and handshakes, and a peer with our new public key is removed. Peers
   * with a persistent keepalive shake hands at once, others with their next packet.
   */
  setPrivateKey(privateKey: Uint8Array, now: Millis): void {
    checkKey(privateKey);
    if (!this.#handshakes.setPrivateKey(privateKey)) return;
    this.removePeer(this.publicKey);
    for (const peer of this.#peers.values()) {
      expireSending(peer);
      this.#handshakes.stop(peer);
      this.#timers.disarm(peer, Timer.retransmit);
      dropRemote(peer);
      if (peer.persistentKeepaliveSeconds > 0 && peer.endpoint !== null)
        this.#timers.arm(peer, Timer.persistentKeepalive, now);
    }
  }

  /**
   * Adds a peer or changes it; see PeerUpdate for what stays. Sessions go on undisturbed: a new pre-shared key counts from the next
   * handshake on, and one that is under way begins anew with it. What is to be sent (a first persistent keepalive, that handshake) is
   * sent by `tick`, and `wakeAt` says so. Allowed IPs that another peer has move here. Null: the key is our own, and is ignored.
   */
  setPeer(update: PeerUpdate, now: Millis): WireguardPeer | null {
    checkKey(update.publicKey);
    if (equalConstantTime(update.publicKey, this.publicKey)) return null;
    const name = update.publicKey.toBase64();
    let peer = this.#peers.get(name);
    if (peer === undefined) {
      const owner = update.owner ?? -1;
      const record = owner < 0 ? this.#records.take(this.#number, update.publicKey) : this.#elsewhere;
      peer = new WireguardPeer(update.publicKey, owner, record);
      this.#peers.set(name, peer);
    }
    if (update.presharedKey !== undefined) this.#setPresharedKey(peer, update.presharedKey, now);
    if (update.receivedTimestamp !== undefined && isLater(update.receivedTimestamp, peer.receivedTimestamp))
      peer.receive(update.receivedTimestamp);
    if (update.allowedIps !== undefined) this.#allowedIps.replace(peer, update.allowedIps);
    const first = peer.endpoint === null;
    if (update.endpoint) peer.endpoint = update.endpoint;
    const seconds = update.persistentKeepaliveSeconds ?? peer.persistentKeepaliveSeconds;
    const wasOff = peer.persistentKeepaliveSeconds === 0;
    peer.persistentKeepaliveSeconds = seconds;
    if (seconds === 0) this.#timers.disarm(peer, Timer.persistentKeepalive);
    else if (peer.endpoint !== null) {
      if (wasOff || first) this.#timers.arm(peer, Timer.persistentKeepalive, now);
      else this.#timers.shorten(peer, Timer.persistentKeepalive, now + seconds * 1000);
    }
    return peer;
  }

  /** Erases the peer's keys, indices and allowed IPs. False: there was none. */
  removePeer(publicKey: Uint8Array): boolean {
    const name = publicKey.toBase64();
    const peer = this.#peers.get(name);
    if (peer === undefined) return false;
    this.#peers.delete(name);
    this.#allowedIps.removeOwner(peer);
    this.#handshakes.stop(peer);
    dropSessions(peer, this.#indices);
    this.#outbox.purge(peer);
    this.#heap.remove(peer);
    peer.presharedKey?.fill(0);
    peer.presharedKey = null;
    dropRemote(peer);
    peer.cookie?.fill(0);
    peer.cookie = null;
    peer.alive = false;
    if (peer.record !== this.#elsewhere) this.#records.free(peer.record);
    if (this.receivedFrom === peer) this.receivedFrom = null;
    return true;
  }

  /** Shakes hands at the next `tick` if it is known where the peer is, whether or not there is something to send. */
  greet(peer: WireguardPeer, now: Millis): void {
    peer.attemptStartedAt = now;
    if (peer.endpoint !== null) this.#timers.arm(peer, Timer.retransmit, now);
  }

  peer(publicKey: Uint8Array): WireguardPeer | undefined {
    return this.#peers.get(publicKey.toBase64());
  }

  peers(): Iterable<WireguardPeer> {
    return this.#peers.values();
  }

  get peerCount(): number {
    return this.#peers.size;
  }

  /** The prefixes that the peer holds now, after moves to and from others. */
  allowedIps(peer: WireguardPeer): Prefix[] {
    return this.#allowedIps.prefixesOf(peer);
  }

  /**
   * Takes the datagram of `length` bytes at `at`; its bytes are changed. Result > 0: an inner packet of that many bytes stands at
   * `at + 16`, trimmed to its IP length, from an allowed source, and `receivedFrom` is its peer. 0: consumed. Negative: -WireguardDrop.
   * `from` is kept as the peer's endpoint when the datagram is authentic, so it must not change later.
   */
  receive(
    buffer: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    from: Endpoint,
    clock: WireguardNow,
    sink: WireguardSink,
  ): number {
    if (length < 4) return -WireguardDrop.length;
    if (wireguardType(view, at) === WG_DATA) return this.#receiveData(buffer, view, at, length, from, clock, sink);
    const result = this.#handshakes.receive(buffer, view, at, length, from, clock, sink);
    const established = this.#handshakes.established;
    if (established !== null) {
      this.#handshakes.established = null;
      this.#outbox.confirm(established, clock, sink);
    }
    return result;
  }

  #receiveData(
    buffer: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    from: Endpoint,
    clock: WireguardNow,
    sink: WireguardSink,
  ): number {
    if (!checkData(view, at, at + length)) return -WireguardDrop.length;
    const pair = this.#indices.session(dataReceiver(view, at));
    if (pair === null) return -WireguardDrop.unknownIndex;
    const now = clock.now;
    if (now - pair.createdAt >= REJECT_AFTER_TIME_MS) return -WireguardDrop.expired;
    const low = dataCounterLow(view, at);
    const high = dataCounterHigh(view, at);
    if (high === REJECT_AFTER_MESSAGES_HIGH && low >= REJECT_AFTER_MESSAGES_LOW) return -WireguardDrop.counterLimit;
    const inner = at + DATA_HEADER_BYTES;
    const plain = length - DATA_HEADER_BYTES - TAG_BYTES;
    if (!pair.receiving.open(buffer, inner, plain, low, high)) return -WireguardDrop.notAuthentic;
    // Only after authentication: a forged counter must not move the window.
    if (!pair.replay.accept(low, high)) return -WireguardDrop.replay;

    const peer = pair.peer;
    peer.endpoint = from;
    if (pair === peer.next) {
      confirmNext(peer, this.#indices);
      // A session whose sending has ended meanwhile must not end the handshake that replaces it.
      if (pair.maySend) {
        this.#handshakes.complete(peer, clock);
        this.#outbox.flush(peer, clock, sink);
      }
    }
    // Asked of the session that sends, not of the one that this came by: a straggler on an old one wants no new one.
    if (!peer.refreshTried && peer.current?.needsRefresh(now) === true) {
      peer.refreshTried = true;
      this.#handshakes.initiate(peer, clock, sink, false);
    }
    this.#timers.authenticatedReceived(peer);
    this.#timers.authenticatedTraversal(peer, now);
    if (plain === 0) {
      peer.countRx(length, 0);
      return 0;
    }
    this.#timers.dataReceived(peer, now);
    const packet = innerLength(view, inner, plain);
    if (packet === 0) {
      peer.countRx(length, 0);
      return -WireguardDrop.innerMalformed;
    }
    const four = buffer[inner]! >>> 4 === 4;
    if (this.#allowedIps.lookup(buffer, inner + (four ? 12 : 8), four ? 4 : 16) !== peer) {
      peer.countRx(length, 0);
      return -WireguardDrop.sourceNotAllowed;
    }
    peer.countRx(length, 1);
    this.receivedFrom = peer;
    return packet;
  }

  /** Who gets packets for the inner destination at `at`, 4 or 16 bytes: the longest prefix of the allowed IPs, or null. */
  route(buffer: Uint8Array, at: number, addressBytes: 4 | 16): WireguardPeer | null {
    return this.#allowedIps.lookup(buffer, at, addressBytes);
  }

  /**
   * Seals the inner packet of `length` bytes at `at` in place. Needs 16 bytes before it and 15 + 16 behind it. Result > 0: the
   * datagram has that many bytes, starts at `at - 16` and goes to `peer.endpoint`. 0: copied until the handshake that this
   * starts ends. Negative: -WireguardDrop. `mtu` is the interface's: padding never exceeds it.
   */
  send(
    peer: WireguardPeer,
    buffer: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    mtu: number,
    clock: WireguardNow,
    sink: WireguardSink,
  ): number {
    return this.#outbox.send(peer, buffer, view, at, length, mtu, clock, sink);
  }

  /**
   * Does what is due, but no more than PEERS_PER_TICK timers and INITIATIONS_AT_ONCE handshakes: whoever calls lets packets have a turn
   * before it calls again, at `wakeAt`. Cheap when nothing is due.
   */
  tick(clock: WireguardNow, sink: WireguardSink): void {
    for (let looked = 0; looked < PEERS_PER_TICK; looked++) {
      const peer = this.#heap.takeDue(clock.now);
      if (peer === null) break;
      this.#run(peer, clock, sink);
      this.#heap.settle(peer);
    }
    this.#handshakes.takeTurns(clock, sink);
  }

  /**
   * When `tick` must be called next; Infinity when nothing waits, and past when the last one had too much to do. It may be early, and
   * then that tick does nothing.
   */
  wakeAt(): Millis {
    return millis(Math.min(this.#heap.earliest(), this.#turns.wakeAt()));
  }

  /** Erases every key of the device and its peers. No call may follow. */
  close(): void {
    for (const peer of [...this.#peers.values()]) this.removePeer(peer.publicKey);
    this.#handshakes.close();
  }

  #run(peer: WireguardPeer, clock: WireguardNow, sink: WireguardSink): void {
    const timers = this.#timers;
    const now = clock.now;
    const zeroAt = peer.deadlines[Timer.zeroKeys]!;
    if (timers.takeDue(peer, Timer.zeroKeys, now)) {
      // After a suspend a packet may have started a handshake before this: that one is new.
      if (peer.lastInitiationSentAt < zeroAt) this.#handshakes.forget(peer);
      dropSessions(peer, this.#indices);
    }
    if (timers.takeDue(peer, Timer.retransmit, now)) {
      if (this.#handshakes.mayRetry(peer, now)) {
        forgetSource(peer);
        this.#handshakes.initiate(peer, clock, sink, true);
      } else {
        this.#handshakes.forget(peer);
        timers.gaveUp(peer, now);
        this.#outbox.purge(peer);
      }
    }
    // Section 6.5: the peer seems gone, or has lost its keys.
    if (timers.takeDue(peer, Timer.newHandshake, now)) {
      forgetSource(peer);
      this.#handshakes.initiate(peer, clock, sink, false);
    }
    if (timers.takeDue(peer, Timer.sendKeepalive, now)) {
      const again = peer.keepaliveAgain;
      this.#outbox.keepalive(peer, clock, sink);
      if (again) timers.arm(peer, Timer.sendKeepalive, now + KEEPALIVE_TIMEOUT_MS);
    }
    if (timers.takeDue(peer, Timer.persistentKeepalive, now)) {
      timers.authenticatedTraversal(peer, now);
      this.#outbox.keepalive(peer, clock, sink);
    }
  }

  #setPresharedKey(peer: WireguardPeer, key: Uint8Array | null, now: Millis): void {
    if (key !== null) checkKey(key);
    // A key of zeros is no key (5.4.3), so the two compare alike.
    const before = peer.presharedKey ?? new Uint8Array(KEY_BYTES);
    if (equalConstantTime(before, key ?? new Uint8Array(KEY_BYTES))) return;
    peer.presharedKey = key === null ? null : new Uint8Array(key);
    before.fill(0);
    // Who is to have the other key as well needs time to get it, and has it as long as the session lives (as with Linux).
    const isUnderWay = peer.pending !== null;
    this.#handshakes.forget(peer);
    if (isUnderWay) this.greet(peer, now);
  }
}

function dropRemote(peer: WireguardPeer): void {
  if (peer.remote !== null) eraseRemote(peer.remote);
  peer.remote = null;
}

function checkKey(key: Uint8Array): void {
  if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${key.length}`);
}

/** Nobody answers what leaves from there: perhaps the way now leads out elsewhere. The system chooses, as Linux lets it here. */
function forgetSource(peer: WireguardPeer): void {
  if (peer.endpoint !== null) peer.endpoint.source = null;
}
