/** `/v1/vrouters/:name/versions` and `/diff`: what a configuration was, who changed it, and what lies between two versions. */
import { z } from 'zod';
import { unixMs, version } from './common.ts';
import { next, pageQuery } from './paging.ts';

const author = {
  actor: z.string().nullable().describe('Name of the user, or id of the gateway; null: made before this was kept'),
  tokenId: z.string().nullable().describe('Id of the API token that the user showed'),
  action: z.string().nullable().describe('What was done, as the audit calls it: `peer.create`'),
};

export const versionRow = z.object({
  version,
  atUnixMs: unixMs,
  ...author,
  changed: z.number().int().describe('How many intents it changed'),
});
export type VersionRow = z.infer<typeof versionRow>;

/** GET /v1/vrouters/:name/versions */
export const versionList = z.object({ versions: z.array(versionRow), next });
export type VersionList = z.infer<typeof versionList>;

const intent = z
  .record(z.string(), z.unknown())
  .nullable()
  .describe('The intent; in the place of a secret, `{fingerprint}`. Null: there was, or is, none');

export const intentChange = z.object({
  key: z.string().describe('Which intent: `peer/wg0/KEY`, `route/default/10.0.0.0/8`'),
  op: z.enum(['add', 'change', 'remove']),
  before: intent,
  after: intent,
});
export type IntentChange = z.infer<typeof intentChange>;

/** GET /v1/vrouters/:name/versions/:version */
export const versionReply = z.object({
  vrouter: z.string(),
  version,
  atUnixMs: unixMs,
  ...author,
  changes: z.array(intentChange).describe('By key'),
  next,
});
export type VersionReply = z.infer<typeof versionReply>;

export const versionParams = { version: z.coerce.number().int().nonnegative().describe('A version of the list') };

/** Query of GET /v1/vrouters/:name/diff */
export const diffQuery = pageQuery.extend({
  from: z
    .union([z.literal('applied'), z.coerce.number().int().nonnegative()])
    .optional()
    .describe(
      'The version to begin with: 0 is nothing at all, `applied` what the gateway says its plane has. Left out: the one before `to`. It may be the later one: then the way back is shown',
    ),
  to: z.coerce.number().int().nonnegative().optional().describe('The version to end with; left out: the newest'),
});
export type DiffQuery = z.output<typeof diffQuery>;

/** GET /v1/vrouters/:name/diff */
export const diffReply = z.object({
  vrouter: z.string(),
  from: version,
  to: version,
  changes: z.array(intentChange).describe('What is other, by key; what changed and changed back is not in it'),
  next,
});
export type DiffReply = z.infer<typeof diffReply>;
