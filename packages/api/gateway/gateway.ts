/** What vrouterd tells on its own unix socket (HTTP): replies of `GET /v1/...`, as vrouterctl shows them. */
import { z } from 'zod';
import { heldChange } from '../agent/agent.ts';
import { certificateState } from '../agent/lifetime.ts';

export const interfaceRow = z.object({
  name: z.string(),
  type: z.string(),
  vrf: z.string(),
  mtu: z.number(),
  /** Whether SYNs have their MSS cut to the MTU, and the reverse path check of what comes in. */
  mssClamp: z.boolean().optional(),
  sourceCheck: z.enum(['off', 'loose', 'strict']).optional(),
  /** `unknown` while no engine says. */
  state: z.enum(['up', 'down', 'unknown']),
  addresses: z.array(z.string()),
  /** What crosses to and from the host's kernel in super-packets: `none`, `tcp` or `tcp+udp`; null where it does not lead there. */
  superPackets: z.string().nullable().default(null),
  listenPort: z.number().nullable(),
  publicKey: z.string().nullable(),
  /** Where wg(8) can speak to it; null for an interface that is none of WireGuard's. */
  wgSocket: z.string().nullable(),
  /** The command (as root) that lets wg(8) find the socket; null when it does already. */
  wgLink: z.string().nullable(),
  rxPackets: z.number(),
  rxBytes: z.number(),
  txPackets: z.number(),
  txBytes: z.number(),
  drops: z.number(),
});
export type InterfaceRow = z.infer<typeof interfaceRow>;

export const peerRow = z.object({
  interface: z.string(),
  name: z.string(),
  publicKey: z.string(),
  source: z.string(),
  endpoint: z.string().nullable(),
  allowedIps: z.array(z.string()),
  lastHandshakeUnixMs: z.number().nullable(),
  /** Bytes of the largest outer packet to the endpoint, as far as the gateway's host has learnt. */
  pathMtu: z.number().nullable().default(null),
  rxBytes: z.number(),
  txBytes: z.number(),
  rxPackets: z.number(),
  txPackets: z.number(),
});
export type PeerRow = z.infer<typeof peerRow>;

export const routeRow = z.object({
  vrf: z.string(),
  prefix: z.string(),
  interface: z.string().nullable(),
  nextHop: z.string().nullable(),
  /** The intent that asked for it. */
  from: z.string(),
});
export type RouteRow = z.infer<typeof routeRow>;

export const natReply = z.object({
  rules: z.array(
    z.object({
      name: z.string(),
      vrf: z.string(),
      /** What is translated, and to what. */
      match: z.string(),
      to: z.string(),
      sessions: z.number(),
      packets: z.number(),
      bytes: z.number(),
      source: z.string(),
    }),
  ),
  /** How many sessions there are, shown or not. */
  total: z.number(),
  /** Inside hosts that have any, and the most that one of them has. */
  hosts: z.number(),
  mostOfHost: z.number(),
  /** How many there may be, and how long an idle one lives. */
  limits: z.object({
    sessions: z.number(),
    sessionsPerHost: z.number(),
    udpSeconds: z.number(),
    udpOneWaySeconds: z.number(),
    tcpEstablishedSeconds: z.number(),
    tcpTransitorySeconds: z.number(),
    icmpSeconds: z.number(),
  }),
  sessions: z.array(
    z.object({
      rule: z.string(),
      protocol: z.string(),
      inside: z.string(),
      outside: z.string(),
      remote: z.string(),
      state: z.string(),
      expiresInSeconds: z.number(),
    }),
  ),
});
export type NatReply = z.infer<typeof natReply>;

