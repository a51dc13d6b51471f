/**
 * What a gateway and its controller say to each other: discover and register before there is a certificate, poll afterwards. The
 * names of the three calls are the original's; the fields are ours. Unknown fields are ignored, so either side may be newer.
 */
import { z } from 'zod';

export const AGENT_PROTOCOL_VERSION = 1;

const base64Key = z.string().regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, 'a key is 32 bytes in base64');
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

/** Where all controllers are that share a store, `https://host:port` each. Told with each answer, since it may change at any time. */
const controllers = z.array(z.string().max(300)).max(64).optional();

/** GET /vrouter/discover: no authentication; nothing in it is trusted before the root's fingerprint matches. */
export const discoverReply = z.object({
  controllerId: z.string(),
  protocolVersions: z.array(z.number().int()),
  /** SHA-256 of the root certificate's DER, lower-case hex. */
  rootFingerprint: hex32,
  /** The root itself, PEM, so that the gateway can check the fingerprint and pin it. */
  rootCertificate: z.string(),
  urls: z.object({ register: z.string(), poll: z.string() }),
  serverTimeUnixMs: z.number(),
});
export type DiscoverReply = z.infer<typeof discoverReply>;

/** POST /vrouter/register: TLS verified against the pinned root. */
export const registerRequest = z.object({
  token: z.string().max(256),
  protocolVersion: z.number().int().default(AGENT_PROTOCOL_VERSION),
  /**
   * PKCS #10, PEM. The key never leaves the gateway. The original sends none, nor anything below but its WireGuard key, and wants the key
   * made for it: that is refused unless the controller was told to (`--allow-controller-made-keys`).
   */
  csr: z.string().max(16_384).optional(),
  wireguardPublicKey: base64Key,
  hostname: z.string().max(253).default('unknown'),
  version: z.string().max(64).default('unknown'),
});
export type RegisterRequest = z.infer<typeof registerRequest>;

export const registerReply = z.object({
  gatewayId: z.string(),
  name: z.string(),
  controllerId: z.string(),
  /** Leaf first, then the intermediates, PEM each. */
  certificateChain: z.array(z.string()).min(1),
  /** PKCS #8, PEM: only in answer to a request without `csr`. */
  clientKey: z.string().optional(),
  /** All roots to trust from now on, PEM, the pinned one first; an older controller does not say, and then it is that one. */
  roots: z.array(z.string()).min(1).max(16).optional(),
  /** The gateway's own address in its first network, as `controller_state` keeps it. */
  assignedIp: z.string().nullable(),
  controllers,
  pollAfterMs: z.number(),
  serverTimeUnixMs: z.number(),
});
export type RegisterReply = z.infer<typeof registerReply>;

export const peerStats = z.object({
  interface: z.string(),
  publicKey: base64Key,
  endpoint: z.string().nullable(),
  lastHandshakeUnixMs: z.number().nullable(),
  rxBytes: z.number(),
  txBytes: z.number(),
  rxPackets: z.number(),
  txPackets: z.number(),
});
export type PeerStats = z.infer<typeof peerStats>;

export const linkStats = z.object({
  name: z.string().max(64),
  rxPackets: z.number(),
  rxBytes: z.number(),
  txPackets: z.number(),
  txBytes: z.number(),
  drops: z.number(),
});

/**
 * Absolute values; another epoch means that counting began anew. `peers` are those that have changed since they were told last, and all of
 * them every five minutes; at most 2000 and 256 KiB of them.
 */
export const gatewayStats = z.object({
  epoch: z.string(),
  peers: z.array(peerStats).max(2000),
  drops: z.record(z.string(), z.number()),
  objects: z.number(),
  reconciles: z.number(),
  driftRepaired: z.number(),
  /** Older gateways do not say what follows. */
  links: z.array(linkStats).max(256).optional(),
  /** By VRF: on the plane, and not to be put there. */
  routes: z.record(z.string(), z.object({ programmed: z.number(), failed: z.number() })).optional(),
  natSessions: z.number().nullable().optional(),
  /** Steps that were tried, and those that failed. */
  steps: z.number().optional(),
  stepsFailed: z.number().optional(),
  lastReconcileMs: z.number().nullable().optional(),
});
export type GatewayStats = z.infer<typeof gatewayStats>;

/** A version that would take away so much that the gateway waits for somebody to confirm it. */
export const heldChange = z.object({
  version: z.number().int(),
  removes: z.number().int(),
  reason: z.string().max(1000),
});
export type HeldChange = z.infer<typeof heldChange>;

/** What the gateway can hold, and what of its machine may help people to find it. */
export const capabilities = z.object({
  /** Kinds of objects that its plane can have. */
  kinds: z.array(z.string().max(64)).max(256),
  /** Of the machine's first interface. A hint for people: anybody can say any, so nothing is decided by it. */
  mac: z.string().max(32).nullable(),
});
export type Capabilities = z.infer<typeof capabilities>;

export const objectError = z.object({ key: z.string(), code: z.string(), message: z.string() });

