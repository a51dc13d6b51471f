/** `/v1/vrouters/:name/floating-ips`: addresses of the gateway that stand for inside hosts as a whole. */
import { z } from 'zod';
import { etag, gatewayProblem, name, version, vrfName } from './common.ts';
import { next } from './paging.ts';

/** POST /v1/vrouters/:name/floating-ips */
export const createFloatingIpRequest = z.strictObject({
  id: name.describe('What it is called: 1 to 63 of a-z A-Z 0-9 _ . - and a letter or digit first'),
  vrf: vrfName.default('default'),
  address: z.string().max(64).describe("The gateway's own IPv4 address that the outside knows"),
  fixedAddress: z.string().max(64).describe('IPv4 address of the inside host'),
});
/** What a client may write; defaults are filled in by the controller. */
export type CreateFloatingIpRequest = z.input<typeof createFloatingIpRequest>;

export const floatingIp = z.object({
  vrouter: z.string(),
  id: z.string(),
  vrf: z.string(),
  address: z.string(),
  fixedAddress: z.string(),
  problem: gatewayProblem,
  etag,
});
export type FloatingIp = z.infer<typeof floatingIp>;

/** 201 of POST /v1/vrouters/:name/floating-ips */
export const createFloatingIpReply = z.object({ floatingIp, version });
export type CreateFloatingIpReply = z.infer<typeof createFloatingIpReply>;

/** GET /v1/vrouters/:name/floating-ips/:id */
export const floatingIpReply = z.object({ floatingIp });
export type FloatingIpReply = z.infer<typeof floatingIpReply>;

/** GET /v1/vrouters/:name/floating-ips */
export const floatingIpList = z.object({ floatingIps: z.array(floatingIp), next });
export type FloatingIpList = z.infer<typeof floatingIpList>;
