import type { ControlTarget } from '@vrouter/engine/control/session.ts';
import type { WatchTarget } from '@vrouter/engine/trace/watching.ts';

/** What moves the packets, on however many threads. */
export interface Machine extends ControlTarget, WatchTarget {
  /** Resolves when it can be driven. */
  start(): Promise<void>;
  /** Finishes what was asked for, closes sockets, erases keys. Safe to call again. */
  close(): Promise<void>;
  /** Before the process ends because something failed: what must be done so that it can, and no more. */
  abandon(): Promise<void>;
}
