/** `/v1/vrouters/:name/ports`: ports of the gateway into Ethernets of its own machine. */
import { z } from 'zod';
import { etag, gatewayProblem, mssClamp, name, sourceCheck, version, vrfName } from './common.ts';
import { next } from './paging.ts';

const hostName = z.string().max(15);

/** POST /v1/vrouters/:name/ports: exactly one of `device` and `tap`. The gateway obeys only if its own file has `allow: {port: true}`. */
export const createPortRequest = z.strictObject({
  name: z
    .string()
    .describe('What the vrouter calls it: 1 to 15 characters')
    .meta({ examples: ['lan'] }),
  vrf: vrfName.default('default'),
  mtu: z.number().int().min(576).max(9216).default(1500).describe('Bytes'),
  device: hostName.nullable().default(null).describe("An interface that the machine has, by the machine's name for it"),
  tap: hostName.nullable().default(null).describe('A TAP device that is made on the machine, by this name'),
  mac: z
    .string()
    .max(17)
    .nullable()
    .default(null)
    .describe("MAC address to speak from; null: the interface's own, or one made for the TAP"),
  vlanId: z
    .number()
    .int()
    .min(1)
    .max(4094)
    .nullable()
    .default(null)
    .describe("The VLAN (IEEE 802.1Q) whose frames are the port's; null: frames without a tag"),
  mssClamp: mssClamp.default('auto'),
  sourceCheck: sourceCheck.default('off'),
  addresses: z
    .array(z.string().max(64))
    .max(64)
    .default([])
    .describe("The gateway's own on it, with prefix length; each brings the route to its network")
    .meta({ examples: [['192.168.1.1/24']] }),
});
/** What a client may write; defaults are filled in by the controller. */
export type CreatePortRequest = z.input<typeof createPortRequest>;

export const port = z.object({
  vrouter: z.string(),
  name,
  vrf: z.string(),
  mtu: z.number(),
  device: z.string().nullable(),
  tap: z.string().nullable(),
  mac: z.string().nullable(),
  vlanId: z.number().nullable(),
  mssClamp,
  sourceCheck,
  addresses: z.array(z.string()),
  problem: gatewayProblem,
  etag,
});
export type Port = z.infer<typeof port>;

/** 201 of POST /v1/vrouters/:name/ports */
export const createPortReply = z.object({ port, version });
export type CreatePortReply = z.infer<typeof createPortReply>;

/** GET /v1/vrouters/:name/ports/:port */
export const portReply = z.object({ port });
export type PortReply = z.infer<typeof portReply>;

/** GET /v1/vrouters/:name/ports */
export const portList = z.object({ ports: z.array(port), next });
export type PortList = z.infer<typeof portList>;
