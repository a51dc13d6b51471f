/**
 * Waiting for a descriptor on the event loop. koffi's poll calls back from inside libuv, where a throw is swallowed and an exit may
 * crash, so the callback runs in the check phase of the same turn instead; and handles still open when the process ends would call
 * into a dying JavaScript, so they are closed first.
 */
import type { node } from 'koffi';
import type { Native } from './native.ts';

const open = new Set<node.PollHandle>();

function closeAll(): void {
  for (const handle of open) handle.close();
  open.clear();
}

function track(handle: node.PollHandle): void {
  if (open.size === 0) process.on('exit', closeAll);
  open.add(handle);
}

function release(handle: node.PollHandle): void {
  if (open.delete(handle)) handle.close();
  if (open.size === 0) process.removeListener('exit', closeAll);
}

export class ReadablePoll {
  readonly #callback: () => void;
  readonly #handle: node.PollHandle;
  #due = false;
  #closed = false;

  /** Calls back once per turn of the event loop for as long as the descriptor is readable (level-triggered). */
  constructor(native: Native, fd: number, callback: () => void) {
    this.#callback = callback;
    this.#handle = native.koffi.node.poll(fd, { readable: true }, () => this.wake());
    track(this.#handle);
  }

  /** Calls back soon, readable or not: for what has been read but not yet taken. */
  wake(): void {
    if (this.#due || this.#closed) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      if (!this.#closed) this.#callback();
    });
  }

  /** The process need not stay for it. */
  unref(): void {
    this.#handle.unref();
  }

  /** No callback follows. Close this before the descriptor. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    release(this.#handle);
  }
}

/** The same for a stream, which does not always want to read, and sometimes waits for room to write. */
export class StreamPoll {
  readonly #callback: () => void;
  readonly #handle: node.PollHandle;
  #readable = false;
  #writable = false;
  #due = false;
  #closed = false;

  /** Calls back once per turn for as long as what is wanted is so. Nothing is wanted at first. */
  constructor(native: Native, fd: number, callback: () => void) {
    this.#callback = callback;
    this.#handle = native.koffi.node.poll(fd, { readable: true }, () => this.#wake());
    this.#handle.stop();
    track(this.#handle);
  }

  want(readable: boolean, writable: boolean): void {
    if (this.#closed || (readable === this.#readable && writable === this.#writable)) return;
    this.#readable = readable;
    this.#writable = writable;
    if (readable || writable) this.#handle.start({ readable, writable }, () => this.#wake());
    else this.#handle.stop();
  }

  #wake(): void {
    if (this.#due || this.#closed) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      if (!this.#closed) this.#callback();
    });
  }

  /** No callback follows. Close this before the descriptor. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    release(this.#handle);
  }
}
