/**
 * A UDP network in memory, for tests and for worlds that live in one process. Datagrams lie in their receiver's queue until
 * `deliver` wakes it; nothing is lost, reordered or late, unless `lose` says so, and kernels take everything unless `fate` does.
 */
import { type Endpoint, makeEndpoint } from '@vrouter/core/endpoint.ts';
import { parseIp } from '@vrouter/core/ip.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { makeRegion } from '../batch/packet-batch.ts';
import type { DatagramRows, DatagramSocket, Region } from './datagram.ts';

/** Spare bytes around a datagram, as the contract promises. */
const SPARE = 64;
const REGION_BYTES = 1 << 20;
const FIRST_FREE_PORT = 49_152;

interface Datagram {
  readonly from: Endpoint;
  readonly bytes: Uint8Array;
}

export class MemoryNetwork {
  /** Datagrams for which this says true vanish. */
  lose: (from: Endpoint, to: Endpoint, bytes: Uint8Array) => boolean;
  /** What the kernel of their sender does with datagrams. */
  fate: (from: Endpoint, to: Endpoint) => 'taken' | 'full' | 'refused';
  /** Datagrams of one batch touch each other, as the kernel's coalesced ones do. */
  coalesce: boolean;
  readonly #sockets: Map<string, MemorySocket>;

  constructor() {
    this.lose = () => false;
    this.fate = () => 'taken';
    this.coalesce = false;
    this.#sockets = new Map();
  }

  /** A machine with one address, ready to be an engine's or a client's `openUdp`. The address asked for does not matter. */
  host(address: string): (options: { readonly port: number }) => Promise<DatagramSocket> {
    const parsed = parseIp(address);
    if (!parsed.ok) throw new ProblemError(parsed.error);
    const ip = parsed.value;
    return async ({ port }) => {
      let chosen = port;
      if (port === 0) for (chosen = FIRST_FREE_PORT; this.#sockets.has(makeEndpoint(ip, chosen).text); ) chosen++;
      const local = makeEndpoint(ip, chosen);
      if (this.#sockets.has(local.text)) throw new ProblemError(problem('port.inUse', `UDP port ${port} is in use`));
      const socket = new MemorySocket(this, local, () => this.#sockets.delete(local.text));
      this.#sockets.set(local.text, socket);
      return socket;
    };
  }

  /** Wakes sockets until nobody has anything to read; returns how many wakes that took. Throws when it never ends. */
  deliver(limit: number = 10_000): number {
    for (let wakes = 0; wakes < limit; wakes++) {
      const ready = [...this.#sockets.values()].find((socket) => socket.queue.length > 0 && socket.callback !== null);
      if (ready === undefined) return wakes;
      ready.callback!();
    }
    throw new Error(`the network is not quiet after ${limit} wakes`);
  }

  /** Hands a datagram to its receiver; false when nobody has that address. */
  pass(from: Endpoint, to: Endpoint, bytes: Uint8Array): boolean {
    const receiver = this.#sockets.get(to.text);
    if (receiver === undefined) return false;
    if (!this.lose(from, to, bytes)) receiver.queue.push({ from, bytes });
    return true;
  }
}

class MemorySocket implements DatagramSocket {
  readonly local: Endpoint;
  readonly queue: Datagram[];
  callback: (() => void) | null;
  refused: number;
  readonly #network: MemoryNetwork;
  readonly #region: Region;
  readonly #forget: () => void;

  constructor(network: MemoryNetwork, local: Endpoint, forget: () => void) {
    this.local = local;
    this.queue = [];
    this.callback = null;
    this.refused = 0;
    this.#network = network;
    this.#region = makeRegion(REGION_BYTES);
    this.#forget = forget;
  }

  get localPort(): number {
    return this.local.port;
  }

  receive(into: DatagramRows): number {
    let at = SPARE;
    into.count = 0;
    while (into.count < into.capacity && this.queue.length > 0) {
      const { from, bytes } = this.queue[0]!;
      if (at + bytes.length + SPARE > REGION_BYTES) break;
      this.queue.shift();
      const row = into.count++;
      this.#region.bytes.set(bytes, at);
      into.region[row] = this.#region;
      into.offset[row] = at;
      into.length[row] = bytes.length;
      into.endpoint[row] = from;
      at += bytes.length + (this.#network.coalesce ? 0 : 2 * SPARE);
    }
    return into.count;
  }

  send(rows: DatagramRows): number {
    let taken = 0;
    this.refused = 0;
    for (let row = 0; row < rows.count; row++) {
      const to = rows.endpoint[row]!;
      const fate = this.#network.fate(this.local, to);
      if (fate === 'refused') this.refused++;
      if (fate !== 'taken') continue;
      const at = rows.offset[row]!;
      this.#network.pass(this.local, to, rows.region[row]!.bytes.slice(at, at + rows.length[row]!));
      taken++;
    }
    return taken;
  }

  onReadable(callback: () => void): void {
    this.callback = callback;
  }

  async close(): Promise<void> {
    this.callback = null;
    this.#forget();
  }
}
