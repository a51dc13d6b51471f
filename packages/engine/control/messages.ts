/**
 * What the outside says to a running engine over its unix socket: one JSON document per frame (see frame.ts). The engine speaks
 * first: `Hello`. Requests carry an id that the reply repeats; replies come in the order of the requests, but for the pieces of a
 * `trace` or `capture`, which come between them. Keys are base64.
 */
import type { Problem } from '@vrouter/core/problem.ts';
import type { CaptureRow, TraceFilter, TraceRow } from './trace-messages.ts';

export const CONTROL_VERSION = 1;

/** As many workers as an engine can have: the receiver indices of WireGuard spare three bits for them. */
export const MAX_WORKERS = 8;

export interface Hello {
  readonly type: 'hello';
  readonly controlVersion: number;
  readonly version: string;
  readonly pid: number;
  /** Another value means another life of the engine: counters start anew and nothing configured is left. */
  readonly epoch: string;
  /** Left out by engines of before. */
  readonly machine?: MachineFacts;
  /** Files with what the workers count (`stats/layout.ts`), for whoever may read them. Left out or empty: ask. */
  readonly stats?: readonly string[];
}

/** What the engine found on its machine, and with that how fast it is. */
export interface MachineFacts {
  /** How datagrams come and go: `recvmmsg`, or `dgram` where that is not to be had. */
  readonly udp: string;
  /** Who seals and opens: `openssl-direct`; where that is not to be had `openssl-ffi` (EVP), and `node-crypto` at worst. */
  readonly crypto: string;
  /** Threads that move packets. */
  readonly workers: number;
}

/**
 * What carries a link's packets: WireGuard peers, the host's own kernel (`tun`), or an Ethernet: an interface of the host that is there
 * (`port`), or one that is made (`tap`).
 */
export type LinkType = 'wireguard' | 'tun' | 'port' | 'tap';

/** Changes of the engine's tables, applied in order between two breaths of the graph. */
export type Action =
  | { readonly do: 'vrf.set'; readonly name: string; readonly tableId: number }
  | { readonly do: 'vrf.remove'; readonly name: string }
  | {
      readonly do: 'link.set';
      readonly name: string;
      readonly type: LinkType;
      readonly vrf: string;
      readonly mtu: number;
      readonly adminUp: boolean;
      /** Of a TUN link: addresses of the host, with prefix length, and networks that the host sends into the link. None when left out. */
      readonly hostAddresses?: readonly string[];
      readonly hostRoutes?: readonly string[];
      /** Of a port or TAP, always: the host's name of that interface. */
      readonly device?: string;
      /** Of a port or TAP: another MAC address than the interface's own (a TAP's: than one made for it). */
      readonly mac?: string | null;
      /** Of a port: the VLAN whose frames are the link's; null for frames without a tag. */
      readonly vlanId?: number | null;
      /** Cut the MSS of SYNs in and out to what the MTU holds. On when left out. */
      readonly mssClamp?: boolean;
      /** Whether what comes in must come from where answers would go, RFC 3704. `off` when left out. */
      readonly sourceCheck?: 'off' | 'loose' | 'strict';
    }
  | { readonly do: 'link.remove'; readonly name: string }
  | { readonly do: 'wireguard.set'; readonly link: string; readonly listenPort: number; readonly privateKey?: string }
  | { readonly do: 'wireguard.remove'; readonly link: string }
  | {
      readonly do: 'peer.set';
      readonly link: string;
      readonly publicKey: string;
      /** Base64, null for none; left out to keep what is there. */
      readonly presharedKey?: string | null;
      readonly allowedIps: readonly string[];
      /**
       * Where to send until the peer has been heard; one that was heard already keeps what was learnt. A new peer with an endpoint is
       * greeted at once: it may hold a session with an engine that died.
       */
      readonly endpoint?: string | null;
      /** The endpoint is somebody's explicit word: it is taken over what was learnt. Sessions go on. */
      readonly moved?: boolean;
      /** `handshakeTimestamp` of a row of an earlier life: initiations up to it are old. One that is not newer changes nothing. */
      readonly handshakeTimestamp?: string | null;
      readonly persistentKeepalive: number;
    }
  | { readonly do: 'peer.remove'; readonly link: string; readonly publicKey: string }
  | { readonly do: 'address.add'; readonly link: string; readonly address: string }
  | { readonly do: 'address.remove'; readonly link: string; readonly address: string }
  | {
      readonly do: 'route.set';
      readonly vrf: string;
      readonly prefix: string;
      readonly link: string | null;
      readonly nextHop: string | null;
    }
  | { readonly do: 'route.remove'; readonly vrf: string; readonly prefix: string }
  | ({ readonly do: 'natSettings.set' } & NatSettingsFields)
  /** The engine's own again. */
  | { readonly do: 'natSettings.remove' }
  | ({ readonly do: 'natPool.set' } & NatPoolFields)
  | { readonly do: 'natPool.remove'; readonly name: string }
  | ({ readonly do: 'masquerade.set' } & MasqueradeFields)
  | ({ readonly do: 'publish.set' } & PublishFields)
  | ({ readonly do: 'floating.set' } & FloatingFields)
  | { readonly do: 'natRule.remove'; readonly name: string };

