/** What is said on this host, by whom, and what came of it: `/v1/intents` of vrouterd's socket. */
import { z } from 'zod';
import { planStep } from './gateway.ts';

/** Intents of one change. */
export const CHANGE_MAX = 10_000;

export const intentSource = z.enum(['controller', 'file', 'cli', 'wg', 'router']);
export type IntentSource = z.infer<typeof intentSource>;

/** What is not as it was said. `key` is the intent's or that of an object that it comes to. */
export const trouble = z.object({ key: z.string(), code: z.string(), message: z.string() });
export type Trouble = z.infer<typeof trouble>;

export const intentRow = z.object({
  /** `network/blue`, `dnsName/blue/web`: what `remove` wants. */
  key: z.string(),
  /** Who says it, and alone may change it. */
  source: z.string(),
  /** Null: what is stored cannot be read, as `problems` tells. Secrets read `(hidden)`. */
  intent: z.record(z.string(), z.unknown()).nullable(),
  problems: z.array(trouble),
});
export type IntentRow = z.infer<typeof intentRow>;

/** The query of `GET /v1/intents`. */
export const intentsQuery = z.strictObject({
  kind: z.string().max(64).optional(),
  source: intentSource.optional(),
  /** Names and published ports of this network alone. */
  network: z.string().max(64).optional(),
});
export type IntentsQuery = z.infer<typeof intentsQuery>;
/** In the order in which they were first said, source by source. */
export const intentsReply = z.object({ intents: z.array(intentRow) });
export type IntentsReply = z.infer<typeof intentsReply>;

/** The body of `PUT /v1/intents`: all of it happens, or nothing. */
export const intentChange = z.strictObject({
  /**
   * Intents as the configuration file has them; each takes the place of what the source `cli` has said under its key. A network without
   * `subnets` gets the first free one, a subnet without `gateway` its first address.
   */
  put: z.array(z.record(z.string(), z.unknown())).max(CHANGE_MAX).default([]),
  /** Keys of intents of the source `cli`. */
  remove: z.array(z.string().max(1024)).max(CHANGE_MAX).default([]),
  /** Nothing of `put` may be said already, by whomever. */
  create: z.boolean().default(false),
  /** A network that is removed takes its names and published ports along; a port is published although a program of the host listens there. */
  force: z.boolean().default(false),
});
export type IntentChange = z.input<typeof intentChange>;

export const changeQuery = z.strictObject({ dryRun: z.enum(['true', 'false']).optional() });

/** All of it is so on the plane. */
export const changeReply = z.object({
  put: z.array(intentRow),
  removed: z.array(z.string()),
});
export type ChangeReply = z.infer<typeof changeReply>;

/** With `?dryRun=true` instead: nothing was changed. What would be refused is refused. */
export const changePreview = z.object({
  dryRun: z.literal(true),
  put: z.array(intentRow),
  removed: z.array(z.string()),
  /** What would be done on the plane, in this order; `text` says it to people. */
  steps: z.array(planStep.extend({ text: z.string() })),
  /** The strongest of all. */
  effect: z.enum(['none', 'rehandshake', 'interrupt']),
});
export type ChangePreview = z.infer<typeof changePreview>;

/** A change that the plane could not make, and that was taken back: what the error's body has besides. */
export const failedChange = z.object({
  error: z.object({ code: z.string(), message: z.string(), field: z.string().optional() }),
  failed: z.array(trouble),
  /** What was before is so again. */
  restored: z.boolean(),
});
export type FailedChange = z.infer<typeof failedChange>;