/** Ports into Ethernets, and who is on their links. */
export const neighboursReply = z.object({
  ports: z.array(
    z.object({
      link: z.string(),
      /** Null while the port is down. */
      mac: z.string().nullable(),
      /** Frames can pass. */
      up: z.boolean(),
      addresses: z.array(
        z.object({
          address: z.string(),
          /** `tentative`, `valid`, `duplicate`. */
          state: z.string(),
          /** How often somebody else has claimed it. */
          conflicts: z.number(),
        }),
      ),
    }),
  ),
  /** How many neighbours there are, shown or not. */
  total: z.number(),
  neighbours: z.array(
    z.object({
      link: z.string(),
      address: z.string(),
      /** Null while it is looked for. */
      mac: z.string().nullable(),
      /** RFC 4861 section 7.3.2: `incomplete`, `reachable`, `stale`, `delay`, `probe`. */
      state: z.string(),
      /** When it last answered the gateway. */
      confirmedSecondsAgo: z.number().nullable(),
    }),
  ),
});
export type NeighboursReply = z.infer<typeof neighboursReply>;

export const statsReply = z.object({
  epoch: z.string(),
  drops: z.record(z.string(), z.number()),
  nodes: z.record(z.string(), z.number()),
  /** ICMP errors sent and not sent, by outcome. */
  icmpErrors: z.record(z.string(), z.number()).default({}),
  /** SYNs whose MSS was lowered, packets that were cut, datagrams to the gateway that were put together. */
  mssClamped: z.number().default(0),
  fragmented: z.number().default(0),
  reassembled: z.number().default(0),
  reconciles: z.number(),
  lastReconcileMs: z.number().nullable(),
  driftRepaired: z.number(),
  objects: z.number(),
  intents: z.number(),
  failing: z.array(z.object({ key: z.string(), code: z.string(), message: z.string() })),
});
export type StatsReply = z.infer<typeof statsReply>;

/** How a gateway stands with its controller, as words for people and fields for programs. Times are by this host's clock. */
export const outlook = z.object({
  condition: z.enum([
    'standalone',
    'storeLost',
    'joining',
    'joinFailing',
    'joinRefused',
    'starting',
    'connected',
    'held',
    'clockOff',
    'clockWrong',
    'certificateLate',
    'away',
    'troubled',
    'untrusted',
    'replayed',
    'grace',
    'certificateRefused',
    'lockedOut',
    'notKnown',
    'deleted',
  ]),
  severity: z.enum(['good', 'warning', 'critical']),
  /** Since when it is so; null where that says nothing. */
  sinceUnixMs: z.number().nullable(),
  /** What is the matter. */
  summary: z.string(),
  /** What goes on all the same. */
  works: z.string(),
  /** What does not; null: nothing. */
  stopped: z.string().nullable(),
  /** What comes next if nothing is done. */
  worsens: z.object({ atUnixMs: z.number(), what: z.string() }).nullable(),
  /** What to do; null: nothing. */
  advice: z.string().nullable(),
});
export type Outlook = z.infer<typeof outlook>;

export const planStep = z.object({
  op: z.enum(['create', 'update', 'delete']),
  key: z.string(),
  changed: z.array(z.string()),
  effect: z.enum(['none', 'rehandshake', 'interrupt']),
});
/** What reconcile would do now, and what is held back until someone confirms it. */
export const planReply = z.object({
  steps: z.array(planStep),
  held: heldChange.nullable(),
  /** How it stands with the controller, whose latest changes the plan may not know; an older daemon does not say. */
  controller: outlook.optional(),
});
export type PlanReply = z.infer<typeof planReply>;

/** This host's clock beside the controller's: `off` by more than 30 s, `critical` by more than 5 min. */
export const clockState = z.enum(['good', 'off', 'critical']);
export type ClockState = z.infer<typeof clockState>;

/** One address at which controllers of this gateway are reached. */
export const controllerAddress = z.object({
  url: z.string(),
  /** Who named it: the configuration file, the join string, or the controllers themselves. */
  source: z.enum(['file', 'join', 'learnt']),
  /** `untried` since this daemon started; `failing`: left alone until `retryInMs` is over, then tried once. */
  state: z.enum(['untried', 'working', 'failing']),
  /** The one that is asked. */
  isCurrent: z.boolean(),
  lastAnswerUnixMs: z.number().nullable(),
  lastError: z.string().nullable(),
  lastErrorUnixMs: z.number().nullable(),
  retryInMs: z.number().nullable(),
});
export type ControllerAddress = z.infer<typeof controllerAddress>;

