/**
 * Frames on the control socket: a length of 4 bytes, big-endian, then that many bytes of JSON in UTF-8.
 *
 *   |          length, u32          | length bytes of JSON ... |
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/** Longest frame accepted, header not counted. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const HEADER = 4;

/** One frame for one message. Throws RangeError when the message is too long: senders split before that. */
export function encodeFrame(message: unknown): Uint8Array {
  const body = encodeUtf8(JSON.stringify(message));
  if (body.length > MAX_FRAME_BYTES) throw new RangeError(`a frame of ${body.length} bytes`);
  const frame = new Uint8Array(HEADER + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, HEADER);
  return frame;
}

/** Chunks in, messages out. Holds at most one frame and the last chunk; once it has failed it stays failed. */
export class FrameDecoder {
  #chunks: Uint8Array[];
  #buffered: number;
  /** Body length of the frame that is being gathered, -1 while the header is incomplete. */
  #expected: number;
  #failed: Problem | null;

  constructor() {
    this.#chunks = [];
    this.#buffered = 0;
    this.#expected = -1;
    this.#failed = null;
  }

  /** Adds bytes as they came. The chunk is kept, not copied. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0 || this.#failed !== null) return;
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
  }

  /** The next whole message, null while there is none. Error: `engine.protocol`, after which nothing more can be read. */
  next(): Result<unknown> | null {
    if (this.#failed !== null) return err(this.#failed);
    if (this.#expected < 0) {
      if (this.#buffered < HEADER) return null;
      const header = this.#take(HEADER);
      this.#expected = new DataView(header.buffer, header.byteOffset).getUint32(0);
      if (this.#expected > MAX_FRAME_BYTES) return this.#fail(`a frame of ${this.#expected} bytes is too long`);
    }
    if (this.#buffered < this.#expected) return null;
    const text = decodeUtf8(this.#take(this.#expected));
    this.#expected = -1;
    if (text === null) return this.#fail('a frame is not UTF-8');
    try {
      return ok(JSON.parse(text) as unknown);
    } catch {
      return this.#fail('a frame is not JSON');
    }
  }

  #fail(message: string): Result<unknown> {
    this.#failed = problem('engine.protocol', `${message}; is this the engine's control protocol?`);
    this.#chunks = [];
    this.#buffered = 0;
    return err(this.#failed);
  }

  /** The first `length` bytes of what is buffered; they must be there. */
  #take(length: number): Uint8Array {
    this.#buffered -= length;
    const first = this.#chunks[0];
    if (first !== undefined && first.length > length) {
      this.#chunks[0] = first.subarray(length);
      return first.subarray(0, length);
    }
    const whole = new Uint8Array(length);
    let at = 0;
    let used = 0;
    while (at < length) {
      const chunk = this.#chunks[used]!;
      const part = chunk.subarray(0, length - at);
      whole.set(part, at);
      at += part.length;
      if (part.length < chunk.length) this.#chunks[used] = chunk.subarray(part.length);
      else used++;
    }
    this.#chunks.splice(0, used);
    return whole;
  }
}
