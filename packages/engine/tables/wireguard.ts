/**
 * WireGuard devices and peers of the links. What they are lives in the mind; here is what the mind need not know: the configured
 * listen port and the fingerprints of secrets. A socket exists while the link is up; the mind outlives it.
 */
import { formatKey, parseKey } from '@vrouter/core/bytes.ts';
import { parseEndpoint } from '@vrouter/core/endpoint.ts';
import { formatPrefix, type Prefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem, toProblem } from '@vrouter/core/problem.ts';
import type { Rng } from '@vrouter/core/rng.ts';
import { WireguardDevice, type WireguardPeer } from '@vrouter/protocols/wireguard/device.ts';
import type { DevicePart, WireguardCrypto } from '@vrouter/protocols/wireguard/ports.ts';
import type { PeerRecords } from '@vrouter/protocols/wireguard/records.ts';
import { InitiationPace } from '@vrouter/protocols/wireguard/turns.ts';
import type { Action, DumpRow } from '../control/messages.ts';
import type { BreathClock } from '../graph/breath-clock.ts';
import type { DatagramSocket } from '../ports/datagram.ts';
import type { Outbox } from '../ports/wireguard/outbox.ts';
import { WireguardPort } from '../ports/wireguard/port.ts';
import type { Link } from '../state/forwarding.ts';
import type { Handoff } from '../workers/handoff.ts';
import { ownerOf, WORKER_BITS } from '../workers/share.ts';

type DeviceSet = Extract<Action, { do: 'wireguard.set' }>;
type PeerSet = Extract<Action, { do: 'peer.set' }>;
type DeviceRow = Extract<DumpRow, { is: 'wireguard' }>;
type PeerRow = Extract<DumpRow, { is: 'peer' }>;

/** What a device needs of the world. */
export interface WireguardSurroundings {
  readonly crypto: WireguardCrypto;
  readonly rng: Rng;
  /** SHA-256 in lower-case hex. */
  fingerprint(bytes: Uint8Array): string;
  /** Rejects with ProblemError (`port.inUse`). Address `::` means IPv4 too. */
  openUdp(options: { readonly address: string; readonly port: number }): Promise<DatagramSocket>;
}

const LABEL = /^[0-9a-f]{24}$/i;

interface DeviceRecord {
  listenPort: number;
  privateKeyFingerprint: string;
  /** By public key; null without a pre-shared key. */
  readonly presharedKeyFingerprints: Map<string, string | null>;
}

export class WireguardTable {
  readonly #surroundings: WireguardSurroundings;
  readonly #clock: BreathClock;
  readonly #outbox: Outbox;
  readonly #readable: (port: WireguardPort) => void;
  readonly #records: Map<WireguardPort, DeviceRecord>;
  /** Where minds count packets that they lose without a return value to say so, by WireguardDrop. */
  readonly #silentDrops: Float64Array;
  /** How often the minds of this thread start handshakes, all together. */
  readonly #pace: InitiationPace;
  /** Where what becomes of peers can be read. */
  readonly #peerRecords: PeerRecords;
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;

  /** `readable` is called when a port's socket has something. */
  constructor(
    surroundings: WireguardSurroundings,
    clock: BreathClock,
    outbox: Outbox,
    readable: (port: WireguardPort) => void,
    silentDrops: Float64Array,
    records: PeerRecords,
    handoff: Handoff | null = null,
  ) {
    this.#surroundings = surroundings;
    this.#clock = clock;
    this.#outbox = outbox;
    this.#readable = readable;
    this.#records = new Map();
    this.#silentDrops = silentDrops;
    this.#pace = new InitiationPace();
    this.#peerRecords = records;
    this.#handoff = handoff;
  }

  /** Gives a link its device, or changes key and port. Sessions survive another port: the new socket is open before the old closes. */
  async set(link: Link, action: DeviceSet): Promise<Problem | null> {
    let privateKey: Uint8Array | null = null;
    if (action.privateKey !== undefined) {
      const parsed = parseKey(action.privateKey, 'privateKey');
      if (!parsed.ok) return parsed.error;
      privateKey = parsed.value;
    }
    const port = link.wireguard;
    const record = port === null ? undefined : this.#records.get(port)!;
    if (record === undefined && privateKey === null)
      return problem('input.invalid', 'a new WireGuard device needs a private key', 'privateKey');
    let socket: DatagramSocket | null = null;
    if (link.adminUp && record?.listenPort !== action.listenPort) {
      const opened = await this.#open(action.listenPort);
      if ('code' in opened) return opened;
      socket = opened;
    }
    if (port === null) this.#create(link, action.listenPort, privateKey!, socket);
    else {
      record!.listenPort = action.listenPort;
      if (privateKey !== null) this.#setKey(port, record!, privateKey);
      if (socket !== null) await this.#attach(port, socket);
    }
    privateKey?.fill(0);
    link.operUp = link.adminUp;
    return null;
  }

