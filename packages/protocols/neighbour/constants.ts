/** Times and limits. RFC 4861 section 10 unless said otherwise; for IPv4 the same are used, since RFC 826 has none. */

/** Questions to everybody before a neighbour is taken to be away. */
export const MAX_MULTICAST_SOLICIT = 3;
/** Questions to where a neighbour was before that is forgotten. */
export const MAX_UNICAST_SOLICIT = 3;
export const RETRANS_TIMER_MS = 1000;
/** How long an answer is good, times a factor between the two below, drawn once for each port. */
export const REACHABLE_TIME_MS = 30_000;
export const MIN_RANDOM_FACTOR = 0.5;
export const MAX_RANDOM_FACTOR = 1.5;
/** How long a neighbour that was not heard of lately is sent to before it is asked. */
export const DELAY_FIRST_PROBE_TIME_MS = 5000;

/** RFC 4862 section 5.1: questions for an address of our own before it is taken. */
export const DUP_ADDR_DETECT_TRANSMITS = 1;
/** RFC 5227 section 1.1; for unsolicited advertisements, RFC 4861 section 7.2.6, the same. */
export const ANNOUNCE_NUM = 2;
export const ANNOUNCE_INTERVAL_MS = 2000;
/** RFC 5227 section 2.4: who claims our address is answered once in this time. */
export const DEFEND_INTERVAL_MS = 10_000;

// Ours: what strangers can make a port hold, and how often they can make it speak.
export const MAX_NEIGHBOURS = 4096;
/** Neighbours that are being looked for: a scan of an empty network must not push out those that are there. */
export const MAX_INCOMPLETE = 512;
/** Packets held for one neighbour (RFC 4861 section 7.2.2: a small queue, of which the newest survive); room for a traceroute's burst. */
export const HELD_PER_NEIGHBOUR = 16;
/** Bytes of all packets held. */
export const HELD_BYTES = 1 << 20;
/** An IPv6 address that somebody has is asked for again after this time: who had it may have been told to let it go. */
export const DUPLICATE_RETRY_MS = 60_000;
/** Answers to questions about our addresses. */
export const ANSWERS_PER_SECOND = 1000;
export const ANSWERS_BURST = 200;
