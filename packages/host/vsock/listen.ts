/** A VSOCK port that takes connections from contexts it knows, and from no others. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { ReadablePoll } from '../internal/poll.ts';
import { errnoName } from '../udp/problems.ts';
import { vsockProblem } from './problems.ts';
import { VsockStream } from './stream.ts';
import {
  AF_VSOCK,
  errno,
  loadVsock,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOCKADDR_VM_LEN,
  VMADDR_CID_ANY,
  VMADDR_PORT_ANY,
  VsockAddress,
  type VsockNative,
} from './syscalls.ts';

const BACKLOG = 128;
/** What is taken in one turn of the event loop. */
const ACCEPTS_PER_TURN = 16;
/** When this process has no descriptors left, ms until it looks again. */
const SCARCE_MS = 200;

export interface VsockListenOptions {
  /** 0: the system chooses; `port` of the listener tells. */
  readonly port: number;
  /** Context ids of peers; 2 is the machine that hosts this one, 1 this one itself. */
  readonly allowedCids: readonly number[];
}

export interface VsockHandlers {
  /** A peer has connected. Its stream is the caller's, who listens for its errors. */
  connected(stream: VsockStream): void;
  /** Somebody else has, and was closed at once. */
  refused(cid: number): void;
}

export class VsockListener {
  readonly port: number;
  readonly #native: VsockNative;
  readonly #allowed: ReadonlySet<number>;
  readonly #handlers: VsockHandlers;
  readonly #peer: VsockAddress;
  #fd: number;
  #poll: ReadablePoll | null = null;
  #pause: NodeJS.Timeout | undefined;

  /** `listenVsock` makes one, with a descriptor that listens. */
  constructor(native: VsockNative, fd: number, port: number, allowed: readonly number[], handlers: VsockHandlers) {
    this.#native = native;
    this.#fd = fd;
    this.port = port;
    this.#allowed = new Set(allowed);
    this.#handlers = handlers;
    this.#peer = new VsockAddress(native);
    this.#watch();
  }

  /** Takes no more connections; those that are there go on. Safe to call again. */
  close(): void {
    clearTimeout(this.#pause);
    this.#poll?.close();
    if (this.#fd >= 0) this.#native.calls.close(this.#fd);
    this.#fd = -1;
  }

  #watch(): void {
    if (this.#fd >= 0) this.#poll = new ReadablePoll(this.#native.native, this.#fd, () => this.#accept());
  }

  #accept(): void {
    const { calls } = this.#native;
    for (let turn = 0; this.#fd >= 0 && turn < ACCEPTS_PER_TURN; turn++) {
      this.#peer.expect();
      const fd = calls.accept4(this.#fd, this.#peer.at, this.#peer.lengthAt, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) {
        this.#failed();
        return;
      }
      const { cid } = this.#peer;
      if (this.#allowed.has(cid)) this.#handlers.connected(new VsockStream(this.#native, fd, cid));
      else {
        calls.close(fd);
        this.#handlers.refused(cid);
      }
    }
  }

  /** Too few descriptors: the listener stays readable, and would be called for ever. Whatever else, only this connection has failed. */
  #failed(): void {
    const code = this.#native.native.koffi.errno();
    if (code !== errno.EMFILE && code !== errno.ENFILE && code !== errno.ENOMEM && code !== errno.ENOBUFS) return;
    this.#poll?.close();
    this.#pause = setTimeout(() => this.#watch(), SCARCE_MS);
  }
}

/** Listens on every context id of this machine. Throws ProblemError `port.inUse`, `port.denied`, `input.invalid`. */
export function listenVsock(options: VsockListenOptions, handlers: VsockHandlers): VsockListener {
  const { port, allowedCids } = options;
  if (!Number.isInteger(port) || port < 0 || port >= VMADDR_PORT_ANY)
    throw new ProblemError(problem('input.invalid', `a VSOCK port is a number from 0 to ${VMADDR_PORT_ANY - 1}`));
  const native = loadVsock();
  const { calls } = native;
  const own = new VsockAddress(native);
  const fd = calls.socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  own.set(VMADDR_CID_ANY, port === 0 ? VMADDR_PORT_ANY : port);
  own.expect();
  const isOpen =
    fd >= 0 &&
    calls.bind(fd, own.at, SOCKADDR_VM_LEN) === 0 &&
    calls.listen(fd, BACKLOG) === 0 &&
    calls.getsockname(fd, own.at, own.lengthAt) === 0;
  if (!isOpen) {
    const why = vsockProblem(errnoName(native.native.koffi.errno()), port);
    if (fd >= 0) calls.close(fd);
    throw new ProblemError(why);
  }
  return new VsockListener(native, fd, own.port, allowedCids, handlers);
}
