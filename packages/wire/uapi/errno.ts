/** The errors of the userspace interface, by the numbers that Linux gives them; wg(8) prints their sentences. */
export const Errno = {
  none: 0,
  /** It belongs to somebody else, who alone changes it. */
  perm: 1,
  io: 5,
  /** A line or an operation beyond the limits. */
  tooBig: 7,
  /** Something that one peer alone can have is somebody else's. */
  busy: 16,
  inval: 22,
  proto: 71,
  notSupported: 95,
  timedOut: 110,
} as const;

export type Errno = (typeof Errno)[keyof typeof Errno];
