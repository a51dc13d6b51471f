/** What a device knows of one peer. The device and its parts write here; everybody else reads. */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import type { Prefix } from '@vrouter/core/prefix.ts';
import type { AllowedNode } from './allowed-ips.ts';
import type { Keypair } from './keypair.ts';
import type { PendingInitiation, RemoteStatic } from './noise.ts';
import {
  LAST_HANDSHAKE,
  RECORD_DOUBLES,
  type RecordPlace,
  RX_BYTES,
  RX_PACKETS,
  TX_BYTES,
  TX_PACKETS,
  tellEndpoint,
  tellTimestamp,
} from './records.ts';
import { TIMERS } from './timers.ts';
import { Place, type Queued } from './turns.ts';

export interface PeerConfig {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 32 bytes, or none. */
  readonly presharedKey: Uint8Array | null;
  readonly allowedIps: readonly Prefix[];
  readonly endpoint: Endpoint | null;
  /** 0 is off. */
  readonly persistentKeepaliveSeconds: number;
}

/**
 * A change: what is missing stays as it is. `endpoint: null` stays too, since a configuration without an endpoint says "wait for
 * the peer to show", not "forget where it was last seen". `presharedKey: null` takes the key away.
 */
export interface PeerUpdate {
  readonly publicKey: Uint8Array;
  readonly presharedKey?: Uint8Array | null | undefined;
  readonly allowedIps?: readonly Prefix[] | undefined;
  readonly endpoint?: Endpoint | null | undefined;
  readonly persistentKeepaliveSeconds?: number | undefined;
  /** 12 bytes: a TAI64N label that the peer has used, as `WireguardPeer.receivedTimestamp` was before. Initiations up to it are old. */
  readonly receivedTimestamp?: Uint8Array | undefined;
  /** Of a new peer of a divided device: the part that has its sessions, -1 (as when left out) for this one. It never changes. */
  readonly owner?: number | undefined;
}

/** A packet that waits for a session: a copy, with the MTU that bounds its padding. */
export interface StagedPacket {
  readonly bytes: Uint8Array;
  readonly mtu: number;
}

export class WireguardPeer implements Queued<WireguardPeer> {
  readonly publicKey: Uint8Array;
  persistentKeepaliveSeconds = 0;
  presharedKey: Uint8Array | null = null;
  /** In a divided device (DevicePart): the part that has the peer's sessions; -1 when that is this one. */
  readonly owner: number;
  /** False once the device has dropped the peer. */
  alive = true;

  // Sessions, section 6.4 of the paper: `next` is ours as responder and unconfirmed.
  current: Keypair | null = null;
  previous: Keypair | null = null;
  next: Keypair | null = null;

  // The handshake that we started and that is not answered yet.
  pending: PendingInitiation | null = null;
  /** What is derived from the peer's public key and ours; null until first needed. */
  remote: RemoteStatic | null = null;
  lastInitiationSentAt = Number.NEGATIVE_INFINITY;
  attemptStartedAt = Number.NEGATIVE_INFINITY;
  /** The greatest TAI64N received and sent, 12 bytes each. */
  readonly receivedTimestamp: Uint8Array = new Uint8Array(12);
  readonly sentTimestamp: Uint8Array = new Uint8Array(12);
  lastInitiationReceivedAt = Number.NEGATIVE_INFINITY;

  // Cookies, 5.4.7. The MAC1 that we sent last is what a cookie reply is bound to; it answers once.
  lastMac1: Uint8Array | null = null;
  cookie: Uint8Array | null = null;
  cookieReceivedAt = Number.NEGATIVE_INFINITY;

  readonly staged: StagedPacket[] = [];
  readonly allowed: Set<AllowedNode<WireguardPeer>> = new Set();

  // Timers: deadlines in Millis, Infinity when off; the place in the device's heap.
  readonly deadlines: Float64Array = new Float64Array(TIMERS).fill(Number.POSITIVE_INFINITY);
  heapIndex = -1;
  // Its place among those who wait for their turn to start a handshake.
  place: Place = Place.none;
  ahead: WireguardPeer | null = null;
  behind: WireguardPeer | null = null;
  /** Jitter of the silence timer, drawn per session, since packets are too many to throw dice for each. */
  silenceJitterMs = 0;
  keepaliveAgain = false;
  refreshTried = false;

  #endpoint: Endpoint | null = null;
  /** What others are told. Sums live there and not in fields, which would be boxed again on every packet once they are large. */
  readonly record: RecordPlace;
  readonly #sums: Float64Array;
  readonly #sumsAt: number;

  constructor(publicKey: Uint8Array, owner: number, record: RecordPlace) {
    this.publicKey = new Uint8Array(publicKey);
    this.owner = owner;
    this.record = record;
    this.#sums = record.page.doubles;
    this.#sumsAt = record.row * RECORD_DOUBLES;
  }

  /** The configured one until an authenticated message came from elsewhere. */
  get endpoint(): Endpoint | null {
    return this.#endpoint;
  }
  set endpoint(endpoint: Endpoint | null) {
    if (endpoint === this.#endpoint) return;
    this.#endpoint = endpoint;
    tellEndpoint(this.record, endpoint);
  }

  /** When the last handshake completed, Unix ms of the local clock. */
  get lastHandshakeUnixMs(): number | null {
    const at = this.#sums[this.#sumsAt + LAST_HANDSHAKE]!;
    return at === 0 ? null : at;
  }
  set lastHandshakeUnixMs(at: number) {
    this.#sums[this.#sumsAt + LAST_HANDSHAKE] = at;
  }

  /** The peer has used this label of 12 bytes; it is later than those before. */
  receive(timestamp: Uint8Array): void {
    this.receivedTimestamp.set(timestamp);
    tellTimestamp(this.record, timestamp);
  }

  /** UDP payload bytes of authenticated messages from the peer, handshakes and keepalives included. */
  get rxBytes(): number {
    return this.#sums[this.#sumsAt + RX_BYTES]!;
  }
  /** UDP payload bytes sent to the peer, handshakes and keepalives included. */
  get txBytes(): number {
    return this.#sums[this.#sumsAt + TX_BYTES]!;
  }
  /** Inner packets delivered. */
  get rxPackets(): number {
    return this.#sums[this.#sumsAt + RX_PACKETS]!;
  }
  /** Inner packets sealed. */
  get txPackets(): number {
    return this.#sums[this.#sumsAt + TX_PACKETS]!;
  }

  countRx(bytes: number, packets: 0 | 1): void {
    this.#sums[this.#sumsAt + RX_BYTES]! += bytes;
    this.#sums[this.#sumsAt + RX_PACKETS]! += packets;
  }

  countTx(bytes: number, packets: 0 | 1): void {
    this.#sums[this.#sumsAt + TX_BYTES]! += bytes;
    this.#sums[this.#sumsAt + TX_PACKETS]! += packets;
  }
}
