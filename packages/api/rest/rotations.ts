/** `/v1/vrouters/:name/rotations`: other keys for peers, with both good until the device has changed. */
import { z } from 'zod';
import { publicKey, unixMs, version } from './common.ts';
import { next } from './paging.ts';

/** Peers of one rotation, at most. */
export const ROTATION_PEERS_MAX = 1000;

/** What becomes another one. */
export const rotationWhat = z.enum(['key', 'psk', 'key+psk']);
export type RotationWhat = z.infer<typeof rotationWhat>;

export const atDeadline = z
  .enum(['keep', 'cutOver'])
  .describe(
    'What becomes of a peer that has not changed in time: `keep` leaves it its old key and shows it as a straggler, `cutOver` ends the old key',
  );

/** POST /v1/vrouters/:name/rotations */
export const startRotationRequest = z.strictObject({
  what: rotationWhat
    .default('key+psk')
    .describe('`psk` alone has no overlap but the session that lives: the device needs it within two minutes'),
  peers: z
    .array(
      z.strictObject({
        peer: z.string().describe('Name or public key of the peer'),
        publicKey: publicKey.optional().describe('The next one; of the key pair that was made where the peer is'),
        presharedKey: z.string().optional().describe('The next one, 32 bytes in base64; never shown again'),
      }),
    )
    .min(1)
    .max(ROTATION_PEERS_MAX),
  pace: z
    .number()
    .int()
    .min(1)
    .max(ROTATION_PEERS_MAX)
    .nullable()
    .default(null)
    .describe('How many peers are waited for at a time, stragglers not counted; null: all at once'),
  deadlineSeconds: z
    .number()
    .int()
    .min(1)
    .max(31_536_000)
    .default(604_800)
    .describe('How long a peer has to change, from when its next key is good on, s'),
  atDeadline: atDeadline.default('keep'),
});
export type StartRotationRequest = z.input<typeof startRotationRequest>;

export const rotationPeerState = z
  .enum(['waiting', 'offered', 'switched', 'straggler', 'withdrawing', 'cancelled', 'failed'])
  .describe(
    'waiting: for its turn, or for a gateway that can have two keys of a peer; offered: both keys are good; straggler: not changed in time, the old key is good; withdrawing: cancelled, and the gateway has not said yet whether the device had changed before',
  );
export type RotationPeerState = z.infer<typeof rotationPeerState>;

export const rotationPeer = z.object({
  peer: z.string(),
  publicKey: publicKey.describe('Before'),
  nextPublicKey: publicKey.describe('Afterwards; the same when only the preshared key changes'),
  state: rotationPeerState,
  offeredUnixMs: unixMs.nullable(),
  deadlineUnixMs: unixMs.nullable(),
  switchedUnixMs: unixMs.nullable(),
  effect: z
    .enum(['none', 'interrupt'])
    .nullable()
    .describe('What the change did to traffic: `interrupt` when it was forced; null while there is none'),
  reason: z.string().nullable().describe('Why it failed, or why it waits'),
});
export type RotationPeer = z.infer<typeof rotationPeer>;

const counts = z.record(rotationPeerState, z.number());

export const rotation = z.object({
  id: z.string(),
  vrouter: z.string(),
  what: rotationWhat,
  state: z
    .enum(['running', 'straggling', 'ended'])
    .describe('straggling: nobody is left but stragglers; force or cancel ends it'),
  pace: z.number().nullable(),
  deadlineSeconds: z.number(),
  atDeadline,
  startedBy: z.string(),
  createdUnixMs: unixMs,
  counts,
});
export type Rotation = z.infer<typeof rotation>;

export const rotationWithPeers = rotation.extend({ peers: z.array(rotationPeer) });
export type RotationWithPeers = z.infer<typeof rotationWithPeers>;

/** GET /v1/vrouters/:name/rotations/:id */
export const rotationReply = z.object({ rotation: rotationWithPeers });
export type RotationReply = z.infer<typeof rotationReply>;

/** 201 of POST /v1/vrouters/:name/rotations, and the answer to `cancel` and `force`. */
export const changeRotationReply = z.object({ rotation: rotationWithPeers, version });
export type ChangeRotationReply = z.infer<typeof changeRotationReply>;

/** POST /v1/vrouters/:name/rotations/:id/cancel and /force; the body may be left out. */
export const rotationPeersRequest = z
  .strictObject({
    peers: z
      .array(z.string())
      .min(1)
      .max(ROTATION_PEERS_MAX)
      .optional()
      .describe('Only these, by name or public key; left out: all that have not changed'),
  })
  .prefault({});
export type RotationPeersRequest = z.input<typeof rotationPeersRequest>;

/** GET /v1/vrouters/:name/rotations */
export const rotationList = z.object({ rotations: z.array(rotation), next });
export type RotationList = z.infer<typeof rotationList>;