/** How many sessions there may be, and how long an idle one lives. */
export interface NatSettingsFields {
  readonly sessions: number;
  /** Of one inside host. */
  readonly sessionsPerHost: number;
  readonly udpSeconds: number;
  /** Heard from one side alone. */
  readonly udpOneWaySeconds: number;
  readonly tcpEstablishedSeconds: number;
  /** Partly open, or closing. */
  readonly tcpTransitorySeconds: number;
  readonly icmpSeconds: number;
}

/** Outside addresses that inside hosts share, and the ports of them that they may have. */
export interface NatPoolFields {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly firstPort: number;
  readonly lastPort: number;
}

/** Sources of a prefix leave under another address. Names of all kinds of rule are in one space. */
export interface MasqueradeFields {
  readonly name: string;
  readonly vrf: string;
  readonly prefix: string;
  /** Links; null is every link but the one that a packet came in by. */
  readonly leaving: readonly string[] | null;
  /** Null: the address of the link that it leaves by. */
  readonly pool: string | null;
  readonly hairpin: boolean;
}

/** Ports of an own address lead to an inside one, `firstPort` to `toPort` and so on. */
export interface PublishFields {
  readonly name: string;
  readonly vrf: string;
  readonly protocol: 'tcp' | 'udp';
  /** Null is every own address. */
  readonly address: string | null;
  readonly firstPort: number;
  readonly lastPort: number;
  readonly toAddress: string;
  readonly toPort: number;
  readonly hairpin: boolean;
}

/** An outside address of ours stands for an inside one as a whole, both ways; inside hosts reach it too. */
export interface FloatingFields {
  readonly name: string;
  /** Of both addresses. */
  readonly vrf: string;
  readonly address: string;
  readonly toAddress: string;
}

interface NatCounts {
  readonly packets: number;
  readonly bytes: number;
  readonly sessions: number;
}

export interface NatSessionRow {
  readonly rule: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** Address and port, or identifier. */
  readonly inside: string;
  readonly outside: string;
  readonly remote: string;
  readonly state: 'transitory' | 'established';
  readonly expiresInSeconds: number;
}

export interface NatSessionsReply {
  /** How many there are, shown or not. */
  readonly total: number;
  /** Inside hosts that have any, and the most that one of them has. */
  readonly hosts: number;
  readonly mostOfHost: number;
  /** What holds now. */
  readonly limits: NatSettingsFields;
  /** What the tables of sessions and mappings take. */
  readonly bytes: number;
  readonly sessions: readonly NatSessionRow[];
}

