/** What is said about watching packets: filters go in, one row per packet comes out. Keys are base64, bytes too. */

/** Which packets. What is left out does not matter; `link`, `peer` and `port` match on either side. */
export interface TraceFilter {
  /** In or out by this link. */
  readonly link?: string;
  /** From or to the peer with this public key. */
  readonly peer?: string;
  readonly source?: string;
  readonly destination?: string;
  readonly protocol?: TraceProtocol;
  readonly port?: number;
  /** Only packets that are dropped. */
  readonly drops?: boolean;
  /** Ends after so many packets. */
  readonly count?: number;
  /** Ends after this time. */
  readonly seconds?: number;
}

export const traceProtocols = ['tcp', 'udp', 'icmp'] as const;
export type TraceProtocol = (typeof traceProtocols)[number];

/** The packet as it came. */
export interface PacketSummary {
  readonly source: string;
  readonly destination: string;
  /** `tcp`, `udp`, `icmp`, `icmpv6`, or the number. */
  readonly protocol: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly icmpType?: number;
  /** Bytes from the start of the datagram, for a piece of one that is not the first. */
  readonly fragmentOffset?: number;
  /** TTL or hop limit. */
  readonly ttl: number;
  /** Bytes. */
  readonly length: number;
}

/** A node that the packet visited, and what it decided: `prefix`, `link`, `peer`, `ttl` (`64 -> 63`), `drop`... */
export interface TraceStep {
  readonly node: string;
  readonly facts: { readonly [name: string]: string | number };
}

export interface TraceRow {
  /** When its batch was received. */
  readonly unixMs: number;
  /** The link that it came in by. */
  readonly link: string;
  /** Public key of the peer that it came from, where that is known; of what could not be opened, the peer of the filter if it is there. */
  readonly peer: string | null;
  /** Null when it was no IP packet that could be read. */
  readonly packet: PacketSummary | null;
  readonly steps: readonly TraceStep[];
  /** `consumed`: a node kept it. */
  readonly end: 'sent' | 'dropped' | 'consumed';
  readonly drop: string | null;
  readonly outLink: string | null;
  readonly outPeer: string | null;
}

export const captureDirections = ['in', 'out', 'drop'] as const;
export type CaptureDirection = (typeof captureDirections)[number];

/** An IP packet as it came in by a link, as it left by one before it was sealed, or as it was when it was dropped. */
export interface CaptureRow {
  readonly unixMs: number;
  readonly link: string;
  readonly direction: CaptureDirection;
  /** Why it was dropped. */
  readonly drop: string | null;
  /** Bytes that it had; `data` may have fewer. */
  readonly length: number;
  readonly data: string;
}
