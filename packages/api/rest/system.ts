/** The controller itself: `/v1/version`, `/v1/events`, `/v1/audit`, `/v1/audit/verify`, `/healthz`. */
import { z } from 'zod';
import { unixMs } from './common.ts';
import { next, PAGE_MAX, pageQuery } from './paging.ts';

export const versionReply = z.object({
  name: z.literal('vrouter-controller'),
  version: z.string(),
  controllerId: z.string(),
  rootFingerprint: z.string().describe('SHA-256 of the root certificate, lower-case hex'),
  agents: z.string().describe('URL of the listener for gateways'),
  startedUnixMs: unixMs,
  dryRuns: z
    .literal(true)
    .optional()
    .describe('It heeds `?dryRun=true`; older ones do not say this, and make the change'),
});
export type VersionReply = z.infer<typeof versionReply>;

export const healthReply = z.object({ status: z.literal('ok') });

export const eventTypes = [
  'vrouter.created',
  'vrouter.changed',
  'vrouter.deleted',
  'token.created',
  'token.revoked',
  'gateway.registered',
  'gateway.connected',
  'gateway.lost',
  'gateway.errors',
  'gateway.ahead',
  'gateway.revoked',
  'certificate.renewed',
  'certificate.late',
  'controller.removed',
  'ca.failing',
  'ca.working',
  'ca.rotated',
  'peer.added',
  'peer.changed',
  'peer.removed',
  'peer.rotated',
  'rotation.started',
  'rotation.cancelled',
  'rotation.forced',
  'route.added',
  'route.removed',
  'vrf.added',
  'vrf.removed',
  'hostInterface.added',
  'hostInterface.removed',
  'port.added',
  'port.removed',
  'masquerade.added',
  'masquerade.removed',
  'publishedPort.added',
  'publishedPort.removed',
  'floatingIp.added',
  'floatingIp.removed',
  'natSettings.changed',
  'shrink.confirmed',
  'version.applied',
  'events.missed',
] as const;
export type EventType = (typeof eventTypes)[number];

/** One event of GET /v1/events: `id:` is `id`, `event:` is `type`, `data:` is this as JSON. `Last-Event-ID` resumes. */
export const controllerEvent = z.object({
  id: z.number().int().describe('Grows by one; begins anew, with a larger one, when the controller starts'),
  atUnixMs: unixMs,
  type: z
    .enum(eventTypes)
    .describe('`events.missed`: what was after Last-Event-ID is not all kept, as after a restart; read anew'),
  vrouter: z.string(),
  subject: z.string().nullable().describe('The peer, prefix, interface, port or gateway id that it is about'),
  version: z.number().int().nullable().describe('The configuration version that it made or reached'),
  text: z.string(),
});
export type ControllerEvent = z.infer<typeof controllerEvent>;

export const auditQuery = pageQuery.extend({
  last: z.coerce.number().int().min(1).max(PAGE_MAX).optional().describe('The same as limit; the older name'),
});
export type AuditQuery = z.input<typeof auditQuery>;

export const auditRow = z.object({
  id: z.number().int(),
  atUnixMs: unixMs,
  actor: z
    .string()
    .describe(
      'Name of the user; `rest` when nobody was recognised, `join`, a gateway id, or `console`: on the machine',
    ),
  tokenId: z.string().nullable().describe('Id of the API token that the user showed'),
  source: z.string().nullable().describe('Address that it came from'),
  action: z.string().describe('`peer.create`, `gateway.join`, ...'),
  subject: z.string().nullable(),
  outcome: z.enum(['done', 'refused']),
  reason: z.string().nullable().describe('Why it was refused: more than the caller was told'),
  hash: z.string().describe('SHA-256 over the hash of the row before and this row, lower-case hex'),
});
export type AuditRow = z.infer<typeof auditRow>;

/** GET /v1/audit, latest first */
export const auditList = z.object({ audit: z.array(auditRow), next });
export type AuditList = z.infer<typeof auditList>;

/** GET /v1/audit/verify: a head that was noted earlier shows whether all up to it is as it was then. */
export const auditVerifyQuery = z.strictObject({
  id: z.coerce.number().int().min(1).optional().describe('Id of a row that was noted earlier'),
  hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/, '64 of 0-9 a-f')
    .optional()
    .describe('The hash that it had then'),
});
export type AuditVerifyQuery = z.input<typeof auditVerifyQuery>;

export const auditVerifyReply = z.object({
  intact: z.boolean(),
  rows: z.number().int().describe('How many were found good, from the first one'),
  head: z
    .object({ id: z.number().int(), hash: z.string() })
    .describe('The last row that was written. Noted elsewhere, it proves all before it later'),
  broken: z
    .object({ id: z.number().int(), reason: z.string() })
    .nullable()
    .describe('The first row that is not as it was written'),
});
export type AuditVerifyReply = z.infer<typeof auditVerifyReply>;
