/**
 * The sending half: one sendmmsg for many messages, and a run of rows of one length to one endpoint is one message that the kernel,
 * or the card, cuts up again (UDP_SEGMENT, udp(7)); its rows are gathered from where they lie. Rows that lie end to end, as those of a
 * run do that came as one and changed in place, are one piece of memory to the kernel.
 */
import type { Endpoint, LocalAddress } from '@vrouter/core/endpoint.ts';
import { writeSource } from './control.ts';
import type { BoundUdp } from './mmsg.ts';
import { checkRow, type DatagramRows, type UdpCounters } from './shape.ts';
import { type EndpointTable, SOCKADDR_ROOM, writeSockaddr } from './sockaddr.ts';
import * as sys from './syscalls.ts';

const MESSAGES = 64;
const IOVS = 512;
/** UDP_MAX_SEGMENTS of kernels before 6.9, and what fits into an IPv4 packet with room for the headers. */
const RUN_ROWS = 64;
const RUN_BYTES = 65_000;
/** UDP_SEGMENT, and behind it the longer one of the two PKTINFOs. */
const CONTROL_ROOM = 64;
const SEGMENT_SPACE = sys.CMSG_HEADER_LEN + 8;

const NAMES_AT = MESSAGES * sys.MMSGHDR_LEN;
const IOVS_AT = NAMES_AT + MESSAGES * SOCKADDR_ROOM;
const CONTROLS_AT = IOVS_AT + IOVS * sys.IOVEC_LEN;
const ARENA_LEN = CONTROLS_AT + MESSAGES * CONTROL_ROOM;

export class MmsgSender {
  /** Rows of the last `send` that the system refused for their own sake. */
  refused = 0;
  readonly #native: sys.SocketNative;
  readonly #fd: number;
  readonly #family: number;
  /** Endpoints may say where to send from. A socket with an address of its own sends from that, whatever another one has heard. */
  readonly #anyAddress: boolean;
  readonly #counters: UdpCounters;
  readonly #endpoints: EndpointTable;
  readonly #arena = new ArrayBuffer(ARENA_LEN);
  readonly #words = new Uint32Array(this.#arena);
  readonly #view = new DataView(this.#arena);
  readonly #base: number;
  /** Message i holds the rows from #firstRow[i] up to #firstRow[i + 1]. */
  readonly #firstRow = new Int32Array(MESSAGES + 1);
  #segmentation: boolean;

