/** `/v1/vrouters/:name/masquerades` and `/published-ports`: IPv4 addresses that become others on their way through the gateway. */
import { z } from 'zod';
import { etag, gatewayProblem, prefix, version, vrfName } from './common.ts';
import { next } from './paging.ts';

const address = z.string().max(64);
const port = z.number().int().min(1).max(65_535);

/** POST /v1/vrouters/:name/masquerades */
export const createMasqueradeRequest = z.strictObject({
  vrf: vrfName.default('default'),
  prefix: prefix.describe('IPv4 sources that leave under another address'),
  leaving: z
    .array(z.string())
    .min(1)
    .max(64)
    .nullable()
    .default(null)
    .describe('Interfaces of the vrouter; null: every one but that by which a packet came in'),
  addresses: z
    .array(address)
    .min(1)
    .max(256)
    .nullable()
    .default(null)
    .describe('What they leave under; null: the address of the interface that they leave by'),
});
/** What a client may write; defaults are filled in by the controller. */
export type CreateMasqueradeRequest = z.input<typeof createMasqueradeRequest>;

export const masquerade = z.object({
  vrouter: z.string(),
  vrf: z.string(),
  prefix: z.string(),
  leaving: z.array(z.string()).nullable(),
  addresses: z.array(z.string()).nullable(),
  problem: gatewayProblem,
  etag,
});
export type Masquerade = z.infer<typeof masquerade>;

/** 201 of POST /v1/vrouters/:name/masquerades */
export const createMasqueradeReply = z.object({ masquerade, version });
export type CreateMasqueradeReply = z.infer<typeof createMasqueradeReply>;

/** GET /v1/vrouters/:name/masquerades/:vrf/:prefix, the prefix percent-encoded */
export const masqueradeReply = z.object({ masquerade });
export type MasqueradeReply = z.infer<typeof masqueradeReply>;

/** GET /v1/vrouters/:name/masquerades */
export const masqueradeList = z.object({ masquerades: z.array(masquerade), next });
export type MasqueradeList = z.infer<typeof masqueradeList>;

/** POST /v1/vrouters/:name/published-ports */
export const createPublishedPortRequest = z.strictObject({
  vrf: vrfName.default('default'),
  protocol: z.enum(['tcp', 'udp', 'sctp']).describe('Of what is published'),
  hostAddress: address
    .nullable()
    .default(null)
    .describe("The gateway's own address; null: every one of the VRF, of the family of `address`"),
  hostPort: port.describe('Port of that address, the first of them'),
  address: address.describe('Of the inside host; IPv6 and SCTP need a gateway on the Linux plane'),
  port: port.describe("The inside host's port, the first of them"),
  count: port.default(1).describe('How many ports, from both first ones on'),
});
/** What a client may write; defaults are filled in by the controller. */
export type CreatePublishedPortRequest = z.input<typeof createPublishedPortRequest>;

export const publishedPort = z.object({
  vrouter: z.string(),
  vrf: z.string(),
  protocol: z.enum(['tcp', 'udp', 'sctp']),
  hostAddress: z.string().nullable(),
  hostPort: z.number(),
  address: z.string(),
  port: z.number(),
  count: z.number(),
  problem: gatewayProblem,
  etag,
});
export type PublishedPort = z.infer<typeof publishedPort>;

/** 201 of POST /v1/vrouters/:name/published-ports */
export const createPublishedPortReply = z.object({ publishedPort, version });
export type CreatePublishedPortReply = z.infer<typeof createPublishedPortReply>;

/** GET /v1/vrouters/:name/published-ports/:vrf/:hostAddress/:protocol/:hostPort, `*` for every address */
export const publishedPortReply = z.object({ publishedPort });
export type PublishedPortReply = z.infer<typeof publishedPortReply>;

/** GET /v1/vrouters/:name/published-ports */
export const publishedPortList = z.object({ publishedPorts: z.array(publishedPort), next });
export type PublishedPortList = z.infer<typeof publishedPortList>;
