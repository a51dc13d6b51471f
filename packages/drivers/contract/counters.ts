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

/** What a plane has learnt and counted of a WireGuard peer. */
export interface PeerFacts {
  readonly link: string;
  readonly publicKey: string;
  readonly endpoint: string | null;
  readonly lastHandshakeUnixMs: number | null;
  /** The greatest TAI64N label of the peer's initiations, 24 hex digits; null where there is none, or the plane does not tell. */
  readonly handshakeTimestamp: string | null;
  readonly rxBytes: number;
  readonly txBytes: number;
  readonly rxPackets: number;
  readonly txPackets: number;
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

/** A port into an Ethernet as it is, with the state of its addresses. */
export interface EthernetPort {
  readonly link: string;
  readonly mac: string | null;
  readonly up: boolean;
  readonly addresses: readonly { readonly address: string; readonly state: string; readonly conflicts: number }[];
}

/** Somebody on the link of a port. */
export interface Neighbour {
  readonly link: string;
  readonly address: string;
  /** Null while it is looked for. */
  readonly mac: string | null;
  readonly state: string;
  readonly confirmedSecondsAgo: number | null;
}

export interface Neighbours {
  readonly ports: readonly EthernetPort[];
  /** How many neighbours there are, shown or not. */
  readonly total: number;
  readonly neighbours: readonly Neighbour[];
}

export interface CountingDriver extends Driver {
  /** Rejects with ProblemError when the plane is away. */
  counters(signal: AbortSignal): Promise<PlaneCounters>;
  /** Of every peer, cheaply: it is asked for every few seconds. Rejects with ProblemError when the plane is away. */
  peerFacts(signal: AbortSignal): Promise<readonly PeerFacts[]>;
  /** NAT sessions, at most `limit` (1000) of them. Rejects with ProblemError when the plane is away. */
  natSessions(limit: number, signal: AbortSignal): Promise<NatSessions>;
  /** Ethernet ports, and at most `limit` (1000) of their neighbours. Rejects with ProblemError when the plane is away. */
  neighbours(limit: number, signal: AbortSignal): Promise<Neighbours>;
}
