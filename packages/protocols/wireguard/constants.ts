/**
 * The protocol's values. Sections are those of the WireGuard paper (Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel",
 * NDSS 2017, revision of June 2020). Times are milliseconds.
 */

/** 6.1: a sender starts a new handshake after 2^60 messages; this is the counter's upper half at that point. */
export const REKEY_AFTER_MESSAGES_HIGH = 2 ** 28;
/** 6.1: keys end at 2^64 - 2^13 - 1 messages; the two halves of that counter. */
export const REJECT_AFTER_MESSAGES_HIGH = 0xffff_ffff;
export const REJECT_AFTER_MESSAGES_LOW = 0xffff_dfff;
/** 6.1: the initiator of a session renews it on sending after this. */
export const REKEY_AFTER_TIME_MS = 120_000;
/** 6.1: no key is used for longer. */
export const REJECT_AFTER_TIME_MS = 180_000;
/** 6.1: an unanswered handshake is given up after this. */
export const REKEY_ATTEMPT_TIME_MS = 90_000;
/** 6.1: between two initiations to a peer lies at least this. */
export const REKEY_TIMEOUT_MS = 5_000;
/** 6.1: so that two ends do not keep colliding, a retry comes up to this much later. */
export const REKEY_TIMEOUT_JITTER_MS = 333;
/** 6.1: who received and had nothing to say sends an empty packet after this. */
export const KEEPALIVE_TIMEOUT_MS = 10_000;
/** 6.2: receiving makes the initiator renew a session this old, so that a mere listener is not cut off. */
export const REFRESH_ON_RECEIVE_MS = REJECT_AFTER_TIME_MS - KEEPALIVE_TIMEOUT_MS - REKEY_TIMEOUT_MS;
/** 6.5: data went out and nothing came back for this long: something is wrong, shake hands again. */
export const NEW_HANDSHAKE_AFTER_SILENCE_MS = KEEPALIVE_TIMEOUT_MS + REKEY_TIMEOUT_MS;
/** 6.3: all key material goes this long after the last new session. */
export const ZERO_KEYS_AFTER_MS = 3 * REJECT_AFTER_TIME_MS;

/** 5.3: the secret behind cookies lives this long, and so does a cookie. */
export const COOKIE_SECRET_LIFE_MS = 120_000;
/** 5.4.7: a received cookie is not used in its last seconds, since the sender's secret may be older than it. */
export const COOKIE_USE_MS = COOKIE_SECRET_LIFE_MS - 5_000;
export const COOKIE_BYTES = 16;

/** 5.1: a peer's initiations are at least this far apart (Linux: 50 per second). */
export const INITIATION_SPACING_MS = 1000 / 50;
/** 5.3: handshakes per second and at once that one IPv4 address or IPv6 /64 gets while we are under load. */
export const RATE_PER_SECOND = 20;
export const RATE_BURST = 5;
/** Ours: sources that the rate limiter remembers; who is new while all of them are busy is refused. */
export const RATE_SOURCES = 8_192;
/** Ours, in the place of Linux's queue length: a virtual queue of handshakes that drains at this rate per second ... */
export const LOAD_DRAIN_PER_SECOND = 500;
/** ... means load from this many waiting (Linux: an eighth of 4096) ... */
export const LOAD_QUEUE = 512;
/** ... until this long after. */
export const LOAD_STICKY_MS = 1_000;

/** Ours: handshakes that a thread starts per second once it has started some; at 0.3 ms each a seventh of a core. */
export const INITIATIONS_PER_SECOND = 500;
/** Ours: those that it starts at once; packets wait no longer than these take. */
export const INITIATIONS_AT_ONCE = 8;
/** Ours: while peers wait for their turn, this many go together. */
export const INITIATIONS_PER_WAKE = 4;
/** Ours: turns of peers with something to lose, before one without has its own. */
export const URGENT_IN_A_ROW = 3;
/** Ours: peers whose timers one tick looks at; packets have a turn before it goes on. */
export const PEERS_PER_TICK = 256;

/** Linux: packets kept for a peer while there is no session; the oldest go first. */
export const STAGED_PACKETS = 128;
/** 5.4.6: packets are padded with zeros to a multiple of this. */
export const PADDING_BYTES = 16;
/** In front of the inner packet, and behind it. */
export const DATA_HEADER_BYTES = 16;
export const TAG_BYTES = 16;
/** The largest UDP payload over IPv4. */
export const MAX_DATAGRAM_BYTES = 65_507;
export const KEY_BYTES = 32;