/** An Ethernet port as it is. */
export interface PortRow {
  readonly link: string;
  /** The address that it speaks from; null while the link is down. */
  readonly mac: string | null;
  /** Frames can pass. */
  readonly up: boolean;
  readonly addresses: readonly {
    readonly address: string;
    /** Of an IPv6 address: being asked about, ours, or somebody else's. */
    readonly state: 'tentative' | 'valid' | 'duplicate';
    /** How often somebody else has claimed it. */
    readonly conflicts: number;
  }[];
}

export interface NeighbourRow {
  readonly link: string;
  readonly address: string;
  /** Null while it is looked for. */
  readonly mac: string | null;
  readonly state: 'incomplete' | 'reachable' | 'stale' | 'delay' | 'probe';
  /** When it last answered us; null when it never did. */
  readonly confirmedSecondsAgo: number | null;
}

export interface NeighboursReply {
  readonly ports: readonly PortRow[];
  /** How many neighbours there are, shown or not. */
  readonly total: number;
  readonly neighbours: readonly NeighbourRow[];
}

/** Rows of `dump`, shaped like the actions that made them, secrets as fingerprints (SHA-256, hex). */
export type DumpRow =
  | { readonly is: 'vrf'; readonly name: string; readonly tableId: number }
  | {
      readonly is: 'link';
      readonly name: string;
      readonly type: LinkType;
      readonly vrf: string;
      readonly mtu: number;
      readonly adminUp: boolean;
      /** Of a TUN link, always; else left out. */
      readonly hostAddresses?: readonly string[];
      readonly hostRoutes?: readonly string[];
      /** Of a port or TAP, always; else left out. */
      readonly device?: string;
      readonly mac?: string | null;
      readonly vlanId?: number | null;
      readonly index: number;
      readonly operUp: boolean;
      /** Of a TUN link that is up: what crosses to and from the kernel in super-packets. */
      readonly superPackets?: 'none' | 'tcp' | 'tcp+udp';
      readonly mssClamp: boolean;
      readonly sourceCheck: 'off' | 'loose' | 'strict';
    }
  | {
      readonly is: 'wireguard';
      readonly link: string;
      /** As configured; 0 lets the system choose. */
      readonly listenPort: number;
      /** The UDP port that is bound; null while the link is down. */
      readonly localPort: number | null;
      readonly privateKeyFingerprint: string;
      readonly publicKey: string;
    }
  | {
      readonly is: 'peer';
      readonly link: string;
      readonly publicKey: string;
      readonly presharedKeyFingerprint: string | null;
      readonly allowedIps: readonly string[];
      readonly endpoint: string | null;
      readonly persistentKeepalive: number;
      readonly lastHandshakeUnixMs: number | null;
      /** The greatest TAI64N label of the peer's initiations, 24 hex digits; null before the first. */
      readonly handshakeTimestamp: string | null;
      /** Bytes of the largest outer packet on the way to the endpoint, as far as the host has learnt; null where it does not tell. */
      readonly pathMtu: number | null;
      readonly rxBytes: number;
      readonly txBytes: number;
      readonly rxPackets: number;
      readonly txPackets: number;
    }
  | { readonly is: 'address'; readonly link: string; readonly address: string }
  | {
      readonly is: 'route';
      readonly vrf: string;
      readonly prefix: string;
      readonly link: string | null;
      readonly nextHop: string | null;
    }
  /** Only when it was set. */
  | ({ readonly is: 'natSettings' } & NatSettingsFields)
  | ({ readonly is: 'natPool'; readonly sessions: number; readonly exhausted: number } & NatPoolFields)
  | ({ readonly is: 'masquerade' } & MasqueradeFields & NatCounts)
  | ({ readonly is: 'publish' } & PublishFields & NatCounts)
  | ({ readonly is: 'floating' } & FloatingFields & NatCounts);

