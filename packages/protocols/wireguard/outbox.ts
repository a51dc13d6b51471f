/** The device's sending half: seals packets, keeps those that wait for a session, and says something when silence would mislead. */
import { emitDataHeader } from '@vrouter/wire/wireguard/data.ts';
import { DATA_HEADER_BYTES, MAX_DATAGRAM_BYTES, PADDING_BYTES, STAGED_PACKETS, TAG_BYTES } from './constants.ts';
import type { WireguardNow } from './device.ts';
import { WireguardDrop } from './drops.ts';
import type { Handshakes } from './handshakes.ts';
import type { Keypair } from './keypair.ts';
import type { WireguardPeer } from './peer.ts';
import type { WireguardSink } from './ports.ts';
import type { PeerTimers } from './timers.ts';

const OVERHEAD = DATA_HEADER_BYTES + TAG_BYTES;

export class Outbox {
  readonly #handshakes: Handshakes;
  readonly #timers: PeerTimers;
  readonly #drops: Float64Array;
  // Staged packets are sealed here, where there is room around them.
  readonly #out: Uint8Array = new Uint8Array(MAX_DATAGRAM_BYTES + PADDING_BYTES);
  readonly #outView: DataView = new DataView(this.#out.buffer);

  constructor(handshakes: Handshakes, timers: PeerTimers, drops: Float64Array) {
    this.#handshakes = handshakes;
    this.#timers = timers;
    this.#drops = drops;
  }

  /** See WireguardDevice.send. */
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
    if (peer.endpoint === null) return -WireguardDrop.noEndpoint;
    if (length + OVERHEAD > MAX_DATAGRAM_BYTES) return -WireguardDrop.tooLong;
    const pair = peer.current;
    if (pair?.canSend(clock.now)) return this.#seal(pair, buffer, view, at, length, mtu, clock, sink);
    this.#stage(peer, buffer, at, length, mtu);
    this.#handshakes.initiate(peer, clock, sink, false);
    return 0;
  }

  /** Sends an empty packet, or starts the handshake that it needs. */
  keepalive(peer: WireguardPeer, clock: WireguardNow, sink: WireguardSink): void {
    if (peer.endpoint === null) return;
    const pair = peer.current;
    if (!pair?.canSend(clock.now)) {
      this.#handshakes.initiate(peer, clock, sink, false);
      return;
    }
    const length = this.#seal(pair, this.#out, this.#outView, DATA_HEADER_BYTES, 0, 0, clock, sink);
    sink.datagram(peer.endpoint, this.#out, 0, length);
  }

  /** The peer has answered our handshake, and may not send before it has heard from us: something goes out in any case. */
  confirm(peer: WireguardPeer, clock: WireguardNow, sink: WireguardSink): void {
    if (peer.staged.length === 0) this.keepalive(peer, clock, sink);
    else this.flush(peer, clock, sink);
  }

  /** Sends what waits, in its order. */
  flush(peer: WireguardPeer, clock: WireguardNow, sink: WireguardSink): void {
    const pair = peer.current;
    if (!pair?.canSend(clock.now) || peer.endpoint === null) return;
    const at = DATA_HEADER_BYTES;
    for (const { bytes, mtu } of peer.staged.splice(0)) {
      this.#out.set(bytes, at);
      const length = this.#seal(pair, this.#out, this.#outView, at, bytes.length, mtu, clock, sink);
      sink.datagram(peer.endpoint, this.#out, 0, length);
    }
  }

  /** Gives up what waits. */
  purge(peer: WireguardPeer): void {
    this.#drops[WireguardDrop.stagedGivenUp]! += peer.staged.length;
    for (const { bytes } of peer.staged.splice(0)) bytes.fill(0);
  }

  #stage(peer: WireguardPeer, buffer: Uint8Array, at: number, length: number, mtu: number): void {
    if (peer.staged.length >= STAGED_PACKETS) {
      peer.staged.shift();
      this.#drops[WireguardDrop.stagedOverflow]! += 1;
    }
    peer.staged.push({ bytes: new Uint8Array(buffer.subarray(at, at + length)), mtu });
  }

  /** Seals in place with a session that can send; the datagram's length, which starts at `at - 16`. */
  #seal(
    pair: Keypair,
    buffer: Uint8Array,
    view: DataView,
    at: number,
    length: number,
    mtu: number,
    clock: WireguardNow,
    sink: WireguardSink,
  ): number {
    const peer = pair.peer;
    const padded = paddedLength(length, mtu);
    for (let i = at + length; i < at + padded; i++) buffer[i] = 0;
    const low = pair.counter[0]!;
    const high = pair.counter[1]!;
    emitDataHeader(view, at - DATA_HEADER_BYTES, pair.remoteIndex, low, high);
    pair.sending.seal(buffer, at, padded, low, high);
    pair.countSent();
    const now = clock.now;
    const total = padded + OVERHEAD;
    peer.countTx(total, length > 0 ? 1 : 0);
    this.#timers.authenticatedSent(peer);
    this.#timers.authenticatedTraversal(peer, now);
    if (length > 0) this.#timers.dataSent(peer, now);
    if (pair.needsRekey(now)) this.#handshakes.initiate(peer, clock, sink, false);
    return total;
  }
}

/** Up to a multiple of 16, but never beyond the MTU (section 5.4.6). */
function paddedLength(length: number, mtu: number): number {
  const padded = (length + PADDING_BYTES - 1) & ~(PADDING_BYTES - 1);
  if (padded <= mtu) return padded;
  return Math.max(length, mtu);
}
