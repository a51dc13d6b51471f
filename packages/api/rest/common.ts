/** Words that several resources share. Names, keys and prefixes are checked behind the schema, so that each gets a code of its own. */
import { z } from 'zod';

export const name = z
  .string()
  .describe('1 to 63 of a-z A-Z 0-9 _ . - and a letter or digit first')
  .meta({ examples: ['edge-1'] });

export const publicKey = z
  .string()
  .describe('WireGuard public key: 32 bytes in base64, 44 characters')
  .meta({ examples: ['xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg='] });

export const mssClamp = z
  .enum(['auto', 'off'])
  .describe("Cut the MSS of TCP's SYNs, in and out, to what the interface's MTU holds; `off` leaves them as they are");

export const sourceCheck = z
  .enum(['off', 'loose', 'strict'])
  .describe(
    'Reverse path check of what comes in (RFC 3704): `strict` takes it only by the way of the answer, `loose` if there is any way',
  );

export const unixMs = z.number().describe('Unix time, ms');

export const prefix = z
  .string()
  .max(64)
  .describe('CIDR prefix, host bits zero')
  .meta({ examples: ['10.77.0.0/24', 'fd77::/64'] });

export const version = z.number().int().nonnegative().describe('Configuration version: grows by one with each change');

export const vrfName = z.string().describe('Routing table: `default` or one of /vrfs');

export const etag = z
  .string()
  .optional()
  .describe(
    'Tag of the configuration of this one, as `If-Match` takes it in quotes: another one when anything of it was changed. Older controllers do not say it',
  );

export const gatewayProblem = z
  .object({ code: z.string(), message: z.string() })
  .nullable()
  .describe('Why the gateway has not made it true, as it told last; null: it complains of nothing');
