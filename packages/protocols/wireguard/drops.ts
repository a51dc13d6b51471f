/** Why a datagram or a packet went no further. `receive` and `send` answer the negative of these. Numbers are stable: counters carry them. */
export const WireguardDrop = {
  none: 0,
  /** Shorter than its message, or longer where the length is fixed. */
  length: 1,
  /** The first four bytes name no message. */
  type: 2,
  /** MAC1 is not for our public key. */
  mac1: 3,
  /** Under load and without a cookie: a cookie reply went out instead. */
  cookieNeeded: 4,
  /** Under load, cookie good, but too many handshakes from this address. */
  rateLimited: 5,
  /** The receiver index names nothing of ours (any more). */
  unknownIndex: 6,
  /** An initiation by a static key that no peer has. */
  unknownPeer: 7,
  /** A tag did not match: wrong key, wrong pre-shared key, or changed on its way. */
  notAuthentic: 8,
  /** A Diffie-Hellman result of all zeros. */
  weakKey: 9,
  /** An initiation not newer than one that we have seen: a replay, or the peer's clock went back. */
  oldTimestamp: 10,
  /** Initiations of one peer closer than 1/50 s. */
  initiationFlood: 11,
  /** The keys are older than REJECT_AFTER_TIME. */
  expired: 12,
  /** The counter reached REJECT_AFTER_MESSAGES. */
  counterLimit: 13,
  /** The counter was seen before, or lies behind the window. */
  replay: 14,
  /** What was inside is no whole IPv4 or IPv6 packet. */
  innerMalformed: 15,
  /** The inner source is not among the peer's allowed IPs. */
  sourceNotAllowed: 16,
  /** Nobody has told or shown where the peer is. */
  noEndpoint: 17,
  /** Waiting for a handshake, and a newer packet took the place. */
  stagedOverflow: 18,
  /** Waited for a handshake that was given up after REKEY_ATTEMPT_TIME, or the peer was removed. */
  stagedGivenUp: 19,
  /** Longer than any UDP datagram can carry. */
  tooLong: 20,
  /** A cookie reply that nothing of ours asked for. */
  unasked: 21,
} as const;
export type WireguardDrop = (typeof WireguardDrop)[keyof typeof WireguardDrop];

/** How many reasons there are, for counter arrays. */
export const WIREGUARD_DROPS = 22;
