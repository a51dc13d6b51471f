/** Networks of containers that this host is the gateway of: `/v1/networks` of vrouterd's socket. */
import { z } from 'zod';
import { trouble } from './intents.ts';

export const networkName = z.object({
  name: z.string(),
  addresses: z.array(z.string()),
  aliases: z.array(z.string()),
  /** Who says it, as for all of these. */
  source: z.string(),
});

export const networkPort = z.object({
  /** Null: every address of the host, of IPv4; `::` of IPv6. */
  hostAddress: z.string().nullable(),
  hostPort: z.number(),
  protocol: z.string(),
  address: z.string(),
  port: z.number(),
  count: z.number(),
  source: z.string(),
});
export type NetworkPort = z.infer<typeof networkPort>;

export const networkRow = z.object({
  id: z.string(),
  source: z.string(),
  name: z.string(),
  attachment: z.enum(['vlan', 'bridged']),
  /** The gateway's own in it. */
  interface: z.string(),
  parent: z.string().nullable(),
  vlanId: z.number().nullable(),
  /** `unknown` while the plane does not say. */
  state: z.enum(['up', 'down', 'unknown']),
  mac: z.string().nullable(),
  /** Null while there is no link. */
  mtu: z.number().nullable(),
  subnets: z.array(z.object({ prefix: z.string(), gateway: z.string() })),
  nat: z.boolean(),
  internal: z.boolean(),
  dns: z.boolean(),
  domain: z.string().nullable(),
  /** Null: whom the host asks. */
  dnsServers: z.array(z.string()).nullable(),
  names: z.array(networkName),
  ports: z.array(networkPort),
  /** Of the network, its names and its ports. */
  problems: z.array(trouble),
});
export type NetworkRow = z.infer<typeof networkRow>;

/** By id. */
export const networksReply = z.object({ networks: z.array(networkRow) });
export type NetworksReply = z.infer<typeof networksReply>;
/** `GET /v1/networks/ID`. */
export const networkReply = z.object({ network: networkRow });
export type NetworkReply = z.infer<typeof networkReply>;
