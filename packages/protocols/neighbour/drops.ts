/** Why a message ends with the mind. `none`: it has been heeded, or answered. */
export const StationDrop = {
  none: 0,
  /** Not what its RFC allows. */
  malformed: 1,
  /** It is about somebody else. */
  notOurs: 2,
  /** Somebody else claims an address of ours. */
  conflict: 3,
  /** More questions than we answer. */
  limited: 4,
} as const;
export type StationDrop = (typeof StationDrop)[keyof typeof StationDrop];
