/** `/v1/vrouters/:name/tokens`: the join strings of a virtual router's gateway, and what of them is kept. */
import { z } from 'zod';
import { etag, unixMs } from './common.ts';
import { next } from './paging.ts';

export const join = z.object({
  string: z
    .string()
    .describe('https://host:port/#token~root-fingerprint. Shown once: the controller keeps only a hash of it')
    .meta({ examples: ['https://192.0.2.1:8443/#vrj_k3x9q2ab_...~5f0c...'] }),
  expiresUnixMs: unixMs,
});
export type Join = z.infer<typeof join>;

/** POST /v1/vrouters/:name/tokens; the body may be left out. */
export const createTokenRequest = z
  .strictObject({
    ttlSeconds: z.number().int().min(60).max(604_800).default(3600).describe('How long the join string is good, s'),
    uses: z
      .number()
      .int()
      .min(1)
      .max(100)
      .default(1)
      .describe('How many joins it is good for; each takes the place of the gateway before'),
    sourcePrefix: z
      .string()
      .max(64)
      .nullable()
      .default(null)
      .describe('CIDR prefix that the gateway must come from, as the controller sees its address; null: from anywhere')
      .meta({ examples: ['192.0.2.0/24'] }),
  })
  .prefault({});
export type CreateTokenRequest = z.input<typeof createTokenRequest>;

/** 201 of POST /v1/vrouters/:name/tokens */
export const createTokenReply = z.object({ join });
export type CreateTokenReply = z.infer<typeof createTokenReply>;

export const joinToken = z.object({
  id: z.string().describe('Eight characters; the middle part of the token, and how the audit names it'),
  state: z.enum(['good', 'used', 'expired', 'revoked']),
  creator: z.string().describe("Whose call made it; '' for one of before this was kept"),
  createdUnixMs: unixMs,
  expiresUnixMs: unixMs,
  uses: z.number().int().describe('How many joins it was made for'),
  usesLeft: z.number().int(),
  sourcePrefix: z.string().nullable().describe('Where the gateway must come from; null: from anywhere'),
  revokedUnixMs: unixMs.nullable(),
  etag,
});
export type JoinToken = z.infer<typeof joinToken>;

/** GET /v1/vrouters/:name/tokens */
export const joinTokenList = z.object({ tokens: z.array(joinToken), next });
export type JoinTokenList = z.infer<typeof joinTokenList>;
