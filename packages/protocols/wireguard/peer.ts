/** What a device knows of one peer. The device and its parts write here; everybody else reads. */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import type { Prefix } from '@vrouter/core/prefix.ts';
import type { AllowedNode } from './allowed-ips.ts';
import type { Keypair } from './keypair.ts';
import type { PendingInitiation, RemoteStatic } from './noise.ts';
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
}

/** A packet that waits for a session: a copy, with the MTU that bounds its padding. */
export interface StagedPacket {
  readonly bytes: Uint8Array;
  readonly mtu: number;
}

const RX_BYTES = 0;
const TX_BYTES = 1;
const RX_PACKETS = 2;
const TX_PACKETS = 3;

export class WireguardPeer implements Queued<WireguardPeer> {
  readonly publicKey: Uint8Array;
  /** The configured one until an authenticated message came from elsewhere. */
  endpoint: Endpoint | null = null;
  persistentKeepaliveSeconds = 0;
  presharedKey: Uint8Array | null = null;
  /** When the last handshake completed, Unix ms of the local clock. */
  lastHandshakeUnixMs: number | null = null;
  /** In a divided device (DevicePart): the part that has the peer's sessions; -1 when that is this one. */
  owner = -1;
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

  // Sums live in a typed array: number fields would be boxed again on every packet once they are large.
  readonly #sums: Float64Array = new Float64Array(4);

  constructor(publicKey: Uint8Array) {
    this.publicKey = new Uint8Array(publicKey);
  }

  /** UDP payload bytes of authenticated messages from the peer, handshakes and keepalives included. */
  get rxBytes(): number {
    return this.#sums[RX_BYTES]!;
  }
  /** UDP payload bytes sent to the peer, handshakes and keepalives included. */
  get txBytes(): number {
    return this.#sums[TX_BYTES]!;
  }
  /** Inner packets delivered. */
  get rxPackets(): number {
    return this.#sums[RX_PACKETS]!;
  }
  /** Inner packets sealed. */
  get txPackets(): number {
    return this.#sums[TX_PACKETS]!;
  }

  countRx(bytes: number, packets: 0 | 1): void {
    this.#sums[RX_BYTES]! += bytes;
    this.#sums[RX_PACKETS]! += packets;
  }

  countTx(bytes: number, packets: 0 | 1): void {
    this.#sums[TX_BYTES]! += bytes;
    this.#sums[TX_PACKETS]! += packets;
  }
}
