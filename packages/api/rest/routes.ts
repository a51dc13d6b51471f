/** `/v1/vrouters/:name/routes` and `/vrfs`. */
import { z } from 'zod';
import { etag, name, prefix, version, vrfName } from './common.ts';
import { next } from './paging.ts';

/** POST /v1/vrouters/:name/routes: exactly one of `interface` and `blackhole: true`. */
export const createRouteRequest = z.strictObject({
  vrf: vrfName.default('default'),
  prefix,
  interface: z
    .string()
    .nullable()
    .default(null)
    .describe('An interface of the vrouter: `wg0`, a host interface or a port'),
  nextHop: z
    .string()
    .max(64)
    .nullable()
    .default(null)
    .describe(
      "Of the prefix's family. Refused on a WireGuard interface, where the allowed IPs choose the peer, and on a host interface, behind which is one machine",
    ),
  blackhole: z.boolean().default(false).describe('Drop what goes there'),
});
export type CreateRouteRequest = z.input<typeof createRouteRequest>;

export const route = z.object({
  vrouter: z.string(),
  vrf: z.string(),
  prefix: z.string(),
  interface: z.string().nullable(),
  nextHop: z.string().nullable(),
  blackhole: z.boolean(),
  etag,
});
export type Route = z.infer<typeof route>;

export const createRouteReply = z.object({ route, version });
export type CreateRouteReply = z.infer<typeof createRouteReply>;

/** GET /v1/vrouters/:name/routes. Routes that follow from networks and allowed IPs are not named here; the gateway makes them. */
export const routeList = z.object({ routes: z.array(route), next });
export type RouteList = z.infer<typeof routeList>;

/** Query of DELETE /v1/vrouters/:name/routes */
export const deleteRouteQuery = z.strictObject({ vrf: vrfName.default('default'), prefix });
export type DeleteRouteQuery = z.input<typeof deleteRouteQuery>;

/** POST /v1/vrouters/:name/vrfs. An interface gets into one by `vrf` of POST /v1/vrouters or host-interfaces, or by the gateway's own file. */
export const createVrfRequest = z.strictObject({ name });
export type CreateVrfRequest = z.input<typeof createVrfRequest>;

export const vrf = z.object({ vrouter: z.string(), name: z.string(), etag });
export type Vrf = z.infer<typeof vrf>;

export const createVrfReply = z.object({ vrf, version });
export type CreateVrfReply = z.infer<typeof createVrfReply>;

/** GET /v1/vrouters/:name/vrfs; `default` always exists and is named too. */
export const vrfList = z.object({ vrfs: z.array(vrf), next });
export type VrfList = z.infer<typeof vrfList>;
