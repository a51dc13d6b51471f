import type { Compiled } from './context.ts';

/** Nothing of its own: the peer that it succeeds asks for it, and comes to other objects (peer.ts). */
export function compilePeerSuccessor(): Compiled {
  return { objects: [], problems: [], usable: true };
}
