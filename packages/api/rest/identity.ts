/** `/v1/whoami`, `/v1/users`, `/v1/api-tokens`: who may do what on REST. */
import { z } from 'zod';
import { etag, name, unixMs } from './common.ts';
import { next, pageQuery } from './paging.ts';

/** From the least to the most: each may do what those before it may. */
export const roles = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

export const role = z
  .enum(roles)
  .describe(
    '`viewer` reads; `operator` also changes vrouters and all that is in them; `admin` also users, API tokens and the controller itself',
  );

export const origins = ['local', 'oidc'] as const;

export const origin = z
  .enum(origins)
  .describe('Where the user comes from: `local` was made here; `oidc` logs in at the OpenID Connect provider');

export const user = z.object({
  name: z.string(),
  role,
  origin,
  issuer: z.string().nullable().describe('The provider that the person comes from; null of a local user'),
  subject: z
    .string()
    .nullable()
    .describe('Who that is to the provider (the claim `sub`), whatever the name; null of a local user'),
  createdUnixMs: unixMs,
  disabledUnixMs: unixMs.nullable().describe('Since when none of its tokens is good; null: they are'),
  apiTokens: z.number().int().describe('How many tokens it has that are good'),
  etag,
});
export type User = z.infer<typeof user>;

/** POST /v1/users */
export const createUserRequest = z.strictObject({ name, role: role.default('viewer') });
export type CreateUserRequest = z.input<typeof createUserRequest>;

/** PATCH /v1/users/:user: what is left out stays. */
export const changeUserRequest = z.strictObject({
  role: role.optional().describe('Its tokens can do no more than this, from now on'),
  disabled: z.boolean().optional().describe('Its tokens stop at once; enabled again, they go on'),
});
export type ChangeUserRequest = z.input<typeof changeUserRequest>;

/** 201 of POST /v1/users, 200 of GET and PATCH /v1/users/:user */
export const userReply = z.object({ user });
export type UserReply = z.infer<typeof userReply>;

/** GET /v1/users, by name */
export const userList = z.object({ users: z.array(user), next });
export type UserList = z.infer<typeof userList>;

/** DELETE /v1/api-tokens/:id and /v1/login */
export const goneReply = z.object({ deleted: z.string() });
export type GoneReply = z.infer<typeof goneReply>;

/** 200 of DELETE /v1/users/:user */
export const removedUserReply = goneReply.extend({
  shutOut: z
    .boolean()
    .describe('The person of a provider is kept, disabled and without sessions: forgotten, it could log in anew'),
});
export type RemovedUserReply = z.infer<typeof removedUserReply>;

/** DELETE /v1/users/:user?forget= */
export const removeUserQuery = z.strictObject({
  forget: z
    .enum(['true', 'false'])
    .optional()
    .describe('`true`: also forget a person of a provider, who may then log in anew, as somebody new'),
});

export const apiToken = z.object({
  id: z.string().describe('Eight characters; the middle part of the token, and how the audit names it'),
  user: z.string().describe('Whose it is'),
  origin: origin.describe('Where its user comes from; a token of an `oidc` user is a session of a login'),
  name: z.string().describe('What it is for'),
  role: role.describe("What it may do, at most; its user's role is the other limit"),
  createdUnixMs: unixMs,
  expiresUnixMs: unixMs.nullable().describe('null: it does not end by itself'),
  lastUsedUnixMs: unixMs.nullable().describe('Written now and then, so it may be a minute behind; null: never'),
  revokedUnixMs: unixMs.nullable(),
  etag,
});
export type ApiToken = z.infer<typeof apiToken>;

/** POST /v1/api-tokens */
export const createApiTokenRequest = z.strictObject({
  user: name.describe('Whose it is to be'),
  name: name.describe('What it is for: 1 to 63 of a-z A-Z 0-9 _ . - and a letter or digit first'),
  role: role.optional().describe("What it may do, at most; its user's role unless said, and no more than that"),
  ttlSeconds: z
    .number()
    .int()
    .min(60)
    .max(315_360_000)
    .optional()
    .describe('How long it is good, s; without it, until it is revoked'),
});
export type CreateApiTokenRequest = z.input<typeof createApiTokenRequest>;

/** 201 of POST /v1/api-tokens */
export const createApiTokenReply = z.object({
  apiToken,
  token: z
    .string()
    .describe('For `Authorization: Bearer`. Shown once: the controller keeps only a hash of it')
    .meta({ examples: ['vra_k3x9q2ab_...'] }),
});
export type CreateApiTokenReply = z.infer<typeof createApiTokenReply>;

export const apiTokenReply = z.object({ apiToken });
export type ApiTokenReply = z.infer<typeof apiTokenReply>;

/** GET /v1/api-tokens?user= */
export const apiTokenQuery = pageQuery.extend({ user: z.string().optional().describe('Only those of this user') });

/** GET /v1/api-tokens, in the order in which they were made */
export const apiTokenList = z.object({ apiTokens: z.array(apiToken), next });
export type ApiTokenList = z.infer<typeof apiTokenList>;

/** GET /v1/whoami */
export const whoamiReply = z.object({
  user: z.string(),
  role: role.describe("What this token may do: the lesser of its own role and its user's"),
  origin,
  issuer: z.string().nullable().describe('The provider that the person came from; null of a local user'),
  apiToken,
});
export type WhoamiReply = z.infer<typeof whoamiReply>;