/** Names one row of a dump. */
export type RowId =
  | { readonly is: 'vrf'; readonly name: string }
  | { readonly is: 'link'; readonly name: string }
  | { readonly is: 'wireguard'; readonly link: string }
  | { readonly is: 'peer'; readonly link: string; readonly publicKey: string }
  | { readonly is: 'address'; readonly link: string; readonly address: string }
  | { readonly is: 'route'; readonly vrf: string; readonly prefix: string }
  | { readonly is: 'natSettings' }
  | { readonly is: 'natPool'; readonly name: string }
  | { readonly is: 'natRule'; readonly name: string };

export interface CountersReply {
  readonly epoch: string;
  readonly links: readonly {
    readonly name: string;
    readonly rxPackets: number;
    readonly rxBytes: number;
    readonly txPackets: number;
    readonly txBytes: number;
    readonly drops: number;
  }[];
  /** Drops of the whole graph by reason, those that are not zero. */
  readonly drops: { readonly [reason: string]: number };
  /** ICMP errors sent and not sent by outcome (`graph/icmp-outcomes.ts`), those that are not zero. */
  readonly icmpErrors: { readonly [outcome: string]: number };
  /** SYNs whose MSS was lowered, packets that were cut, datagrams to us that were put together. */
  readonly mssClamped: number;
  readonly fragmented: number;
  readonly reassembled: number;
  /** Packets that each node has handled. */
  readonly nodes: { readonly [node: string]: number };
}

export type ControlRequest =
  | { readonly id: number; readonly method: 'apply'; readonly actions: readonly Action[] }
  | { readonly id: number; readonly method: 'dump'; readonly only?: readonly RowId[] }
  | { readonly id: number; readonly method: 'counters' }
  | { readonly id: number; readonly method: 'natSessions'; readonly limit: number }
  | { readonly id: number; readonly method: 'neighbours'; readonly limit: number }
  | { readonly id: number; readonly method: 'trace'; readonly filter: TraceFilter }
  | { readonly id: number; readonly method: 'capture'; readonly filter: TraceFilter; readonly snapLen: number }
  /** Ends the trace or capture with the id `stream`; it has its own last piece. */
  | { readonly id: number; readonly method: 'cancel'; readonly stream: number }
  | { readonly id: number; readonly method: 'stop' };

/**
 * `apply` answers one entry per action: null when done, else why not; `field` is relative to the action. The rows of a `dump` may come
 * in several frames with the same id, all but the last with `more`, so that no frame grows with the tables.
 * The pieces of a trace or capture carry `more` too: the first comes at once and is empty, the last when it has ended. `lost` counts
 * rows that found no room because they were not read fast enough.
 */
export type ControlReply =
  | { readonly type: 'reply'; readonly id: number; readonly ok: true; readonly results: readonly (Problem | null)[] }
  | {
      readonly type: 'reply';
      readonly id: number;
      readonly ok: true;
      readonly rows: readonly DumpRow[];
      readonly more?: true;
    }
  | {
      readonly type: 'reply';
      readonly id: number;
      readonly ok: true;
      readonly traced: readonly TraceRow[];
      readonly lost: number;
      readonly more?: true;
    }
  | {
      readonly type: 'reply';
      readonly id: number;
      readonly ok: true;
      readonly captured: readonly CaptureRow[];
      readonly lost: number;
      readonly more?: true;
    }
  | { readonly type: 'reply'; readonly id: number; readonly ok: true; readonly counters: CountersReply }
  | { readonly type: 'reply'; readonly id: number; readonly ok: true; readonly natSessions: NatSessionsReply }
  | { readonly type: 'reply'; readonly id: number; readonly ok: true; readonly neighbours: NeighboursReply }
  | { readonly type: 'reply'; readonly id: number; readonly ok: true }
  | { readonly type: 'reply'; readonly id: number; readonly ok: false; readonly error: Problem };
