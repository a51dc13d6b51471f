/**
 * A connected VSOCK socket as a stream of Node's, which has none of its own. Bytes go through two arenas that live as long as the
 * descriptor: what the kernel reads or writes never lies in memory that the collector may move.
 */
import { Duplex } from 'node:stream';
import { StreamPoll } from '../internal/poll.ts';
import { errnoName } from '../udp/problems.ts';
import { errno, MSG_NOSIGNAL, SHUT_WR, type VsockNative } from './syscalls.ts';

const ARENA_BYTES = 64 * 1024;

interface Writing {
  readonly bytes: Uint8Array;
  at: number;
  readonly done: (error?: Error) => void;
}

export class VsockStream extends Duplex {
  readonly peerCid: number;
  readonly #native: VsockNative;
  readonly #poll: StreamPoll;
  readonly #received = new Uint8Array(ARENA_BYTES);
  readonly #sent = new Uint8Array(ARENA_BYTES);
  #fd: number;
  #reading = false;
  #writing: Writing | null = null;

  /** Takes over the descriptor, which is connected and does not block. */
  constructor(native: VsockNative, fd: number, peerCid: number) {
    super({ allowHalfOpen: false });
    this.#native = native;
    this.#fd = fd;
    this.peerCid = peerCid;
    this.#poll = new StreamPoll(native.native, fd, () => this.#ready());
  }

  override _read(): void {
    this.#reading = true;
    this.#watch();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#writing = { bytes: chunk, at: 0, done };
    this.#flush();
    this.#watch();
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer' as BufferEncoding, done);
  }

  override _final(done: (error?: Error) => void): void {
    // A peer that is gone already has heard enough.
    this.#native.calls.shutdown(this.#fd, SHUT_WR);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#poll.close();
    if (this.#fd >= 0) this.#native.calls.close(this.#fd);
    // The number may soon be somebody else's file.
    this.#fd = -1;
    const writing = this.#writing;
    this.#writing = null;
    writing?.done(error ?? new Error('the stream was destroyed'));
    done(error);
  }

  #ready(): void {
    this.#flush();
    this.#take();
    this.#watch();
  }

  #watch(): void {
    this.#poll.want(this.#reading, this.#writing !== null);
  }

  /**
   * One piece per turn of the event loop. What hears of it leaves work for the end of the turn, as it may with Node's own sockets: HTTP/2 would
   * tell of the end of a stream before it has told of its beginning.
   */
  #take(): void {
    if (!this.#reading || this.#fd < 0) return;
    const { calls, addresses } = this.#native;
    const length = calls.recv(this.#fd, addresses.of(this.#received.buffer), ARENA_BYTES, 0);
    if (length > 0) {
      if (!this.push(Buffer.from(this.#received.subarray(0, length)))) this.#reading = false;
    } else if (length === 0) {
      this.#reading = false;
      this.push(null);
    } else this.#failed('recv');
  }

  #flush(): void {
    const { calls, addresses } = this.#native;
    while (this.#writing !== null && this.#fd >= 0) {
      const writing = this.#writing;
      const part = writing.bytes.subarray(writing.at, writing.at + ARENA_BYTES);
      this.#sent.set(part);
      const sent = calls.send(this.#fd, addresses.of(this.#sent.buffer), part.length, MSG_NOSIGNAL);
      if (sent < 0) {
        this.#failed('send');
        return;
      }
      writing.at += sent;
      if (writing.at < writing.bytes.length) continue;
      this.#writing = null;
      writing.done();
    }
  }

  #failed(call: string): void {
    const code = this.#native.native.koffi.errno();
    if (code === errno.EAGAIN || code === errno.EINTR) return;
    const name = errnoName(code);
    this.destroy(Object.assign(new Error(`${call} ${name}`), { code: name, syscall: call }));
  }
}
