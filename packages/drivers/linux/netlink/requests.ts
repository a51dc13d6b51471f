/**
 * Requests to the kernel and its answers, at once: the kernel has done what a datagram asks for by the time that `send` returns
 * (netlink(7)). Changes go many to a datagram and only the last asks for an answer: a failure is told unasked, by its sequence number.
 */
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import { type Message, messagesOf, type Refusal, verdictOf } from './answers.ts';
import { MessageFlag } from './message.ts';
import { refusalProblem } from './refusal.ts';

/** What this needs of a socket; `host/netlink` has it. */
export interface NetlinkSocket {
  /** One datagram. Throws ProblemError `plane.failed`. */
  send(bytes: Uint8Array): void;
  /** The same for what the kernel takes its time for: others have the thread meanwhile. Left out where there is no such way. */
  sendAside?(bytes: Uint8Array): Promise<void>;
  /** The next datagram, valid until the next call; null when none waits. Throws ProblemError `plane.failed`, also when some were lost. */
  receive(): Uint8Array | null;
}

/** One of many requests that are done together or not at all. */
export interface Refused {
  readonly index: number;
  readonly refusal: Refusal;
}

/** In one datagram: the socket's send buffer must hold it, and its receive buffer what may be said of each. */
const BATCH_BYTES = 60 * 1024;
const BATCH_MESSAGES = 500;

export class Requests {
  readonly #socket: NetlinkSocket;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #sequence: number;
  #port: number;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
    this.#bytes = new Uint8Array(BATCH_BYTES);
    this.#view = new DataView(this.#bytes.buffer);
    this.#sequence = 0;
    this.#port = 0;
  }

  /** The kernel's number of the socket; 0 before it has answered anything. */
  get port(): number {
    return this.#port;
  }

  /**
   * Does as many of the requests, in order and from `first` on, as go into a datagram; one that fails does not stop those after it. Writes
   * the verdict of each, null for done, and returns the number of the first that is still to be done. Throws ProblemError `plane.failed`
   * when answers are missing: nobody knows then what was done, and the caller looks.
   */
  doSome(requests: readonly Uint8Array[], first: number, verdicts: (Refusal | null)[]): number {
    let length = 0;
    let next = first;
    let last = -1;
    while (next < requests.length && next - first < BATCH_MESSAGES) {
      const request = requests[next]!;
      if (next > first && length + request.length > BATCH_BYTES) break;
      last = length;
      this.#put(request, length);
      verdicts[next] = null;
      length += request.length;
      next++;
    }
    if (last < 0) return next;
    this.#setFlags(last, MessageFlag.ack);
    const count = next - first;
    const begun = (this.#sequence - count + 1) >>> 0;
    this.#sendBytes(length);
    for (const message of this.answersTo(begun, count)) {
      const verdict = verdictOf(message);
      if (verdict === undefined) continue;
      const index = (message.sequence - begun) >>> 0;
      verdicts[first + index] = verdict;
      if (index === count - 1) return next;
    }
    throw missingAnswer();
  }

  /** One request; null when it is done. */
  doOne(request: Uint8Array): Refusal | null {
    const verdicts: (Refusal | null)[] = [];
    this.doSome([request], 0, verdicts);
    return verdicts[0]!;
  }

  /**
   * All of the requests or none, between the two messages that begin and end them, in one datagram (nfnetlink.c of the kernel). Returns what
   * the kernel has against them, with the index of the request (-1: against all of them), empty when all are done. Throws ProblemError
   * `plane.failed` when answers are missing.
   */
  transact(begin: Uint8Array, requests: readonly Uint8Array[], end: Uint8Array): Refused[] {
    if (requests.length === 0) return [];
    const all = [begin, ...requests, end];
    const bytes = new Uint8Array(all.reduce((sum, one) => sum + one.length, 0));
    const view = new DataView(bytes.buffer);
    const first = (this.#sequence + 1) >>> 0;
    let at = 0;
    for (const [i, one] of all.entries()) {
      bytes.set(one, at);
      view.setUint32(at + 8, (first + i) >>> 0, true);
      // Older kernels do not answer the end itself (Linux 6.10), so the last one before it is asked.
      if (i === requests.length) view.setUint16(at + 6, view.getUint16(at + 6, true) | MessageFlag.ack, true);
      at += one.length;
    }
    this.#sequence = (first + all.length - 1) >>> 0;
    this.#socket.send(bytes);
    const refused: Refused[] = [];
    let answered = false;
    // The last may be called done after all of them were refused, so everything is read.
    for (const message of this.answersTo(first, all.length)) {
      const verdict = verdictOf(message);
      if (verdict === undefined) continue;
      answered = true;
      const index = ((message.sequence - first) >>> 0) - 1;
      if (verdict !== null) refused.push({ index: index < requests.length ? index : -1, refusal: verdict });
    }
    if (!answered) throw missingAnswer();
    return refused;
  }

  /** Sends one request with these flags, and returns its sequence number. */
  send(request: Uint8Array, flags: number): number {
    this.#put(request, 0);
    this.#setFlags(0, flags);
    this.#sendBytes(request.length);
    return this.#sequence;
  }

  /** The same, for what the kernel takes its time for; nothing else may be asked of this meanwhile. */
  async sendAside(request: Uint8Array, flags: number): Promise<number> {
    if (this.#socket.sendAside === undefined) return this.send(request, flags);
    this.#put(request, 0);
    this.#setFlags(0, flags);
    await this.#socket.sendAside(this.#bytes.subarray(0, request.length));
    return this.#sequence;
  }

  /** What is said to `count` requests from that number on, as far as it has come; what was said to earlier ones is passed over. */
  *answersTo(first: number, count: number): Generator<Message> {
    for (let datagram = this.#socket.receive(); datagram !== null; datagram = this.#socket.receive())
      for (const message of messagesOf(datagram))
        if ((message.sequence - first) >>> 0 < count) {
          this.#port = message.port;
          yield message;
        }
  }

  /** What has been said may have been a key. */
  #sendBytes(length: number): void {
    const bytes = this.#bytes.subarray(0, length);
    try {
      this.#socket.send(bytes);
    } finally {
      bytes.fill(0);
    }
  }

  #put(request: Uint8Array, at: number): void {
    if (request.length > BATCH_BYTES)
      throw new ProblemError(problem('plane.failed', `netlink: a request of ${request.length} bytes is too long`));
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#bytes.set(request, at);
    this.#view.setUint32(at + 8, this.#sequence, true);
  }

  #setFlags(at: number, flags: number): void {
    this.#view.setUint16(at + 6, this.#view.getUint16(at + 6, true) | flags, true);
  }
}

export function missingAnswer(): ProblemError {
  return new ProblemError(problem('plane.failed', 'netlink: the kernel does not answer'));
}

/** Does one request; null when done. `settled`: errnos that mean it is as wanted already. */
export function ask(
  requests: Requests,
  request: Uint8Array,
  what: string,
  settled: readonly number[] = [],
): Problem | null {
  const refusal = requests.doOne(request);
  return refusal === null || settled.includes(refusal.errno) ? null : refusalProblem(refusal, what);
}