/** A gateway can have two keys of a peer at a time: `peerSuccessor` intents mean something to it, and its plane does it. */
export const PEER_SUCCESSOR = 'peerSuccessor';
/** Most successions of one poll; who tells fewer has told all. */
export const SUCCEEDED_MAX = 1000;

/** The next key of a peer was heard in this rotation and is the peer's on the plane; told until the controller says so itself. */
export const succession = z.object({ interface: z.string(), publicKey: base64Key, rotation: z.string().max(64) });
export type Succession = z.infer<typeof succession>;

/** POST /vrouter/poll over mTLS: the certificate says who asks, `gatewayId` is only cross-checked. */
export const pollRequest = z.object({
  gatewayId: z.string(),
  /** Random, new at each start of the daemon. */
  bootId: z.string().max(64),
  /** Strictly increasing within a bootId. A retry of a lost reply repeats both seq and nonce. */
  seq: z.number().int().nonnegative(),
  /** What the last reply gave; null on the first poll of a bootId. */
  nonce: z.string().max(64).nullable(),
  /** The last version that was stored, and the hash of the state that it led to. 0 and null when there is none. */
  storedVersion: z.number().int().nonnegative(),
  storedHash: hex32.nullable(),
  /** The last version whose objects the plane was seen to have. */
  appliedVersion: z.number().int().nonnegative(),
  /** Hash of the state whose objects these were; older gateways do not say it. */
  appliedHash: hex32.nullable().optional(),
  /** How long the controller may hold the reply when it has nothing new, ms. */
  waitMs: z.number().int().min(0).max(25_000),
  /** True asks for the whole state. */
  full: z.boolean(),
  /** What the gateway does not take without a person's word; see `confirmShrink`. */
  held: heldChange.nullable().optional(),
  stats: gatewayStats.nullable(),
  errors: z.array(objectError).max(100),
  plane: z.string().max(32),
  version: z.string().max(64),
  /** What this gateway can beyond what every one could; older ones do not say. */
  features: z.array(z.string().max(64)).max(64).optional(),
  /** Of the state at `storedVersion`: whoever is not told of here was not heard before it was stored. */
  succeeded: z.array(succession).max(SUCCEEDED_MAX).optional(),
  /** Left out when it is as it was told before. */
  capabilities: capabilities.optional(),
  /** Controller's clock minus ours, as last measured, ms. */
  clockOffsetMs: z.number().nullable().optional(),
});
export type PollRequest = z.infer<typeof pollRequest>;

/** Keyed, so applying twice is harmless. The intent is checked by the gateway one by one: a bad one holds back no other. */
export const intentOp = z.discriminatedUnion('op', [
  z.object({ op: z.literal('put'), key: z.string(), intent: z.unknown() }),
  z.object({ op: z.literal('remove'), key: z.string() }),
]);
export type IntentOp = z.infer<typeof intentOp>;

export const pollReply = z.object({
  /** The version that the ops lead to. */
  version: z.number().int().nonnegative(),
  /** The version that the ops start from; null when they are the whole state and what is not named goes. */
  baseVersion: z.number().int().nonnegative().nullable(),
  ops: z.array(intentOp),
  /** When the version was committed, by the controller's clock; null when that is long ago. Older controllers do not say it. */
  committedUnixMs: z.number().nullable().optional(),
  /** Hash of the state at `version`: see intent/version/hash.ts. */
  hash: hex32,
  nextNonce: z.string(),
  /** Do not ask again before this many ms. */
  pollAfterMs: z.number().int().nonnegative(),
  /** The shrink that this full state brings was confirmed by a person. */
  confirmShrink: z.boolean(),
  serverTimeUnixMs: z.number(),
  /** How long the request was held, ms: take it away before the round trip says anything about the clocks. */
  heldMs: z.number().nonnegative().optional(),
  /** The gateway keeps them, beside what its file and its join string name; an empty list says nothing. */
  controllers,
});
export type PollReply = z.infer<typeof pollReply>;

/** Body of a 409 `poll.replay`. The next poll carries `nextNonce` (or null, as the first of a bootId) and a greater seq. */
export const pollRefusal = z.object({
  error: z.object({ code: z.literal('poll.replay'), message: z.string() }),
  nextNonce: z.string(),
});
export type PollRefusal = z.infer<typeof pollRefusal>;

/**
 * POST /vrouter/renew over mTLS, from half the certificate's life on and up to seven days after its end: another certificate for the
 * same gateway. The old one stays good until its own end, so a lost reply does no harm.
 */
export const renewRequest = z.object({
  /** PKCS #10, PEM, for a new key or the same one. */
  csr: z.string().max(16_384),
});
export type RenewRequest = z.infer<typeof renewRequest>;

export const renewReply = z.object({
  /** Leaf first, then the intermediates, PEM each. */
  certificateChain: z.array(z.string()).min(1),
  /** As in registerReply: how a gateway learns of a root's successor. */
  roots: z.array(z.string()).min(1).max(16).optional(),
  serverTimeUnixMs: z.number(),
});
export type RenewReply = z.infer<typeof renewReply>;
