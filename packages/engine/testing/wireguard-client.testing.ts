/** The far end of a tunnel for tests: a real WireGuard mind on any datagram socket. */
import { strict as assert } from 'node:assert';
import { type Endpoint, parseEndpoint } from '@vrouter/core/endpoint.ts';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import type { Clock } from '@vrouter/core/time.ts';
import { generatePrivateKey, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import { WireguardDevice } from '@vrouter/protocols/wireguard/device.ts';
import { makeRegion, PacketBatch } from '../batch/packet-batch.ts';
import { BreathClock } from '../graph/breath-clock.ts';
import type { DatagramSocket } from '../ports/datagram.ts';

const MTU = 1420;

export class WireguardClient {
  readonly privateKey: Uint8Array;
  readonly device: WireguardDevice;
  /** Inner packets that came. */
  readonly inbox: Uint8Array[] = [];
  readonly #socket: DatagramSocket;
  readonly #clock: BreathClock;
  readonly #batch = new PacketBatch();
  readonly #outgoing = new PacketBatch();
  #gateway: Uint8Array | null = null;

  constructor(socket: DatagramSocket, clock: Clock, privateKey: Uint8Array = generatePrivateKey()) {
    this.privateKey = privateKey;
    this.device = new WireguardDevice(systemCrypto(), systemRng(), privateKey.slice());
    this.#socket = socket;
    this.#clock = new BreathClock(clock);
    socket.onReadable(() => this.receive());
  }

  get publicKey(): string {
    return this.device.publicKey.toBase64();
  }

  /** Everything goes to this gateway. */
  connect(publicKey: string, endpoint: string, presharedKey: Uint8Array | null = null): void {
    const to = parseEndpoint(endpoint);
    const all = ['0.0.0.0/0', '::/0'].map((text) => parsePrefix(text));
    assert.ok(to.ok && all.every((prefix) => prefix.ok));
    this.#gateway = Uint8Array.fromBase64(publicKey);
    this.#clock.read();
    this.device.setPeer(
      {
        publicKey: this.#gateway,
        presharedKey,
        allowedIps: all.map((prefix) => prefix.value),
        endpoint: to.value,
        persistentKeepaliveSeconds: 0,
      },
      this.#clock.now,
    );
  }

  /** Sends an inner packet, which may have to wait for the handshake that it starts. */
  send(packet: Uint8Array): void {
    this.sendAll([packet]);
  }

  /** Sends inner packets with as few calls as the socket allows, so that the kernel may bundle them. */
  sendAll(packets: readonly Uint8Array[]): void {
    for (const packet of packets) this.#seal(packet);
    this.flush();
  }

  #seal(packet: Uint8Array): void {
    const peer = this.device.peer(this.#gateway!)!;
    const region = makeRegion(16 + packet.length + 31);
    region.bytes.set(packet, 16);
    this.#clock.read();
    const sealed = this.device.send(peer, region.bytes, region.view, 16, packet.length, MTU, this.#clock, this);
    assert.ok(sealed >= 0, `send said ${sealed}`);
    if (sealed > 0) this.datagram(peer.endpoint!, region.bytes, 0, sealed);
  }

  receive(): void {
    this.#clock.read();
    while (this.#socket.receive(this.#batch) > 0) {
      for (let row = 0; row < this.#batch.count; row++) {
        const { bytes, view } = this.#batch.region[row]!;
        const at = this.#batch.offset[row]!;
        const from = this.#batch.endpoint[row]!;
        const inner = this.device.receive(bytes, view, at, this.#batch.length[row]!, from, this.#clock, this);
        if (inner > 0) this.inbox.push(bytes.slice(at + 16, at + 16 + inner));
      }
    }
    this.flush();
  }

  tick(): void {
    this.#clock.read();
    this.device.tick(this.#clock, this);
    this.flush();
  }

  /** The mind's sink. */
  datagram(to: Endpoint, buffer: Uint8Array, at: number, length: number): void {
    const row = this.#outgoing.count++;
    const region = makeRegion(length);
    region.bytes.set(buffer.subarray(at, at + length));
    this.#outgoing.region[row] = region;
    this.#outgoing.offset[row] = 0;
    this.#outgoing.length[row] = length;
    this.#outgoing.endpoint[row] = to;
    if (this.#outgoing.count === this.#outgoing.capacity) this.flush();
  }

  flush(): void {
    if (this.#outgoing.count > 0) this.#socket.send(this.#outgoing);
    this.#outgoing.count = 0;
  }
}
