/** WireGuard's protocol machine on a UDP socket, and a small IP stack above it: a peer that needs nothing of the kernel but UDP. */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import { formatIp, type IpBytes, parseIp } from '@vrouter/core/ip.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { systemClock } from '@vrouter/host/clock/clock.ts';
import { systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { type DatagramRows, makeRegion, type UdpSocket } from '@vrouter/host/udp/shape.ts';
import { WireguardDevice, type WireguardNow } from '@vrouter/protocols/wireguard/device.ts';
import type { WireguardSink } from '@vrouter/protocols/wireguard/ports.ts';
import type { InnerStack } from '../traffic/agent.ts';
import type { PeerReport } from '../traffic/commands.ts';
import { TRAFFIC_PORT } from '../traffic/port.ts';
import { emitEchoRequest, emitUdpPacket, readInner } from './inner-packets.ts';
import type { WgQuickFile } from './wg-quick-file.ts';

/** Where inner packets are built: room for the WireGuard header stands before it. */
const BUILD_AT = 64;
const PING_TIMEOUT_MS = 1000;
const ROWS = 64;

export class UserspaceStack implements InnerStack, WireguardSink {
  readonly addresses: readonly string[];
  readonly #own: readonly IpBytes[];
  readonly #mtu: number;
  readonly #socket: UdpSocket;
  readonly #clock = systemClock();
  readonly #device: WireguardDevice;
  readonly #build = makeRegion(16_384);
  readonly #incoming = makeRows(ROWS);
  readonly #outgoing = makeRows(1);
  readonly #echoes = new Map<number, () => void>();
  #onPayload: (from: string, payload: Uint8Array) => void = () => {};
  #timer: NodeJS.Timeout | undefined;
  #sequence = 0;

  private constructor(file: WgQuickFile, socket: UdpSocket) {
    this.addresses = file.addresses.map((prefix) => formatIp(prefix.address));
    this.#own = file.addresses.map((prefix) => prefix.address);
    this.#mtu = file.mtu;
    this.#socket = socket;
    this.#device = new WireguardDevice(systemCrypto(), systemRng(), file.privateKey);
    for (const peer of file.peers) this.#device.setPeer(peer, this.#clock.now());
  }

  static async open(file: WgQuickFile): Promise<UserspaceStack> {
    const stack = new UserspaceStack(file, await openUdp({ address: '::', port: file.listenPort }));
    stack.#socket.onReadable(() => stack.#receive());
    stack.#tick();
    return stack;
  }

  send(to: string, payload: Uint8Array): void {
    const dst = need(to);
    const length = emitUdpPacket(this.#sourceFor(dst), dst, TRAFFIC_PORT, payload, this.#build.view, BUILD_AT);
    this.#seal(dst, length);
  }

  onPayload(callback: (from: string, payload: Uint8Array) => void): void {
    this.#onPayload = callback;
  }

  ping(to: string): Promise<number> {
    const dst = need(to);
    const sequence = ++this.#sequence & 0xffff;
    const began = performance.now();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#echoes.delete(sequence);
        reject(new ProblemError(problem('timeout', `${to} did not answer an echo request within a second`)));
      }, PING_TIMEOUT_MS);
      this.#echoes.set(sequence, () => {
        clearTimeout(timer);
        resolve(performance.now() - began);
      });
      this.#seal(dst, emitEchoRequest(this.#sourceFor(dst), dst, sequence, this.#build.view, BUILD_AT));
    });
  }

  counters(): Pick<PeerReport, 'rxBytes' | 'txBytes' | 'handshakes'> {
    let rxBytes = 0;
    let txBytes = 0;
    for (const peer of this.#device.peers()) {
      rxBytes += peer.rxBytes;
      txBytes += peer.txBytes;
    }
    return { rxBytes, txBytes, handshakes: null };
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#device.close();
    await this.#socket.close();
  }

  /** What the protocol machine wants sent. */
  datagram(to: Endpoint, buffer: Uint8Array, at: number, length: number): void {
    this.#outgoing.region[0] = { bytes: buffer, view: new DataView(buffer.buffer, buffer.byteOffset, buffer.length) };
    this.#outgoing.offset[0] = at;
    this.#outgoing.length[0] = length;
    this.#outgoing.endpoint[0] = to;
    this.#outgoing.count = 1;
    this.#socket.send(this.#outgoing);
  }

  #seal(dst: IpBytes, length: number): void {
    const { bytes, view } = this.#build;
    bytes.set(dst, 0);
    const peer = this.#device.route(bytes, 0, dst.length === 4 ? 4 : 16);
    if (peer === null) throw new ProblemError(problem('address.invalid', `no peer takes packets for ${formatIp(dst)}`));
    const sealed = this.#device.send(peer, bytes, view, BUILD_AT, length, this.#mtu, this.#now(), this);
    if (sealed > 0 && peer.endpoint !== null) this.datagram(peer.endpoint, bytes, BUILD_AT - 16, sealed);
    this.#schedule();
  }

  #receive(): void {
    const rows = this.#incoming;
    while (this.#socket.receive(rows) > 0)
      for (let i = 0; i < rows.count; i++) {
        const { bytes, view } = rows.region[i]!;
        const at = rows.offset[i]!;
        const { length, endpoint } = rows;
        const inner = this.#device.receive(bytes, view, at, length[i]!, endpoint[i]!, this.#now(), this);
        if (inner > 0) this.#take(view, at + 16, inner);
      }
    this.#schedule();
  }

  #take(view: DataView, at: number, length: number): void {
    const packet = readInner(view, at, at + length);
    if (packet.kind === 'udp' && packet.dstPort === TRAFFIC_PORT) this.#onPayload(formatIp(packet.src), packet.payload);
    if (packet.kind !== 'echo' || !packet.echo.reply) return;
    const waiting = this.#echoes.get(packet.echo.sequence);
    this.#echoes.delete(packet.echo.sequence);
    waiting?.();
  }

  #sourceFor(dst: IpBytes): IpBytes {
    const source = this.#own.find((address) => address.length === dst.length);
    if (source === undefined)
      throw new ProblemError(problem('address.invalid', 'this peer has no address of that family'));
    return source;
  }

  #now(): WireguardNow {
    return { now: this.#clock.now(), unixMs: this.#clock.unixMs() };
  }

  #tick(): void {
    this.#device.tick(this.#now(), this);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    const at = this.#device.wakeAt();
    if (Number.isFinite(at)) this.#timer = setTimeout(() => this.#tick(), Math.max(0, at - this.#clock.now()));
  }
}

function makeRows(capacity: number): DatagramRows {
  return {
    capacity,
    count: 0,
    region: [],
    offset: new Int32Array(capacity),
    length: new Int32Array(capacity),
    endpoint: [],
  };
}

function need(address: string): IpBytes {
  const parsed = parseIp(address);
  if (parsed.ok) return parsed.value;
  throw new ProblemError(parsed.error);
}
