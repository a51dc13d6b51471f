/**
 * What the outside says to a running engine over its unix socket: one JSON document per frame (see frame.ts). The engine speaks
 * first: `Hello`. Requests carry an id that the reply repeats; replies come in the order of the requests. Keys are base64.
 */
import type { Problem } from '@vrouter/core/problem.ts';

export const CONTROL_VERSION = 1;

export interface Hello {
  readonly type: 'hello';
  readonly controlVersion: number;
  readonly version: string;
  readonly pid: number;
  /** Another value means another life of the engine: counters start anew and nothing configured is left. */
  readonly epoch: string;
}

/** Changes of the engine's tables, applied in order between two breaths of the graph. */
export type Action =
  | { readonly do: 'vrf.set'; readonly name: string; readonly tableId: number }
  | { readonly do: 'vrf.remove'; readonly name: string }
  | {
      readonly do: 'link.set';
      readonly name: string;
      readonly type: 'wireguard';
      readonly vrf: string;
      readonly mtu: number;
      readonly adminUp: boolean;
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
  | ({ readonly do: 'natPool.set' } & NatPoolFields)
  | { readonly do: 'natPool.remove'; readonly name: string }
  | ({ readonly do: 'masquerade.set' } & MasqueradeFields)
  | ({ readonly do: 'publish.set' } & PublishFields)
  | { readonly do: 'natRule.remove'; readonly name: string };

/** Outside addresses that inside hosts share, and the ports of them that they may have. */
export interface NatPoolFields {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly firstPort: number;
  readonly lastPort: number;
}

/** Sources of a prefix leave under another address. Names of both kinds of rule are in one space. */
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
  /** What the tables of sessions and mappings take. */
  readonly bytes: number;
  readonly sessions: readonly NatSessionRow[];
}

/** Rows of `dump`, shaped like the actions that made them, secrets as fingerprints (SHA-256, hex). */
export type DumpRow =
  | { readonly is: 'vrf'; readonly name: string; readonly tableId: number }
  | {
      readonly is: 'link';
      readonly name: string;
      readonly type: 'wireguard';
      readonly vrf: string;
      readonly mtu: number;
      readonly adminUp: boolean;
      readonly index: number;
      readonly operUp: boolean;
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
  | ({ readonly is: 'natPool'; readonly sessions: number; readonly exhausted: number } & NatPoolFields)
  | ({ readonly is: 'masquerade' } & MasqueradeFields & NatCounts)
  | ({ readonly is: 'publish' } & PublishFields & NatCounts);

/** Names one row of a dump. */
export type RowId =
  | { readonly is: 'vrf'; readonly name: string }
  | { readonly is: 'link'; readonly name: string }
  | { readonly is: 'wireguard'; readonly link: string }
  | { readonly is: 'peer'; readonly link: string; readonly publicKey: string }
  | { readonly is: 'address'; readonly link: string; readonly address: string }
  | { readonly is: 'route'; readonly vrf: string; readonly prefix: string }
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
  /** Packets that each node has handled. */
  readonly nodes: { readonly [node: string]: number };
}

export type ControlRequest =
  | { readonly id: number; readonly method: 'apply'; readonly actions: readonly Action[] }
  | { readonly id: number; readonly method: 'dump'; readonly only?: readonly RowId[] }
  | { readonly id: number; readonly method: 'counters' }
  | { readonly id: number; readonly method: 'natSessions'; readonly limit: number }
  | { readonly id: number; readonly method: 'stop' };

/**
 * `apply` answers one entry per action: null when done, else why not; `field` is relative to the action. The rows of a `dump` may come
 * in several frames with the same id, all but the last with `more`, so that no frame grows with the tables.
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
  | { readonly type: 'reply'; readonly id: number; readonly ok: true; readonly counters: CountersReply }
  | { readonly type: 'reply'; readonly id: number; readonly ok: true; readonly natSessions: NatSessionsReply }
  | { readonly type: 'reply'; readonly id: number; readonly ok: true }
  | { readonly type: 'reply'; readonly id: number; readonly ok: false; readonly error: Problem };