  constructor(
    native: sys.SocketNative,
    { fd, family, runs, anyAddress }: BoundUdp,
    endpoints: EndpointTable,
    counters: UdpCounters,
  ) {
    this.#native = native;
    this.#fd = fd;
    this.#family = family;
    this.#segmentation = runs;
    this.#anyAddress = anyAddress;
    this.#endpoints = endpoints;
    this.#counters = counters;
    this.#base = native.addresses.of(this.#arena);
    for (let i = 0; i < MESSAGES; i++) {
      const control = (CONTROLS_AT + i * CONTROL_ROOM) / 4;
      sys.setLong(this.#words, control, sys.CMSG_HEADER_LEN + 2);
      this.#words[control + 2] = sys.SOL_UDP;
      this.#words[control + 3] = sys.UDP_SEGMENT;
    }
  }

  send(rows: DatagramRows): number {
    for (let i = 0; i < rows.count; i++) checkRow(rows, i);
    let row = 0;
    let full = 0;
    let refused = 0;
    // What the endpoint of `row` is without, to see whether it goes then.
    let without: LocalAddress | null = null;
    // Rows below this are sent one by one, since the path refused their run.
    let singlesBelow = 0;
    while (row < rows.count) {
      if (this.#unreachable(rows.endpoint[row]!)) {
        row++;
        refused++;
        continue;
      }
      const messages = this.#build(rows, row, singlesBelow);
      const sent = this.#native.calls.sendmmsg(this.#fd, this.#base, messages, 0);
      if (sent > 0) {
        // A message that failed behind these reports its error when it comes first.
        row = this.#firstRow[sent]!;
        without = null;
        continue;
      }
      const errno = this.#native.native.koffi.errno();
      const next = this.#firstRow[1]!;
      const to = rows.endpoint[row]!;
      if (errno === sys.errno.EINTR) continue;
      if (errno === sys.errno.EAGAIN || errno === sys.errno.ENOBUFS || errno === sys.errno.ENOMEM) {
        full = rows.count - row;
        if (without !== null) to.source = without;
        break;
      }
      if (next - row > 1 && mayBeTheRun(errno)) {
        // EIO: the egress device cannot checksum segments, and never will. The others are about this path or these lengths.
        if (errno === sys.errno.EIO) this.#segmentation = false;
        singlesBelow = next;
        this.#counters.sendUnbundled++;
        continue;
      }
      if (to.source !== null && this.#anyAddress && mayBeTheSource(errno)) {
        // Was the address taken from us? Then the system chooses another, until a packet of the peer says what it should be.
        without = to.source;
        to.source = null;
        continue;
      }
      if (without !== null) {
        // It was not the address. Put back, it is not looked at again for these rows.
        to.source = without;
        without = null;
      }
      refused += next - row;
      row = next;
    }
    this.refused = refused;
    this.#counters.sendRefused += refused;
    this.#counters.sendFull += full;
    this.#counters.sent += rows.count - full - refused;
    return rows.count - full - refused;
  }

  #unreachable(endpoint: Endpoint): boolean {
    return (this.#family === 2 && endpoint.address.length !== 4) || endpoint.port === 0;
  }

  /** Lays out as many messages as there is room for, from `row` on; at least one. Returns how many. */
  #build(rows: DatagramRows, row: number, singlesBelow: number): number {
    const words = this.#words;
    let message = 0;
    let iov = 0;
    let nameAt = 0;
    let nameLength = 0;
    let previous: Endpoint | null = null;
    while (row < rows.count && message < MESSAGES && iov < IOVS) {
      const endpoint = rows.endpoint[row]!;
      if (endpoint !== previous) {
        if (this.#unreachable(endpoint)) break;
        nameAt = NAMES_AT + message * SOCKADDR_ROOM;
        nameLength = this.#writeName(nameAt, endpoint);
        previous = endpoint;
      }
      const runs = this.#segmentation && row >= singlesBelow;
      const end = runs ? Math.min(endOfRun(rows, row), row + IOVS - iov) : row + 1;
      const header = message * sys.MMSGHDR_WORDS;
      sys.setLong(words, header + sys.NAME, this.#base + nameAt);
      words[header + sys.NAME_LEN] = nameLength;
      sys.setLong(words, header + sys.IOV, this.#base + IOVS_AT + iov * sys.IOVEC_LEN);
      this.#control(message, endpoint, end - row > 1 ? rows.length[row]! : 0);
      this.#firstRow[message++] = row;
      const pieces = this.#gather(iov, rows, row, end);
      sys.setLong(words, header + sys.IOV_COUNT, pieces);
      iov += pieces;
      row = end;
    }
    this.#firstRow[message] = row;
    return message;
  }

  #writeName(at: number, endpoint: Endpoint): number {
    const scope = this.#endpoints.scopeOf(endpoint);
    return writeSockaddr(this.#view, at, this.#family, endpoint.address, endpoint.port, scope);
  }

  /** What goes with the message: the length to cut it up to, 0 for one datagram, and the address that it is to come from. */
  #control(message: number, endpoint: Endpoint, segment: number): void {
    const header = message * sys.MMSGHDR_WORDS;
    const control = CONTROLS_AT + message * CONTROL_ROOM;
    const info = control + SEGMENT_SPACE;
    const { source } = endpoint;
    const end = source === null || !this.#anyAddress ? info : info + writeSource(this.#view, info, source);
    if (segment > 0) this.#view.setUint16(control + sys.CMSG_HEADER_LEN, segment, true);
    const from = segment > 0 ? control : info;
    sys.setLong(this.#words, header + sys.CONTROL, end === from ? 0 : this.#base + from);
    sys.setLong(this.#words, header + sys.CONTROL_LEN, end - from);
  }

  /** Lays out the rows from `row` up to `end` as pieces of memory, from `iov` on; returns how many pieces. */
  #gather(iov: number, rows: DatagramRows, row: number, end: number): number {
    const first = iov;
    // Where the last piece ends, and its length so far.
    let edge = -1;
    let length = 0;
    for (; row < end; row++) {
      const rowLength = rows.length[row]!;
      const from = this.#native.addresses.ofView(rows.region[row]!.bytes) + rows.offset[row]!;
      const word = (IOVS_AT + iov * sys.IOVEC_LEN) / 4;
      if (from === edge) {
        length += rowLength;
        sys.setLong(this.#words, word - sys.IOVEC_LEN / 4 + 2, length);
      } else {
        length = rowLength;
        sys.setLong(this.#words, word, from);
        sys.setLong(this.#words, word + 2, length);
        iov++;
      }
      edge = from + rowLength;
    }
    return iov - first;
  }
}

/** The first row after `row` that cannot ride along: all of a run are of one length, but the last may be shorter. */
function endOfRun(rows: DatagramRows, row: number): number {
  const endpoint = rows.endpoint[row]!;
  const length = rows.length[row]!;
  if (length === 0) return row + 1;
  const limit = Math.min(rows.count, row + RUN_ROWS);
  let total = length;
  let end = row + 1;
  while (end < limit && rows.endpoint[end] === endpoint) {
    const next = rows.length[end]!;
    if (next === 0 || next > length || total + next > RUN_BYTES) break;
    total += next;
    end++;
    if (next < length) break;
  }
  return end;
}

/** Errors that a run can meet where its datagrams one by one would not. */
function mayBeTheRun(errno: number): boolean {
  return errno === sys.errno.EIO || errno === sys.errno.EINVAL || errno === sys.errno.EMSGSIZE;
}

/**
 * Errors of an address that is not ours any more, or is none to send from, and of an interface that has gone: EINVAL over IPv6 and from
 * older kernels, ENETUNREACH over IPv4 (Linux 6.18), which can as well be about the way there.
 */
function mayBeTheSource(errno: number): boolean {
  const { EINVAL, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, ENODEV } = sys.errno;
  return (
    errno === EINVAL || errno === ENETUNREACH || errno === EHOSTUNREACH || errno === EADDRNOTAVAIL || errno === ENODEV
  );
}
