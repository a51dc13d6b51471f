/** What a plane counts, apart from its objects: for statistics, never for reconcile. */
import type { Driver } from './driver.ts';

export interface LinkCounters {
  readonly name: string;
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly drops: number;
}

export interface PlaneCounters {
  /** Another value means another life of the plane: counting began anew. */
  readonly epoch: string;
  readonly links: readonly LinkCounters[];
  /** By reason, those that are not zero. */
  readonly drops: { readonly [reason: string]: number };
  /** ICMP errors sent and not sent by outcome, and what was done to packets; left out by planes that do not count it. */
  readonly icmpErrors?: { readonly [outcome: string]: number };
  readonly mssClamped?: number;
  readonly fragmented?: number;
  readonly reassembled?: number;
  /** Packets by node of the plane's graph; empty where a plane has none. */
  readonly nodes: { readonly [node: string]: number };
}

/** A translation that is alive. */
export interface NatSession {
  readonly rule: string;
  readonly protocol: string;
  readonly inside: string;
  readonly outside: string;
  readonly remote: string;
  readonly state: string;
  readonly expiresInSeconds: number;
}

/** How many translations there may be, and how long an idle one lives. */
export interface NatLimits {
  readonly sessions: number;
  readonly sessionsPerHost: number;
  readonly udpSeconds: number;
  readonly udpOneWaySeconds: number;
  readonly tcpEstablishedSeconds: number;
  readonly tcpTransitorySeconds: number;
  readonly icmpSeconds: number;
}

export interface NatSessions {
  /** How many there are, shown or not. */
  readonly total: number;
  /** Inside hosts that have any, and the most that one of them has. */
  readonly hosts: number;
  readonly mostOfHost: number;
  /** What holds now, whether somebody said so or not. */
  readonly limits: NatLimits;
  readonly sessions: readonly NatSession[];
}

export interface CountingDriver extends Driver {
  /** Rejects with ProblemError when the plane is away. */
  counters(signal: AbortSignal): Promise<PlaneCounters>;
  /** NAT sessions, at most `limit` (1000) of them. Rejects with ProblemError when the plane is away. */
  natSessions(limit: number, signal: AbortSignal): Promise<NatSessions>;
}
