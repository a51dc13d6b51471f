/** `/v1/controllers`: the controllers that share a store, and where gateways find them. */
import { z } from 'zod';
import { unixMs } from './common.ts';

export const controller = z.object({
  id: z.string().describe('Of its data folder: the same over restarts'),
  self: z.boolean().describe('It is the one that answers this'),
  host: z.string().describe('Name of its machine'),
  version: z.string(),
  urls: z.array(z.string()).describe('Where gateways reach it'),
  state: z
    .enum(['running', 'stopped', 'lost'])
    .describe('stopped: in good order; lost: not seen for a minute, and it did not say why'),
  startedUnixMs: unixMs,
  seenUnixMs: unixMs.describe('When it was last known to be alive, by its own clock'),
  leavesUnixMs: unixMs.nullable().describe('When gateways are no longer told of it, unless it is back before'),
});
export type Controller = z.infer<typeof controller>;

/** GET /v1/controllers */
export const controllerList = z.object({ controllers: z.array(controller) });
export type ControllerList = z.infer<typeof controllerList>;

/** DELETE /v1/controllers/:id */
export const controllerGoneReply = z.object({ removed: controller });
export type ControllerGoneReply = z.infer<typeof controllerGoneReply>;
