/** `/v1/vrouters/:name/peers`: who may connect. `:peer` is a name or a public key (percent-encoded). */
import { z } from 'zod';
import { etag, name, prefix, publicKey, unixMs, version } from './common.ts';
import { next } from './paging.ts';

/** POST /v1/vrouters/:name/peers */
export const createPeerRequest = z.strictObject({
  name,
  publicKey,
  presharedKey: z.string().nullable().default(null).describe('32 bytes in base64; never shown again'),
  allowedIps: z
    .array(prefix)
    .max(256)
    .default([])
    .describe('Networks behind the peer, besides the addresses that the controller gives it'),
  endpoint: z
    .string()
    .max(64)
    .nullable()
    .default(null)
    .describe('ip:port to send to before the peer has been heard; null waits for it'),
  persistentKeepalive: z
    .number()
    .int()
    .min(0)
    .max(65535)
    .default(0)
    .describe('Keepalives from the gateway to the peer, s; 0 is off'),
});
/** What a client may write; defaults are filled in by the controller. */
export type CreatePeerRequest = z.input<typeof createPeerRequest>;

/** What the gateway last told of a peer. */
export const peerLive = z.object({
  endpoint: z.string().nullable(),
  lastHandshakeUnixMs: unixMs.nullable(),
  rxBytes: z.number().describe('Received from the peer'),
  txBytes: z.number().describe('Sent to the peer'),
  rxPackets: z.number(),
  txPackets: z.number(),
  heardUnixMs: unixMs.describe('When the gateway told this'),
});
export type PeerLive = z.infer<typeof peerLive>;

export const peer = z.object({
  vrouter: z.string(),
  name: z.string(),
  publicKey,
  hasPresharedKey: z.boolean(),
  presharedKeyFingerprint: z
    .string()
    .nullable()
    .optional()
    .describe(
      'Tells whether it is the preshared key that one has: the first 16 bytes, in hex, of the SHA-256 of the lines "vrouter preshared key", publicKey, presharedKey, with a newline between them. Older controllers do not say it',
    ),
  addresses: z.array(z.string()).describe("The peer's own, one per network: `10.77.0.2/32`"),
  allowedIps: z
    .array(z.string())
    .describe('All that the gateway routes to it: its addresses and the networks behind it'),
  endpoint: z.string().nullable().describe('As configured; `live.endpoint` is where it really is'),
  persistentKeepalive: z.number(),
  createdUnixMs: unixMs,
  live: peerLive.nullable(),
  etag,
});
export type Peer = z.infer<typeof peer>;

/** What the peer's own configuration needs to know of the gateway. */
export const peerGateway = z.object({
  publicKey: publicKey.nullable().describe('Null until a gateway has joined'),
  endpoint: z.string().describe('host:port'),
  allowedIps: z.array(z.string()).describe('The networks to send through the tunnel'),
  mtu: z.number(),
});
export type PeerGateway = z.infer<typeof peerGateway>;

/** 201 of POST /v1/vrouters/:name/peers. `version` tells when it reached the plane: status.appliedVersion is at least that. */
export const createPeerReply = z.object({ peer, gateway: peerGateway, version });
export type CreatePeerReply = z.infer<typeof createPeerReply>;

/** PATCH /v1/vrouters/:name/peers/:peer: what is left out stays. Its addresses are not changed here. */
export const changePeerRequest = z.strictObject({
  name: name.optional(),
  publicKey: publicKey
    .optional()
    .describe('Another key from this version on, which cuts off who still has the old one; a rotation does not'),
  presharedKey: z.string().nullable().optional().describe('32 bytes in base64; null takes it away; never shown again'),
  allowedIps: z
    .array(prefix)
    .max(256)
    .optional()
    .describe('All the networks behind the peer; its addresses stay whatever is said here'),
  endpoint: z.string().max(64).nullable().optional().describe('ip:port to send to; null forgets what was said'),
  persistentKeepalive: z
    .number()
    .int()
    .min(0)
    .max(65535)
    .optional()
    .describe('Keepalives from the gateway to the peer, s; 0 is off'),
});
export type ChangePeerRequest = z.input<typeof changePeerRequest>;

/** 200 of PATCH /v1/vrouters/:name/peers/:peer. The version is the one before when nothing changed. */
export const changePeerReply = z.object({
  peer,
  gateway: peerGateway,
  version,
  effect: z
    .enum(['none', 'rehandshake', 'interrupt'])
    .optional()
    .describe('What the change does to traffic of the peer that flows; older controllers do not say'),
});
export type ChangePeerReply = z.infer<typeof changePeerReply>;

/** GET /v1/vrouters/:name/peers/:peer */
export const peerReply = z.object({ peer, gateway: peerGateway });
export type PeerReply = z.infer<typeof peerReply>;

/** GET /v1/vrouters/:name/peers */
export const peerList = z.object({ peers: z.array(peer), next });
export type PeerList = z.infer<typeof peerList>;
