/** The receiving half: one recvmmsg fills many slots, and what the kernel coalesced (UDP_GRO) is handed out row by row. */

import { noControl, readControl } from './control.ts';
import { type DatagramRows, MAX_DATAGRAM_BYTES, makeRegion, SPARE_BYTES, type UdpCounters } from './shape.ts';
import type { EndpointTable } from './sockaddr.ts';
import { SOCKADDR_IN6_LEN, SOCKADDR_ROOM } from './sockaddr.ts';
import * as sys from './syscalls.ts';

const SLOTS = 128;
/** UDP_GRO and the longer one of the two PKTINFOs take 64. */
const CONTROL_ROOM = 96;
const STRIDE = SPARE_BYTES + MAX_DATAGRAM_BYTES + SPARE_BYTES;

const NAMES_AT = SLOTS * sys.MMSGHDR_LEN;
const IOVS_AT = NAMES_AT + SLOTS * SOCKADDR_ROOM;
const CONTROLS_AT = IOVS_AT + SLOTS * sys.IOVEC_LEN;

/** Bytes of the headers' arena. */
export const RX_ARENA_LEN = CONTROLS_AT + SLOTS * CONTROL_ROOM;

export class MmsgReceiver {
  readonly #native: sys.SocketNative;
  readonly #fd: number;
  readonly #counters: UdpCounters;
  readonly #endpoints: EndpointTable;
  /** Pages are touched only as far as datagrams reach, so most of this stays unbacked. */
  readonly #region = makeRegion(SLOTS * STRIDE);
  readonly #words: Uint32Array;
  readonly #control = noControl();
  readonly #headersAt: number;
  /** Messages of the last call, the next one to hand out, and how far into it we are: rows may run out in the middle of one. */
  #messages = 0;
  #message = 0;
  #taken = 0;

  /** `arena` holds the headers, and `endpoints` reads the names out of it. */
  constructor(
    native: sys.SocketNative,
    fd: number,
    arena: ArrayBuffer,
    endpoints: EndpointTable,
    counters: UdpCounters,
  ) {
    this.#native = native;
    this.#fd = fd;
    this.#counters = counters;
    this.#endpoints = endpoints;
    this.#words = new Uint32Array(arena);
    const base = native.addresses.of(arena);
    const data = native.addresses.of(this.#region.bytes.buffer);
    this.#headersAt = base;
    for (let i = 0; i < SLOTS; i++) {
      const header = i * sys.MMSGHDR_WORDS;
      const iov = (IOVS_AT + i * sys.IOVEC_LEN) / 4;
      sys.setLong(this.#words, header + sys.NAME, base + NAMES_AT + i * SOCKADDR_ROOM);
      sys.setLong(this.#words, header + sys.IOV, base + iov * 4);
      sys.setLong(this.#words, header + sys.IOV_COUNT, 1);
      sys.setLong(this.#words, header + sys.CONTROL, base + CONTROLS_AT + i * CONTROL_ROOM);
      sys.setLong(this.#words, iov, data + i * STRIDE + SPARE_BYTES);
      sys.setLong(this.#words, iov + 2, MAX_DATAGRAM_BYTES);
      this.#rearm(i);
    }
  }

  /** True when the last receive ran out of rows: the descriptor will not tell of what is left. */
  get pending(): boolean {
    return this.#message < this.#messages;
  }

  receive(into: DatagramRows): number {
    into.count = 0;
    if (into.capacity === 0) return 0;
    if (!this.pending) this.#fetch(Math.min(into.capacity, SLOTS));
    while (this.#message < this.#messages && into.count < into.capacity) this.#handOut(into);
    this.#counters.received += into.count;
    return into.count;
  }

  #fetch(limit: number): void {
    for (let i = 0; i < this.#messages; i++) this.#rearm(i);
    this.#message = 0;
    this.#messages = 0;
    const count = this.#native.calls.recvmmsg(this.#fd, this.#headersAt, limit, 0, 0);
    if (count >= 0) this.#messages = count;
    else {
      const errno = this.#native.native.koffi.errno();
      if (errno !== sys.errno.EAGAIN && errno !== sys.errno.EINTR) this.#counters.receiveErrors++;
    }
  }

  /** The kernel leaves in these what it used. */
  #rearm(i: number): void {
    const header = i * sys.MMSGHDR_WORDS;
    this.#words[header + sys.NAME_LEN] = SOCKADDR_IN6_LEN;
    sys.setLong(this.#words, header + sys.CONTROL_LEN, CONTROL_ROOM);
  }

  #handOut(into: DatagramRows): void {
    const i = this.#message;
    const total = this.#words[i * sys.MMSGHDR_WORDS + sys.MSG_LEN]!;
    const control = this.#control;
    const controlBytes = Math.min(this.#words[i * sys.MMSGHDR_WORDS + sys.CONTROL_LEN]!, CONTROL_ROOM);
    readControl(this.#words, (CONTROLS_AT + i * CONTROL_ROOM) / 4, controlBytes, control);
    const segment = control.segment > 0 ? control.segment : total;
    const from = i * STRIDE + SPARE_BYTES;
    const endpoint = this.#endpoints.at(NAMES_AT + i * SOCKADDR_ROOM, control.local);
    if (this.#taken === 0 && segment < total) this.#counters.coalesced++;
    // A datagram may be empty, and is a row even so.
    do {
      const length = Math.min(segment, total - this.#taken);
      const row = into.count++;
      into.region[row] = this.#region;
      into.offset[row] = from + this.#taken;
      into.length[row] = length;
      into.endpoint[row] = endpoint;
      this.#taken += length;
    } while (this.#taken < total && into.count < into.capacity);
    if (this.#taken < total) return;
    this.#taken = 0;
    this.#message++;
  }
}
