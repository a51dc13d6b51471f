/**
 * A descriptor that gives and takes one frame per read and write: TUN, TAP and AF_PACKET alike. A batch is read until the kernel has no
 * more or the rows are full; frames lie close together in one region, so a batch of usual frames stays in the second-level cache.
 */
import { ReadablePoll } from '../internal/poll.ts';
import { makeRegion } from '../udp/shape.ts';
import { type FrameCounters, type FrameRows, type FrameSocket, MAX_FRAME_BYTES, SPARE_BYTES } from './shape.ts';
import { EBADFD, errno, type FrameNative } from './syscalls.ts';

/** 256 frames of 3.8 KiB, or 15 of the longest; pages that nobody reaches stay unbacked. */
const REGION_BYTES = 1 << 20;
const LAST_START = REGION_BYTES - SPARE_BYTES - MAX_FRAME_BYTES;

export class DescriptorFrames implements FrameSocket {
  readonly counters: FrameCounters = { received: 0, receiveErrors: 0, sent: 0, sendLost: 0 };
  gone = false;
  readonly #native: FrameNative;
  readonly #region = makeRegion(REGION_BYTES);
  readonly #base: number;
  #fd: number;
  #poll: ReadablePoll | null = null;

  /** Takes over the descriptor, which does not block. */
  constructor(native: FrameNative, fd: number) {
    this.#native = native;
    this.#fd = fd;
    this.#base = native.addresses.of(this.#region.bytes.buffer);
  }

  receive(into: FrameRows): number {
    into.count = 0;
    const fd = this.#fd;
    if (fd < 0) return 0;
    const { calls } = this.#native;
    for (let at = SPARE_BYTES; into.count < into.capacity && at <= LAST_START; ) {
      const length = calls.read(fd, this.#base + at, MAX_FRAME_BYTES);
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
