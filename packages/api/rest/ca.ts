/** `/v1/ca`: the authority that makes the certificates of gateways and of the controller's listener. */
import { z } from 'zod';
import { unixMs } from './common.ts';

export const caIssuer = z.object({
  subject: z.string(),
  serial: z.string().describe('Lower-case hex'),
  notBeforeUnixMs: unixMs,
  notAfterUnixMs: unixMs,
  active: z
    .boolean()
    .describe('It signs what is issued now; another one only waits until what it has signed has ended'),
  trustedUntilUnixMs: unixMs.describe('Until when certificates that it has signed are believed'),
});
export type CaIssuer = z.infer<typeof caIssuer>;

/** GET /v1/ca and POST /v1/ca/rotate */
export const caReply = z.object({
  kind: z.enum(['embedded', 'step-ca']),
  state: z
    .enum(['working', 'failing'])
    .describe('failing: joins and renewals wait; gateways go on with what they have'),
  failingSinceUnixMs: unixMs.nullable(),
  lastError: z.string().nullable(),
  rootFingerprint: z.string().describe('SHA-256 of the root that join strings name, lower-case hex'),
  roots: z.number().int().describe('How many roots gateways are told to trust: more than one while a root is replaced'),
  issuers: z.array(caIssuer).describe('Intermediates whose certificates are believed, the active one first'),
  serverCertificateExpiresUnixMs: unixMs.describe(
    "End of the certificate of the gateways' listener, which is renewed well before",
  ),
  serverTimeUnixMs: unixMs,
});
export type CaReply = z.infer<typeof caReply>;
