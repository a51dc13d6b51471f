/** The same socket over node:dgram, for machines without the system calls: every datagram is copied, in and out. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { type Endpoint, makeEndpoint } from '@vrouter/core/endpoint.ts';
import { formatIp, type IpBytes, parseIp, unmapped } from '@vrouter/core/ip.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { bindProblem } from './problems.ts';
import {
  checkRow,
  type DatagramRows,
  DEFAULT_BUFFER_BYTES,
  MAX_DATAGRAM_BYTES,
  makeRegion,
  SPARE_BYTES,
  type UdpOptions,
  type UdpSocket,
  zeroCounters,
} from './shape.ts';

const REGION_LEN = 1 << 20;
const MAX_ENDPOINTS = 65_536;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly endpoint: Endpoint;
}

export class DgramSocket implements UdpSocket {
  readonly backend = 'dgram';
  readonly localPort: number;
  readonly counters = zeroCounters();
  refused = 0;
  readonly #socket: Socket;
  readonly #ipv6: boolean;
  readonly #queueBytes: number;
  readonly #region = makeRegion(REGION_LEN);
  readonly #endpoints = new Map<string, Endpoint>();
  /** What has come and not been taken, from #head on. */
  #queue: Waiting[] = [];
  #head = 0;
  #queued = 0;
  #callback: (() => void) | null = null;
  #due = false;
  #closed = false;

  /** Takes over a bound socket. */
  constructor(socket: Socket, ipv6: boolean, queueBytes: number) {
    this.#socket = socket;
    this.#ipv6 = ipv6;
    this.#queueBytes = queueBytes;
    this.localPort = socket.address().port;
    socket.on('message', (bytes, from) => this.#arrived(bytes, from));
    socket.on('error', () => this.counters.receiveErrors++);
  }

  receive(into: DatagramRows): number {
    into.count = 0;
    let at = SPARE_BYTES;
    while (into.count < into.capacity && this.#head < this.#queue.length) {
      const { bytes, endpoint } = this.#queue[this.#head]!;
      if (at + bytes.length + SPARE_BYTES > REGION_LEN) break;
      this.#region.bytes.set(bytes, at);
      const row = into.count++;
      into.region[row] = this.#region;
      into.offset[row] = at;
      into.length[row] = bytes.length;
      into.endpoint[row] = endpoint;
      at += bytes.length + SPARE_BYTES;
      this.#head++;
      this.#queued -= bytes.length;
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    } else this.#wake();
    this.counters.received += into.count;
    return into.count;
  }

  send(rows: DatagramRows): number {
    if (this.#closed) return 0;
    let taken = 0;
    this.refused = 0;
    for (let i = 0; i < rows.count; i++) {
      checkRow(rows, i);
      if (this.#isRefused(rows, i)) this.refused++;
      else if (this.#sendOne(rows, i)) taken++;
    }
    this.counters.sent += taken;
    this.counters.sendRefused += this.refused;
    this.counters.sendFull += rows.count - taken - this.refused;
    return taken;
  }

  /** Node's sockets do not tell. */
  pathMtu(): null {
    return null;
  }

  onReadable(callback: () => void): void {
    if (this.#callback !== null) throw new Error('the socket has a callback already');
    this.#callback = callback;
    if (this.#head < this.#queue.length) this.#wake();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#queue = [];
    this.#head = 0;
    return new Promise((resolve) => this.#socket.close(resolve));
  }

  /** What can be told before; the rest of what the kernel refuses comes with the callback, too late for `refused`. */
  #isRefused(rows: DatagramRows, i: number): boolean {
    const { address, port } = rows.endpoint[i]!;
    return port === 0 || rows.length[i]! >= MAX_DATAGRAM_BYTES || (address.length !== 4 && !this.#ipv6);
  }

  #sendOne(rows: DatagramRows, i: number): boolean {
    const { address, port } = rows.endpoint[i]!;
    const length = rows.length[i]!;
    // libuv keeps what the kernel does not take at once, without end: here as much waits as the kernel's own buffer would hold.
    if (this.#socket.getSendQueueSize() + length > DEFAULT_BUFFER_BYTES) return false;
    const offset = rows.offset[i]!;
    const copy = rows.region[i]!.bytes.slice(offset, offset + length);
    const host = address.length === 4 && this.#ipv6 ? `::ffff:${formatIp(address)}` : formatIp(address);
    try {
      this.#socket.send(copy, port, host, (error) => {
        if (error === null) return;
        this.counters.sent--;
        this.counters.sendRefused++;
      });
      return true;
    } catch {
      return false;
    }
  }

  #arrived(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#closed) return;
    if (this.#queued + bytes.length > this.#queueBytes) {
      this.counters.receiveDropped++;
      return;
    }
    this.#queue.push({ bytes, endpoint: this.#endpointOf(from) });
    this.#queued += bytes.length;
    this.#wake();
  }

  #wake(): void {
    if (this.#due || this.#closed || this.#callback === null) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      if (!this.#closed && this.#head < this.#queue.length) this.#callback?.();
    });
  }

  #endpointOf(from: RemoteInfo): Endpoint {
    const key = `${from.address}|${from.port}`;
    const known = this.#endpoints.get(key);
    if (known !== undefined) return known;
    if (this.#endpoints.size === MAX_ENDPOINTS) this.#endpoints.clear();
    const endpoint = makeEndpoint(addressOf(from.address), from.port);
    this.#endpoints.set(key, endpoint);
    return endpoint;
  }
}

/** The address without its zone; IPv4 mapped into IPv6 as the IPv4 that it is. */
function addressOf(text: string): IpBytes {
  const parsed = parseIp(text.replace(/%.*$/, ''));
  if (!parsed.ok) throw new ProblemError(parsed.error);
  return unmapped(parsed.value);
}

/** Opens and binds. Rejects with ProblemError: `port.inUse`, `port.denied`, `address.invalid`. */
export async function openDgram(options: UdpOptions): Promise<DgramSocket> {
  const { address, port } = options;
  const parsed = parseIp(address, 'address');
  if (!parsed.ok) throw new ProblemError(parsed.error);
  const ipv6 = parsed.value.length === 16;
  const queueBytes = options.receiveBufferBytes ?? DEFAULT_BUFFER_BYTES;
  const socket = createSocket({
    type: ipv6 ? 'udp6' : 'udp4',
    recvBufferSize: queueBytes,
    // Only literal addresses come here; the resolver would answer later and out of order.
    lookup: (host, _options, done) => done(null, host, ipv6 ? 6 : 4),
  });
  const failure = await new Promise<NodeJS.ErrnoException | null>((resolve) => {
    socket.once('error', resolve);
    socket.bind({ address, port, exclusive: true }, () => resolve(null));
  });
  socket.removeAllListeners('error');
  if (failure === null) return new DgramSocket(socket, ipv6, queueBytes);
  socket.on('error', () => {});
  socket.close();
  if (address === '::' && failure.code === 'EAFNOSUPPORT') return openDgram({ ...options, address: '0.0.0.0' });
  throw new ProblemError(bindProblem(failure.code ?? failure.message, address, port));
}
