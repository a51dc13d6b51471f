/** `/v1/vrouters/:name/history`: what passed, in steps of time. */
import { z } from 'zod';
import { unixMs } from './common.ts';

export const historyQuery = z.strictObject({
  peer: z.string().max(64).optional().describe('Name or public key of a peer; left out: the whole gateway'),
  fromUnixMs: z.coerce
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('From when on; left out: an hour before `untilUnixMs`. The farther back, the longer the steps'),
  untilUnixMs: z.coerce.number().int().nonnegative().optional().describe('Up to when; left out: now'),
});
export type HistoryQuery = z.input<typeof historyQuery>;

export const historyPoint = z.object({
  atUnixMs: unixMs.describe('Where the step begins'),
  rxBytes: z.number().describe('Received from the peer, or from all; not a rate: divide by the step'),
  txBytes: z.number(),
  rxPackets: z.number(),
  txPackets: z.number(),
  drops: z.number().describe('Packets that the gateway has dropped; of a peer always 0'),
});
export type HistoryPoint = z.infer<typeof historyPoint>;

/** GET /v1/vrouters/:name/history */
export const historyReply = z.object({
  vrouter: z.string(),
  peer: z.string().nullable(),
  stepMs: z.number().describe('Length of a step, ms'),
  fromUnixMs: unixMs,
  untilUnixMs: unixMs,
  points: z.array(historyPoint).describe('Earliest first; a step in which nothing passed has none'),
});
export type HistoryReply = z.infer<typeof historyReply>;
