/**
 * The load for a hub, in a process of its own: real handshakes of 32 sessions, packets sealed beforehand, each counter once, then sent
 * round the ring (session i to session i + 1) as fast as the hub passes them on. What comes back is counted, not opened.
 *
 * Its one argument is a GeneratorPlan in JSON; its last line of output a GeneratorReport.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseEndpoint } from '@vrouter/core/endpoint.ts';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import { millis } from '@vrouter/core/time.ts';
import { makeRegion, PacketBatch } from '@vrouter/engine/batch/packet-batch.ts';
import { udpPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import type { UdpSocket } from '@vrouter/host/udp/shape.ts';
import { WireguardDevice, type WireguardPeer } from '@vrouter/protocols/wireguard/device.ts';

export interface GeneratorPlan {
  /** Where the hub listens, and its key, base64. */
  readonly hub: string;
  readonly publicKey: string;
  /** Ours, one per session. */
  readonly privateKeys: readonly string[];
  /** Bytes of the inner packets, and how many of them. */
  readonly size: number;
  readonly packets: number;
}

export interface GeneratorReport {
  readonly received: number;
  readonly lost: number;
  readonly seconds: number;
}

/** Inner address of session i. */
export const innerAddress = (i: number): string => `10.99.1.${i + 1}`;

/** Rows of one session that go out together: what one message of the kernel holds. */
const BURST = 64;
const ROOM = 16 + 32;
/** Bytes under way at most, so that no buffer overflows, and packets at most. */
const WINDOW_BYTES = 2 << 20;
const WINDOW_PACKETS = 4096;
/** Nothing has come for so long: what is under way is lost. Shorter, and a hub that has to wait for its core is sent twice the window. */
const PATIENCE_MS = 500;

const clock = { now: millis(0), unixMs: 0 };
const tellTime = (): void => {
  clock.now = millis(performance.now());
  clock.unixMs = Date.now();
};

class Session {
  readonly device: WireguardDevice;
  readonly peer: WireguardPeer;
  readonly socket: UdpSocket;
  readonly #out = new PacketBatch();
  readonly #in = new PacketBatch();
  readonly #size: number;
  readonly #index: number;
  readonly #packet: Uint8Array;
  #slab = makeRegion(0);
  #sealed = 0;
  #next = 0;

  constructor(plan: GeneratorPlan, index: number, socket: UdpSocket) {
    const to = parseEndpoint(plan.hub);
    const all = parsePrefix('0.0.0.0/0');
    if (!to.ok || !all.ok) throw new Error(`not an endpoint: ${plan.hub}`);
    const { privateKeys } = plan;
    this.#index = index;
    this.#size = plan.size;
    this.socket = socket;
    this.device = new WireguardDevice(systemCrypto(), systemRng(), Uint8Array.fromBase64(privateKeys[index]!));
    tellTime();
    const publicKey = Uint8Array.fromBase64(plan.publicKey);
    this.peer = this.device.setPeer({ publicKey, allowedIps: [all.value], endpoint: to.value }, clock.now)!;
    const way = { src: innerAddress(index), dst: innerAddress((index + 1) % privateKeys.length) };
    this.#packet = udpPacket(way, new Uint8Array(plan.size - 28));
  }

  get ready(): boolean {
    return this.peer.current !== null;
  }

  get left(): number {
    return this.#sealed - this.#next;
  }

  greet(): void {
    tellTime();
    this.device.greet(this.peer, clock.now);
    this.shake();
  }

  /** Lets the mind hear and speak. */
  shake(): void {
    tellTime();
    while (this.socket.receive(this.#in) > 0)
      for (let row = 0; row < this.#in.count; row++) {
        const { bytes, view } = this.#in.region[row]!;
        const from = this.#in.endpoint[row]!;
        this.device.receive(bytes, view, this.#in.offset[row]!, this.#in.length[row]!, from, clock, this);
      }
    if (this.device.wakeAt() <= clock.now) this.device.tick(clock, this);
  }

  datagram(_to: unknown, buffer: Uint8Array, at: number, length: number): void {
    const region = makeRegion(length);
    region.bytes.set(buffer.subarray(at, at + length));
    this.#out.count = 1;
    this.#row(0, region, 0, length);
    this.socket.send(this.#out);
  }

  seal(count: number): void {
    const stride = this.#size + ROOM;
    this.#slab = makeRegion(count * stride);
    const { bytes, view } = this.#slab;
    for (let i = 0; i < count; i++) {
      const at = i * stride + 16;
      bytes.set(this.#packet, at);
      const sealed = this.device.send(this.peer, bytes, view, at, this.#size, this.#size, clock, this);
      if (sealed !== this.#size + 32) throw new Error(`session ${this.#index}: send said ${sealed}`);
    }
    this.#sealed = count;
  }

  /** Sends the next burst; how many packets. */
  burst(): number {
    const count = Math.min(BURST, this.left);
    const stride = this.#size + ROOM;
    for (let i = 0; i < count; i++) this.#row(i, this.#slab, (this.#next + i) * stride, this.#size + 32);
    this.#out.count = count;
    this.socket.send(this.#out);
    this.#next += count;
    return count;
  }

  /** Takes what has come; how many packets of ours. */
  count(): number {
    let packets = 0;
    while (this.socket.receive(this.#in) > 0)
      for (let row = 0; row < this.#in.count; row++) if (this.#in.length[row] === this.#size + 32) packets++;
    return packets;
  }

  #row(i: number, region: { bytes: Uint8Array; view: DataView }, at: number, length: number): void {
    this.#out.region[i] = region;
    this.#out.offset[i] = at;
    this.#out.length[i] = length;
    this.#out.endpoint[i] = this.peer.endpoint!;
  }
}

async function generate(plan: GeneratorPlan): Promise<GeneratorReport> {
  const sessions: Session[] = [];
  for (let i = 0; i < plan.privateKeys.length; i++)
    sessions.push(new Session(plan, i, await openUdp({ address: '0.0.0.0', port: 0 })));
  for (const session of sessions) session.greet();
  for (let tries = 0; !sessions.every((session) => session.ready); tries++) {
    if (tries > 2000) throw new Error('not every session came up');
    await sleep(5);
    for (const session of sessions) session.shake();
  }
  for (const session of sessions) session.seal(Math.floor(plan.packets / sessions.length));
  await sleep(200);
  for (const session of sessions) session.count();

  const window = Math.max(BURST, Math.min(WINDOW_PACKETS, Math.floor(WINDOW_BYTES / plan.size)));
  let [sent, received, lost, turn] = [0, 0, 0, 0];
  const began = performance.now();
  let heard = began;
  for (;;) {
    let came = 0;
    for (const session of sessions) came += session.count();
    const now = performance.now();
    if (came > 0) {
      received += came;
      heard = now;
    } else if (now - heard > PATIENCE_MS) {
      lost = sent - received;
      heard = now;
    }
    while (sent - received - lost < window) {
      const burst = sessions[turn++ % sessions.length]!.burst();
      sent += burst;
      if (burst === 0) break;
    }
    const left = sessions.some((session) => session.left > 0);
    if (!left && sent - received - lost <= 0) break;
  }
  const seconds = (heard - began) / 1000;
  for (const session of sessions) await session.socket.close();
  return { received, lost: sent - received, seconds };
}

if (import.meta.main) console.log(JSON.stringify(await generate(JSON.parse(process.argv[2]!) as GeneratorPlan)));
