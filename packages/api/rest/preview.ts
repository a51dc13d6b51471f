/** `?dryRun=true`: what a change below `/v1/vrouters` would do, in the place of its answer. */
import { z } from 'zod';
import { objectError } from '../agent/agent.ts';
import { version } from './common.ts';

/** Operations, steps and problems that one preview lists, at most of each; `counts` has all of them. */
export const PREVIEW_ROWS_MAX = 1000;

export const dryRunQuery = z.object({
  dryRun: z
    .enum(['true', 'false'])
    .optional()
    .describe(
      '`true`: every check is made, nothing is changed, and the answer is 200 with what the change would do (a refusal is the same). An Idempotency-Key is not used up',
    ),
});

export const trafficEffect = z
  .enum(['none', 'rehandshake', 'interrupt'])
  .describe(
    'What it does to traffic that flows: nothing; a WireGuard handshake, behind which traffic goes on; some of it is cut off',
  );
export type TrafficEffect = z.infer<typeof trafficEffect>;

export const previewStep = z.object({
  op: z.enum(['create', 'update', 'delete']),
  key: z.string().describe('Which object of the plane: `wireguardPeer/wg0/KEY`, `route/default/10.0.0.0/8`'),
  changed: z.array(z.string()).describe('Fields that change, of an update'),
  effect: trafficEffect,
  text: z.string().describe('The same in a sentence for people'),
});
export type PreviewStep = z.infer<typeof previewStep>;

export const gatewayPreview = z.object({
  vrouter: z.string(),
  gatewayId: z
    .string()
    .nullable()
    .describe('Its gateway; null: none has joined, so the steps are for the first that does'),
  connected: z.boolean(),
  from: version.describe('The configuration that there is, 0 before there is any'),
  to: version
    .nullable()
    .describe('What it would be; the same when gateways are told nothing new; null: the vrouter would be gone'),
  storedVersion: version
    .nullable()
    .describe('What the gateway has, as it told last. When it is before `from`, what came since goes along'),
  stepsFrom: version
    .nullable()
    .describe(
      'Where the steps begin: `from`; of a confirmation what the gateway has, since what came after that is what it lets go. Null: what the gateway has is not known here, so what it would do cannot be told',
    ),
  operations: z
    .array(z.object({ op: z.enum(['upsert', 'remove']), key: z.string() }))
    .describe('What changes of the configuration, by the keys of its intents'),
  steps: z.array(previewStep).describe('What the gateway would do on its plane, in this order'),
  effect: trafficEffect.describe('The strongest effect of all steps'),
  counts: z.object({
    operations: z.number().int(),
    steps: z.number().int(),
    rehandshake: z.number().int().describe('Steps with that effect'),
    interrupt: z.number().int().describe('Steps with that effect'),
  }),
  problems: z
    .array(objectError.extend({ isNew: z.boolean().describe('It would be the doing of this change') }))
    .describe('What the gateway could not make true, of what can be told without asking it'),
  interlock: z.object({
    held: z.boolean().describe('The gateway would hold it back until somebody confirms that so much may go'),
    reason: z.string().nullable(),
  }),
  notes: z.array(z.string()).describe('What else is to be known, in sentences'),
});
export type GatewayPreview = z.infer<typeof gatewayPreview>;

/** 200 in the place of the answer of any POST, PATCH or DELETE below `/v1/vrouters`, with `?dryRun=true`. */
export const previewReply = z.object({
  dryRun: z.literal(true),
  action: z.string().describe('What would be done, as the audit calls it: `peer.create`'),
  gateways: z.array(gatewayPreview).describe('One for each vrouter that it is of'),
});
export type PreviewReply = z.infer<typeof previewReply>;
