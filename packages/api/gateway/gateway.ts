/** What vrouterd tells on its own unix socket (HTTP): replies of `GET /v1/...`, as vrouterctl shows them. */
import { z } from 'zod';
import { heldChange } from '../agent/agent.ts';

export const interfaceRow = z.object({
  name: z.string(),
  type: z.string(),
  vrf: z.string(),
  mtu: z.number(),
  state: z.enum(['up', 'down']),
  addresses: z.array(z.string()),
  listenPort: z.number().nullable(),
  publicKey: z.string().nullable(),
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

export const statsReply = z.object({
  epoch: z.string(),
  drops: z.record(z.string(), z.number()),
  nodes: z.record(z.string(), z.number()),
  reconciles: z.number(),
  lastReconcileMs: z.number().nullable(),
  driftRepaired: z.number(),
  objects: z.number(),
  intents: z.number(),
  failing: z.array(z.object({ key: z.string(), code: z.string(), message: z.string() })),
});
export type StatsReply = z.infer<typeof statsReply>;

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
});
export type PlanReply = z.infer<typeof planReply>;

export const statusReply = z.object({
  version: z.string(),
  pid: z.number(),
  plane: z.string(),
  engine: z.object({ pid: z.number(), epoch: z.string() }).nullable(),
  gatewayId: z.string().nullable(),
  name: z.string().nullable(),
  controller: z.object({
    url: z.string().nullable(),
    state: z.enum(['none', 'joining', 'connecting', 'connected', 'unreachable', 'refused']),
    lastPollUnixMs: z.number().nullable(),
    lastError: z.string().nullable(),
    certificateExpiresUnixMs: z.number().nullable(),
    clockOffsetMs: z.number().nullable(),
  }),
  held: heldChange.nullable(),
  storedVersion: z.number(),
  appliedVersion: z.number(),
  startedUnixMs: z.number(),
});
export type StatusReply = z.infer<typeof statusReply>;

/** One event of `GET /v1/watch` (server-sent events, `data:` is this as JSON). */
export const watchEvent = z.object({
  atUnixMs: z.number(),
  type: z.enum(['step', 'poll', 'engine', 'held', 'problem']),
  text: z.string(),
});
export type WatchEvent = z.infer<typeof watchEvent>;
