/**
 * The sending half of a packet socket: one sendmmsg for many frames, gathered from where their pieces lie. The tag of a VLAN is a piece
 * that we put in; with PACKET_VNET_HDR each frame begins with a virtio_net header.
 */
import { checkRow } from '../udp/shape.ts';
import * as mmsg from '../udp/syscalls.ts';
import { Fate, type FrameCounters, type FrameRows, type GatheredFrames, VNET_HEADER_BYTES } from './shape.ts';
import { ETH_P_8021Q } from './syscalls.ts';

const MESSAGES = 128;
const IOVS = 1024;
/** IOV_MAX of the kernel is 1024; a frame of as many pieces as a super-packet may have stays far below. */
const MOST_PIECES = 512;
const IOVS_AT = MESSAGES * mmsg.MMSGHDR_LEN;
/** An empty virtio_net header: nothing is left for others to do. */
const EMPTY_AT = IOVS_AT + IOVS * mmsg.IOVEC_LEN;
const TAG_AT = EMPTY_AT + 12;
const ARENA_LEN = EMPTY_AT + 16;
const MACS = 12;
const TAG = 4;
const NEEDS_CSUM = 1;

export class PacketSender {
  readonly #native: mmsg.SocketNative;
  readonly #fd: number;
  readonly #vnetHeader: boolean;
  readonly #vlan: number;
  readonly #counters: FrameCounters;
  readonly #arena = new ArrayBuffer(ARENA_LEN);
  readonly #words = new Uint32Array(this.#arena);
  readonly #base: number;
  #iov: number;

  /** `vlan`: the tag that frames get; 0 for none. */
  constructor(native: mmsg.SocketNative, fd: number, vnetHeader: boolean, vlan: number, counters: FrameCounters) {
    this.#native = native;
    this.#fd = fd;
    this.#vnetHeader = vnetHeader;
    this.#vlan = vlan;
    this.#counters = counters;
    this.#base = native.addresses.of(this.#arena);
    this.#iov = 0;
    const view = new DataView(this.#arena);
    view.setUint16(TAG_AT, ETH_P_8021Q);
    view.setUint16(TAG_AT + 2, vlan);
  }

  /** Whole frames, without virtio_net headers. */
  send(rows: FrameRows): number {
    for (let row = 0; row < rows.count; row++) checkRow(rows, row);
    let lost = 0;
    for (let row = 0; row < rows.count; ) {
      let messages = 0;
      this.#iov = 0;
      for (; messages < MESSAGES && row + messages < rows.count; messages++) {
        const first = this.#iov;
        const i = row + messages;
        if (this.#vnetHeader) this.#put(this.#base + EMPTY_AT, VNET_HEADER_BYTES);
        this.#putFrame(this.#addressOf(rows, i), rows.length[i]!);
        this.#message(messages, first);
      }
      const sent = this.#native.calls.sendmmsg(this.#fd, this.#base, messages, 0);
      if (sent > 0) {
        // One that failed behind these reports its error when it comes first.
        row += sent;
        continue;
      }
      const errno = this.#native.native.koffi.errno();
      if (errno === mmsg.errno.EINTR) continue;
      const gone = isAboutAll(errno) ? rows.count - row : 1;
      lost += gone;
      row += gone;
    }
    this.#counters.sendLost += lost;
    this.#counters.sent += rows.count - lost;
    return rows.count - lost;
  }

  /** Frames in pieces, each beginning with a virtio_net header; only for a socket that has these. */
  sendGathered(frames: GatheredFrames, fates: Uint8Array): void {
    for (let piece = 0; piece < frames.firstPiece[frames.frames]!; piece++) checkRow(frames, piece);
    for (let frame = 0; frame < frames.frames; ) {
      const messages = this.#build(frames, frame);
      const sent = this.#native.calls.sendmmsg(this.#fd, this.#base, messages, 0);
      if (sent > 0) {
        fates.fill(Fate.taken, frame, frame + sent);
        frame += sent;
        this.#counters.sent += sent;
        continue;
      }
      const errno = this.#native.native.koffi.errno();
      if (errno === mmsg.errno.EINTR) continue;
      const all = isAboutAll(errno);
      const end = all ? frames.frames : frame + 1;
      fates.fill(all ? Fate.lost : Fate.refused, frame, end);
      this.#counters.sendLost += end - frame;
      frame = end;
    }
  }

  /** Lays out messages from a frame on; returns how many. */
  #build(frames: GatheredFrames, from: number): number {
    let messages = 0;
    this.#iov = 0;
    for (let frame = from; frame < frames.frames && messages < MESSAGES; frame++) {
      const first = frames.firstPiece[frame]!;
      const end = frames.firstPiece[frame + 1]!;
      // A tag parts one piece, and makes one.
      if (end - first > MOST_PIECES) throw new RangeError(`a frame of ${end - first} pieces`);
      if (this.#iov + end - first + 3 > IOVS) break;
      const begun = this.#iov;
      this.#putPieces(frames, first, end);
      this.#message(messages++, begun);
    }
    return messages;
  }

  #putPieces(frames: GatheredFrames, first: number, end: number): void {
    let piece = first;
    if (this.#vlan !== 0) {
      const { view } = frames.region[first]!;
      const header = frames.offset[first]!;
      const inner = this.#addressOf(frames, first) + VNET_HEADER_BYTES;
      if ((view.getUint8(header) & NEEDS_CSUM) !== 0)
        view.setUint16(header + 6, view.getUint16(header + 6, true) + TAG, true);
      this.#put(inner - VNET_HEADER_BYTES, VNET_HEADER_BYTES);
      const behind = frames.length[first]! - VNET_HEADER_BYTES;
      piece++;
      if (behind > 0) this.#putFrame(inner, behind);
      else if (piece < end) {
        this.#putFrame(this.#addressOf(frames, piece), frames.length[piece]!);
        piece++;
      }
    }
    for (; piece < end; piece++) this.#put(this.#addressOf(frames, piece), frames.length[piece]!);
  }

  /** Bytes that begin with an Ethernet header: the tag comes behind its addresses. */
  #putFrame(address: number, length: number): void {
    if (this.#vlan === 0 || length < MACS) this.#put(address, length);
    else {
      this.#put(address, MACS);
      this.#put(this.#base + TAG_AT, TAG);
      this.#put(address + MACS, length - MACS);
    }
  }

  #put(address: number, length: number): void {
    const word = (IOVS_AT + this.#iov++ * mmsg.IOVEC_LEN) / 4;
    mmsg.setLong(this.#words, word, address);
    mmsg.setLong(this.#words, word + 2, length);
  }

  #message(i: number, firstIov: number): void {
    const header = i * mmsg.MMSGHDR_WORDS;
    mmsg.setLong(this.#words, header + mmsg.IOV, this.#base + IOVS_AT + firstIov * mmsg.IOVEC_LEN);
    mmsg.setLong(this.#words, header + mmsg.IOV_COUNT, this.#iov - firstIov);
  }

  #addressOf({ region, offset }: Pick<FrameRows, 'region' | 'offset'> | GatheredFrames, i: number): number {
    const { bytes } = region[i]!;
    return this.#native.addresses.of(bytes.buffer) + bytes.byteOffset + offset[i]!;
  }
}

/** Whatever the frame: the queue is full, or the interface is down or away. */
function isAboutAll(errno: number): boolean {
  const { EAGAIN, ENOBUFS, ENOMEM, ENETDOWN, ENXIO } = mmsg.errno;
  return [EAGAIN, ENOBUFS, ENOMEM, ENETDOWN, ENXIO].includes(errno);
}
