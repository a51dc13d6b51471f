/** `/v1/vrouters/:name/host-interfaces`: interfaces of the gateway's own machine whose other side is one of its VRFs. */
import { z } from 'zod';
import { etag, gatewayProblem, mssClamp, name, prefix, sourceCheck, version, vrfName } from './common.ts';
import { next } from './paging.ts';

/** POST /v1/vrouters/:name/host-interfaces. The gateway obeys only if its own file has `allow: {hostInterface: true}`. */
export const createHostInterfaceRequest = z.strictObject({
  name: z
    .string()
    .describe('What the machine calls it: 1 to 15 characters')
    .meta({ examples: ['host0'] }),
  vrf: vrfName.default('default'),
  mtu: z.number().int().min(576).max(9216).default(1420).describe('Bytes; IPv6 needs 1280'),
  mssClamp: mssClamp.default('auto'),
  sourceCheck: sourceCheck.default('off'),
  addresses: z
    .array(z.string().max(64))
    .max(64)
    .default([])
    .describe("The machine's own on it, with prefix length; each is also a route of the VRF")
    .meta({ examples: [['10.99.0.1/24']] }),
  routes: z.array(prefix).max(256).default([]).describe('Networks that the machine reaches through the VRF'),
});
/** What a client may write; defaults are filled in by the controller. */
export type CreateHostInterfaceRequest = z.input<typeof createHostInterfaceRequest>;

export const hostInterface = z.object({
  vrouter: z.string(),
  name,
  vrf: z.string(),
  mtu: z.number(),
  mssClamp,
  sourceCheck,
  addresses: z.array(z.string()),
  routes: z.array(z.string()),
  problem: gatewayProblem,
  etag,
});
export type HostInterface = z.infer<typeof hostInterface>;

/** 201 of POST /v1/vrouters/:name/host-interfaces */
export const createHostInterfaceReply = z.object({ hostInterface, version });
export type CreateHostInterfaceReply = z.infer<typeof createHostInterfaceReply>;

/** GET /v1/vrouters/:name/host-interfaces/:interface */
export const hostInterfaceReply = z.object({ hostInterface });
export type HostInterfaceReply = z.infer<typeof hostInterfaceReply>;

/** GET /v1/vrouters/:name/host-interfaces */
export const hostInterfaceList = z.object({ hostInterfaces: z.array(hostInterface), next });
export type HostInterfaceList = z.infer<typeof hostInterfaceList>;
