/** Requests without end to one socket: nobody's answers get among another's, and the thread is let go between datagrams. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type Message, type Refusal, verdictOf } from './answers.ts';
import { MessageFlag } from './message.ts';
import { refusalProblem } from './refusal.ts';
import { missingAnswer, type NetlinkSocket, type Refused, Requests } from './requests.ts';

/** A dump that is interrupted this often is of a kernel that somebody changes all the time. */
const DUMP_TRIES = 10;
/** Messages of a dump between two pauses: about a millisecond. */
const MESSAGES_PER_TURN = 2000;

/** Makes a row of a message, or null of one that is of no interest. */
export type Read<T> = (message: Message) => T | null;

export class Conversation {
  readonly #requests: Requests;
  readonly #pause: () => Promise<void>;
  #busy: Promise<unknown>;

  /** `pause`: lets others have the thread for a moment. */
  constructor(socket: NetlinkSocket, pause: () => Promise<void>) {
    this.#requests = new Requests(socket);
    this.#pause = pause;
    this.#busy = Promise.resolve();
  }

  /** Does all of them in order; one verdict each, null for done. Throws ProblemError `plane.failed` when nobody knows what was done. */
  change(requests: readonly Uint8Array[]): Promise<(Refusal | null)[]> {
    return this.#alone(async () => {
      const verdicts: (Refusal | null)[] = [];
      for (let next = 0; next < requests.length; ) {
        next = this.#requests.doSome(requests, next, verdicts);
        if (next < requests.length) await this.#pause();
      }
      return verdicts;
    });
  }

  /** The kernel's number of the socket; 0 before it has answered anything. */
  get port(): number {
    return this.#requests.port;
  }

  /** All of them or none; see `Requests.transact`. */
  transact(begin: Uint8Array, requests: readonly Uint8Array[], end: Uint8Array): Promise<Refused[]> {
    return this.#alone(async () => this.#requests.transact(begin, requests, end));
  }

  /** Asks for some things by one request. Throws ProblemError when one of them is missing. */
  getAll<T>(request: Uint8Array, what: string, read: Read<T>): Promise<T[]> {
    return this.#alone(async () => {
      const sequence = this.#requests.send(request, MessageFlag.ack);
      const found: T[] = [];
      for (const message of this.#requests.answersTo(sequence, 1)) {
        const verdict = verdictOf(message);
        if (verdict === null) return found;
        if (verdict !== undefined) throw new ProblemError(refusalProblem(verdict, what));
        const row = read(message);
        if (row !== null) found.push(row);
      }
      throw missingAnswer();
    });
  }

  /**
   * Does one that the kernel takes its time for (a device goes only when nobody looks at it any more: 40 ms and more); others have the thread
   * meanwhile. Null when done. Throws ProblemError `plane.failed` when nobody knows what was done.
   */
  changeSlowly(request: Uint8Array): Promise<Refusal | null> {
    return this.#alone(async () => {
      const sequence = await this.#requests.sendAside(request, MessageFlag.ack);
      for (const message of this.#requests.answersTo(sequence, 1)) {
        const verdict = verdictOf(message);
        if (verdict !== undefined) return verdict;
      }
      throw missingAnswer();
    });
  }

  /** Asks for one thing. Null: the answer is of no interest. Throws ProblemError when there is none, `missing` errnos excepted. */
  get<T>(request: Uint8Array, what: string, read: Read<T>, missing: readonly number[] = []): Promise<T | null> {
    return this.#alone(async () => {
      const sequence = this.#requests.send(request, MessageFlag.ack);
      let found: T | null = null;
      for (const message of this.#requests.answersTo(sequence, 1)) {
        const verdict = verdictOf(message);
        if (verdict === null) return found;
        if (verdict === undefined) found = read(message);
        else if (missing.includes(verdict.errno)) return null;
        else throw new ProblemError(refusalProblem(verdict, what));
      }
      throw missingAnswer();
    });
  }

  /**
   * Asks for all there is of a kind. What changes while it is read is read again. `slow`: the kernel looks for long before it says the
   * first. Throws ProblemError.
   */
  dump<T>(request: Uint8Array, what: string, read: Read<T>, slow = false): Promise<T[]> {
    return this.#alone(async () => {
      for (let tries = 0; tries < DUMP_TRIES; tries++) {
        const rows = await this.#dumpOnce(request, what, read, slow);
        if (rows !== null) return rows;
      }
      throw new ProblemError(problem('plane.failed', `${what}: changes faster than it can be read`));
    });
  }

  /** Null: something changed in between, so that rows may be missing or twice there. */
  async #dumpOnce<T>(request: Uint8Array, what: string, read: Read<T>, slow: boolean): Promise<T[] | null> {
    const sequence = slow
      ? await this.#requests.sendAside(request, MessageFlag.dump)
      : this.#requests.send(request, MessageFlag.dump);
    const rows: T[] = [];
    let whole = true;
    let messages = 0;
    // The kernel writes the next datagram of a dump when one is read, so a pause loses nothing.
    for (const message of this.#requests.answersTo(sequence, 1)) {
      if ((message.flags & MessageFlag.dumpInterrupted) !== 0) whole = false;
      const verdict = verdictOf(message);
      if (verdict === null) return whole ? rows : null;
      if (verdict !== undefined) throw new ProblemError(refusalProblem(verdict, what));
      const row = read(message);
      if (row !== null) rows.push(row);
      if (++messages % MESSAGES_PER_TURN === 0) await this.#pause();
    }
    throw missingAnswer();
  }

  /** In the order in which they are asked for: the kernel has one dump a socket. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#busy.then(work);
    this.#busy = turn.catch(() => {});
    return turn;
  }
}