/** How it stands with the controller, and where that is. */
export const controllerStatus = z.object({
  /** The address that is asked. */
  url: z.string().nullable(),
  state: z.enum(['none', 'joining', 'connecting', 'connected', 'unreachable', 'refused', 'deleted']),
  lastPollUnixMs: z.number().nullable(),
  lastError: z.string().nullable(),
  certificateExpiresUnixMs: z.number().nullable(),
  /** By the controller's clock; null before the first poll. */
  certificateState: certificateState.nullable().optional(),
  clockOffsetMs: z.number().nullable(),
  clockState: clockState.nullable().optional(),
  /** Every address that is known; an older daemon has one and does not say. */
  addresses: z.array(controllerAddress).optional(),
  outlook: outlook.optional(),
});
export type ControllerStatus = z.infer<typeof controllerStatus>;

export const statusReply = z.object({
  version: z.string(),
  pid: z.number(),
  plane: z.string(),
  engine: z
    .object({
      pid: z.number(),
      epoch: z.string(),
      /** What it found on its machine; null when it does not tell. */
      machine: z.object({ udp: z.string(), crypto: z.string(), workers: z.number() }).nullable().default(null),
    })
    .nullable(),
  gatewayId: z.string().nullable(),
  name: z.string().nullable(),
  controller: controllerStatus,
  held: heldChange.nullable(),
  storedVersion: z.number(),
  appliedVersion: z.number(),
  startedUnixMs: z.number(),
});
export type StatusReply = z.infer<typeof statusReply>;

const limits = {
  /** In or out by this link. */
  link: z.string().max(64).optional(),
  /** Name or public key of a peer, from or to which. */
  peer: z.string().max(256).optional(),
  source: z.string().max(64).optional(),
  destination: z.string().max(64).optional(),
  protocol: z.enum(['tcp', 'udp', 'icmp']).optional(),
  /** On either side. */
  port: z.coerce.number().int().min(1).max(65_535).optional(),
  drops: z.stringbool().optional(),
  count: z.coerce.number().int().min(1).max(1_000_000_000).optional(),
  seconds: z.coerce.number().int().min(1).max(86_400).optional(),
};
/** The query of `GET /v1/trace`. */
export const traceQuery = z.strictObject(limits);
export type TraceQuery = z.infer<typeof traceQuery>;
/** The query of `GET /v1/capture`. */
export const captureQuery = z.strictObject({
  ...limits,
  snaplen: z.coerce.number().int().min(1).max(65_535).optional(),
  format: z.enum(['pcap', 'pcapng']).optional(),
});
export type CaptureQuery = z.infer<typeof captureQuery>;

/** One packet of `GET /v1/trace`: an event with these as JSON. */
export const traceEvent = z.object({
  unixMs: z.number(),
  link: z.string(),
  /** Public keys; the names are those of the intents, empty where there is none. */
  peer: z.string().nullable(),
  peerName: z.string(),
  /** As it came; null when it could not be read. */
  packet: z
    .object({
      source: z.string(),
      destination: z.string(),
      protocol: z.string(),
      sourcePort: z.number().optional(),
      destinationPort: z.number().optional(),
      icmpType: z.number().optional(),
      fragmentOffset: z.number().optional(),
      ttl: z.number(),
      length: z.number(),
    })
    .nullable(),
  /** The nodes that it visited, in order, with what each decided. */
  steps: z.array(z.object({ node: z.string(), facts: z.record(z.string(), z.union([z.string(), z.number()])) })),
  end: z.enum(['sent', 'dropped', 'consumed']),
  drop: z.string().nullable(),
  outLink: z.string().nullable(),
  outPeer: z.string().nullable(),
  outPeerName: z.string(),
  /** Packets so far that found no room on the way here. */
  lost: z.number(),
});
export type TraceEvent = z.infer<typeof traceEvent>;

/** One event of `GET /v1/watch` (server-sent events, `data:` is this as JSON). */
export const watchEvent = z.object({
  atUnixMs: z.number(),
  type: z.enum(['step', 'poll', 'engine', 'held', 'problem']),
  text: z.string(),
});
export type WatchEvent = z.infer<typeof watchEvent>;
