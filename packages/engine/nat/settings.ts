/** Knobs of the translator, with the sections that they come from. */

export interface NatSettings {
  /** Sessions at most; one more is dropped as `natTableFull`, none is put out for it. */
  readonly maxSessions: number;
  /** Sessions at most of one inside host, whoever opened them: `natHostLimit`. */
  readonly maxPerHost: number;
  /** UDP heard from both sides, RFC 4787 section 4.3 (REQ-5: not less than 120 s, 300 s recommended). */
  readonly udpMs: number;
  /** UDP heard from one side only: shorter than REQ-5, so that a scan does not hold the table. */
  readonly udpOneWayMs: number;
  /** RFC 5382 section 5 (REQ-5): not less than 2 h 4 min. */
  readonly tcpEstablishedMs: number;
  /** Partly open or closing, RFC 5382 section 5 (REQ-5): not less than 4 min. */
  readonly tcpTransitoryMs: number;
  /**
   * TCP heard from one side only, if `tcpTransitoryMs` is not less: shorter than REQ-5, so that segments that nobody answers (a scan, a
   * flood from forged addresses) do not hold the ports of an outside address. A SYN that comes again begins again.
   */
  readonly tcpOneWayMs: number;
  /** ICMP echo, RFC 5508 section 3.2 (REQ-2: not less than 60 s). */
  readonly icmpMs: number;
  /** How long the pieces of a datagram are known by its first, RFC 791 section 3.2 (15 s). */
  readonly fragmentMs: number;
}

/** Limits of what may be said of them, here and on every plane. */
export const MAX_SESSIONS = 1_048_576;
export const MAX_LIFE_MS = 604_800_000;

export const defaultNatSettings: NatSettings = Object.freeze({
  maxSessions: 65_536,
  maxPerHost: 4096,
  udpMs: 300_000,
  udpOneWayMs: 60_000,
  tcpEstablishedMs: 7_440_000,
  tcpTransitoryMs: 240_000,
  tcpOneWayMs: 30_000,
  icmpMs: 60_000,
  fragmentMs: 15_000,
});

/** The clock of the tables: deadlines are whole ticks, rounded up, so nothing ends early or more than a tick late. */
export const TICK_MS = 1000;
