/**
 * A descriptor that gives and takes one frame per read and write: TUN, TAP and AF_PACKET alike. A batch is read until the kernel has no
 * more or the rows are full; frames lie close together in one region, so a batch of usual frames stays in the second-level cache.
 */
import { ReadablePoll } from '../internal/poll.ts';
import { makeRegion, type Region } from '../udp/shape.ts';
import { setLong } from '../udp/syscalls.ts';
import {
  Fate,
  type FrameCounters,
  type FrameRows,
  type FrameSocket,
  type GatheredFrames,
  MAX_FRAME_BYTES,
  type Offloads,
  SPARE_BYTES,
} from './shape.ts';
import { EBADFD, errno, type FrameNative, IOVEC_LEN } from './syscalls.ts';

/** 256 frames of 3.8 KiB, or 15 of the longest; pages that nobody reaches stay unbacked. */
const REGION_BYTES = 1 << 20;
/** Three super-packets or more: what is read at a time is to stay in the cache until it has been cut. */
const OFFLOAD_REGION_BYTES = 1 << 18;
/** A virtio-net header. */
const OFFLOAD_HEADER = 10;
const READ_BYTES = OFFLOAD_HEADER + MAX_FRAME_BYTES;
/** More pieces than a super-packet ever has; the kernel's UIO_MAXIOV is 1024. */
const IOVS = 512;

export class DescriptorFrames implements FrameSocket {
  /** Null: frames are plain, and `sendGathered` and `wake` are of no use. */
  readonly offloads: Offloads | null;
  readonly counters: FrameCounters = { received: 0, receiveErrors: 0, sent: 0, sendLost: 0 };
  gone = false;
  readonly #native: FrameNative;
  readonly #region: Region;
  readonly #base: number;
  readonly #lastStart: number;
  readonly #iovecs: Uint32Array;
  #fd: number;
  #poll: ReadablePoll | null = null;

  /** Takes over the descriptor, which does not block. With `offloads`, frames begin with a virtio-net header, both ways. */
  constructor(native: FrameNative, fd: number, offloads: Offloads | null = null) {
    this.offloads = offloads;
    this.#native = native;
    this.#fd = fd;
    this.#region = makeRegion(offloads === null ? REGION_BYTES : OFFLOAD_REGION_BYTES);
    this.#lastStart = this.#region.bytes.length - SPARE_BYTES - READ_BYTES;
    this.#iovecs = new Uint32Array(offloads === null ? 0 : (IOVS * IOVEC_LEN) / 4);
    this.#base = native.addresses.of(this.#region.bytes.buffer);
  }

  receive(into: FrameRows): number {
    into.count = 0;
    const fd = this.#fd;
    if (fd < 0) return 0;
    const { calls } = this.#native;
    for (let at = SPARE_BYTES; into.count < into.capacity && at <= this.#lastStart; ) {
      const length = calls.read(fd, this.#base + at, READ_BYTES);
      if (length <= 0) {
        if (length < 0) this.#failed();
        break;
      }
      const row = into.count++;
      into.region[row] = this.#region;
      into.offset[row] = at;
      into.length[row] = length;
      // The next one begins on a word of its own.
      at = (at + length + 2 * SPARE_BYTES + 7) & ~7;
    }
    this.counters.received += into.count;
    return into.count;
  }

  send(rows: FrameRows): number {
    const fd = this.#fd;
    if (fd < 0) return 0;
    const { calls, addresses } = this.#native;
    let sent = 0;
    for (let row = 0; row < rows.count; row++) {
      const { bytes } = rows.region[row]!;
      const offset = rows.offset[row]!;
      const length = rows.length[row]!;
      if (offset < 0 || length < 0 || offset + length > bytes.length)
        throw new RangeError(`row ${row}: ${length} bytes at ${offset} in a region of ${bytes.length}`);
      if (calls.write(fd, addresses.of(bytes.buffer) + bytes.byteOffset + offset, length) === length) sent++;
    }
    this.counters.sent += sent;
    this.counters.sendLost += rows.count - sent;
    return sent;
  }

  /**
   * Writes frames from their pieces, one call each, and says in `fates` what became of them: a refused one (EINVAL, EMSGSIZE) may be
   * taken in another shape, a lost one is gone. Lost ones are counted.
   */
  sendGathered(frames: GatheredFrames, fates: Uint8Array): void {
    const { calls, addresses } = this.#native;
    const at = addresses.of(this.#iovecs.buffer);
    for (let f = 0; f < frames.frames; f++) {
      fates[f] = Fate.lost;
      if (this.#fd < 0) continue;
      const first = frames.firstPiece[f]!;
      const pieces = frames.firstPiece[f + 1]! - first;
      if (pieces > IOVS) {
        fates[f] = Fate.refused;
        continue;
      }
      let total = 0;
      for (let i = 0; i < pieces; i++) total += this.#gather(frames, first + i, i * 4);
      if (calls.writev(this.#fd, at, pieces) === total) {
        fates[f] = Fate.taken;
        this.counters.sent++;
        continue;
      }
      const code = this.#native.native.koffi.errno();
      if (code === errno.EINVAL || code === errno.EMSGSIZE) fates[f] = Fate.refused;
      else this.counters.sendLost++;
    }
  }

  #gather(frames: GatheredFrames, piece: number, word: number): number {
    const { bytes } = frames.region[piece]!;
    const offset = frames.offset[piece]!;
    const length = frames.length[piece]!;
    if (offset < 0 || length < 0 || offset + length > bytes.length)
      throw new RangeError(`piece ${piece}: ${length} bytes at ${offset} in a region of ${bytes.length}`);
    setLong(this.#iovecs, word, this.#native.addresses.ofView(bytes) + offset);
    setLong(this.#iovecs, word + 2, length);
    return length;
  }

  /** Calls the callback soon, readable or not: for what has been read but not yet taken. */
  wake(): void {
    this.#poll?.wake();
  }

  onReadable(callback: () => void): void {
    if (this.#poll !== null) throw new Error('the socket has a callback already');
    if (this.#fd >= 0) this.#poll = new ReadablePoll(this.#native.native, this.#fd, callback);
  }

  async close(): Promise<void> {
    if (this.#fd < 0) return;
    this.#poll?.close();
    this.#native.calls.close(this.#fd);
    // The number may soon be somebody else's file.
    this.#fd = -1;
  }

  #failed(): void {
    const code = this.#native.native.koffi.errno();
    if (code === errno.EAGAIN || code === errno.EINTR) return;
    this.counters.receiveErrors++;
    if (code !== EBADFD) return;
    // The descriptor would call "readable" for ever.
    this.gone = true;
    this.#poll?.close();
  }
}