  /** Refuses while there are peers. */
  async remove(link: Link): Promise<Problem | null> {
    const port = link.wireguard;
    if (port === null) return null;
    if (port.device.peerCount > 0)
      return problem('object.dependency', `${link.name} has ${port.device.peerCount} peers; remove them first`, 'link');
    link.wireguard = null;
    link.operUp = false;
    port.device.close();
    this.#records.delete(port);
    await this.#detach(port);
    return null;
  }

  /** Opens or closes the socket as the link goes up or down. Does not touch `link.adminUp`. */
  async setUp(link: Link, up: boolean): Promise<Problem | null> {
    const port = link.wireguard;
    if (port === null) return null;
    if (up && port.socket === null) {
      const opened = await this.#open(this.#records.get(port)!.listenPort);
      if ('code' in opened) return opened;
      await this.#attach(port, opened);
    }
    link.operUp = up;
    if (!up) await this.#detach(port);
    return null;
  }

  setPeer(port: WireguardPort, action: PeerSet): Problem | null {
    const publicKey = parseKey(action.publicKey, 'publicKey');
    if (!publicKey.ok) return publicKey.error;
    let presharedKey: Uint8Array | null | undefined = action.presharedKey === null ? null : undefined;
    if (typeof action.presharedKey === 'string') {
      const parsed = parseKey(action.presharedKey, 'presharedKey');
      if (!parsed.ok) return parsed.error;
      presharedKey = parsed.value;
    }
    const allowedIps: Prefix[] = [];
    for (const [i, text] of action.allowedIps.entries()) {
      const prefix = parsePrefix(text, `allowedIps[${i}]`);
      if (!prefix.ok) return prefix.error;
      allowedIps.push(prefix.value);
    }
    const endpoint = typeof action.endpoint === 'string' ? parseEndpoint(action.endpoint, 'endpoint') : null;
    if (endpoint !== null && !endpoint.ok) return endpoint.error;
    const label = action.handshakeTimestamp ?? null;
    if (label !== null && !LABEL.test(label))
      return problem('input.invalid', 'a TAI64N label has 24 hex digits', 'handshakeTimestamp');
    this.#clock.read();
    const known = port.device.peer(publicKey.value);
    const owner = this.#ownerOf(publicKey.value);
    const isTaken = owner < 0 && (known === undefined || known.endpoint === null || action.moved === true);
    const first = isTaken ? endpoint?.value : undefined;
    const peer = port.device.setPeer(
      owner < 0
        ? {
            publicKey: publicKey.value,
            presharedKey,
            allowedIps,
            endpoint: first,
            persistentKeepaliveSeconds: action.persistentKeepalive,
            receivedTimestamp: label === null ? undefined : Uint8Array.fromHex(label),
          }
        : { publicKey: publicKey.value, allowedIps, owner },
      this.#clock.now,
    );
    if (peer === null) return problem('input.invalid', 'this is the public key of the device itself', 'publicKey');
    if (known === undefined && first !== undefined) port.device.greet(peer, this.#clock.now);
    const fingerprints = this.#records.get(port)!.presharedKeyFingerprints;
    if (presharedKey !== undefined)
      fingerprints.set(action.publicKey, presharedKey === null ? null : this.#surroundings.fingerprint(presharedKey));
    else if (!fingerprints.has(action.publicKey)) fingerprints.set(action.publicKey, null);
    presharedKey?.fill(0);
    return null;
  }

  removePeer(port: WireguardPort, text: string): Problem | null {
    const publicKey = parseKey(text, 'publicKey');
    if (!publicKey.ok) return publicKey.error;
    port.device.removePeer(publicKey.value);
    this.#records.get(port)!.presharedKeyFingerprints.delete(text);
    return null;
  }

  row(link: Link): DeviceRow | null {
    const port = link.wireguard;
    if (port === null) return null;
    const { listenPort, privateKeyFingerprint } = this.#records.get(port)!;
    const localPort = port.socket?.localPort ?? null;
    const publicKey = formatKey(port.device.publicKey);
    return { is: 'wireguard', link: link.name, listenPort, localPort, privateKeyFingerprint, publicKey };
  }

  /** `own`: only those whose sessions are on this worker. */
  *peerRows(link: Link, own: boolean = false): Iterable<PeerRow> {
    if (link.wireguard === null) return;
    for (const peer of link.wireguard.device.peers())
      if (!own || peer.owner < 0) yield this.#peerRow(link, link.wireguard, peer);
  }

  peerRow(link: Link, text: string, own: boolean = false): PeerRow | null {
    const publicKey = parseKey(text);
    const port = link.wireguard;
    const peer = port !== null && publicKey.ok ? port.device.peer(publicKey.value) : undefined;
    return port === null || peer === undefined || (own && peer.owner >= 0) ? null : this.#peerRow(link, port, peer);
  }

  #peerRow(link: Link, port: WireguardPort, peer: WireguardPeer): PeerRow {
    const publicKey = formatKey(peer.publicKey);
    return {
      is: 'peer',
      link: link.name,
      publicKey,
      presharedKeyFingerprint: this.#records.get(port)!.presharedKeyFingerprints.get(publicKey) ?? null,
      allowedIps: port.device.allowedIps(peer).map(formatPrefix).sort(),
      endpoint: peer.endpoint?.text ?? null,
      persistentKeepalive: peer.persistentKeepaliveSeconds,
      lastHandshakeUnixMs: peer.lastHandshakeUnixMs === null ? null : Math.floor(peer.lastHandshakeUnixMs),
      handshakeTimestamp: peer.receivedTimestamp.some((byte) => byte !== 0) ? peer.receivedTimestamp.toHex() : null,
      pathMtu: peer.endpoint === null ? null : (port.socket?.pathMtu?.(peer.endpoint) ?? null),
      rxBytes: peer.rxBytes,
      txBytes: peer.txBytes,
      rxPackets: peer.rxPackets,
      txPackets: peer.txPackets,
    };
  }

  #create(link: Link, listenPort: number, privateKey: Uint8Array, socket: DatagramSocket | null): void {
    const { crypto, rng, fingerprint } = this.#surroundings;
    const part = this.#part(link);
    const device = new WireguardDevice(
      crypto,
      rng,
      privateKey,
      part,
      this.#silentDrops,
      this.#pace,
      this.#peerRecords,
      link.index,
    );
    const port = new WireguardPort(link.index, device, this.#outbox);
    this.#records.set(port, {
      listenPort,
      privateKeyFingerprint: fingerprint(privateKey),
      presharedKeyFingerprints: new Map(),
    });
    link.wireguard = port;
    if (socket !== null) this.#use(port, socket);
  }

  /** The worker that has the peer; -1 when that is this one. */
  #ownerOf(publicKey: Uint8Array): number {
    if (this.#handoff === null) return -1;
    const owner = ownerOf(publicKey, this.#handoff.workers);
    return owner === this.#handoff.index ? -1 : owner;
  }

  #part(link: Link): DevicePart | null {
    const handoff = this.#handoff;
    if (handoff === null) return null;
    return {
      index: handoff.index,
      indexBits: WORKER_BITS,
      handOver: (owner, buffer, at, length, from) => handoff.datagram(owner, link.index, buffer, at, length, from),
    };
  }

  #setKey(port: WireguardPort, record: DeviceRecord, privateKey: Uint8Array): void {
    this.#clock.read();
    port.device.setPrivateKey(privateKey, this.#clock.now);
    record.privateKeyFingerprint = this.#surroundings.fingerprint(privateKey);
    // A peer with our new key is gone.
    record.presharedKeyFingerprints.delete(formatKey(port.device.publicKey));
  }

  async #open(port: number): Promise<DatagramSocket | Problem> {
    try {
      return await this.#surroundings.openUdp({ address: '::', port });
    } catch (thrown) {
      return { ...toProblem(thrown), field: 'listenPort' };
    }
  }

  #use(port: WireguardPort, socket: DatagramSocket): void {
    port.socket = socket;
    socket.onReadable(() => this.#readable(port));
  }

  async #attach(port: WireguardPort, socket: DatagramSocket): Promise<void> {
    const before = port.socket;
    this.#use(port, socket);
    await before?.close();
  }

  async #detach(port: WireguardPort): Promise<void> {
    const before = port.socket;
    port.socket = null;
    await before?.close();
  }
}
