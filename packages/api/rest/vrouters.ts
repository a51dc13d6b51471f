/** `/v1/vrouters`: the virtual routers, their join strings and how their gateways are. */
import { z } from 'zod';
import { capabilities, heldChange, linkStats, objectError } from '../agent/agent.ts';
import { certificateState } from '../agent/lifetime.ts';
import { etag, mssClamp, name, prefix, publicKey, sourceCheck, unixMs, version } from './common.ts';
import { join } from './join-tokens.ts';
import { next } from './paging.ts';

/** POST /v1/vrouters */
export const createVrouterRequest = z.strictObject({
  name,
  networks: z
    .array(prefix)
    .min(1)
    .max(8)
    .default(['10.77.0.0/24', 'fd77::/64'])
    .describe('Where the gateway and its peers get addresses from; the gateway takes the first of each'),
  vrf: name
    .default('default')
    .describe(
      'Routing table of the WireGuard interface, its networks and the routes of its peers; it is made when it is another',
    ),
  listenPort: z
    .number()
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe('UDP port of WireGuard on the gateway; when it is not given, the port of endpoint, else 51820'),
  endpoint: z
    .string()
    .max(260)
    .default('127.0.0.1')
    .describe(
      'What peers connect to: host or host:port; without a port it is listenPort. Another port than listenPort is for a NAT before it',
    ),
  mtu: z
    .number()
    .int()
    .min(1280)
    .max(9216)
    .default(1420)
    .describe('MTU of the WireGuard interface, bytes; IPv6 needs 1280'),
  mssClamp: mssClamp.default('auto'),
  sourceCheck: sourceCheck.default('off'),
});
/** What a client may write; defaults are filled in by the controller. */
export type CreateVrouterRequest = z.input<typeof createVrouterRequest>;

/** PATCH /v1/vrouters/:name: what is left out stays. */
export const changeVrouterRequest = z.strictObject({
  networks: z
    .array(prefix)
    .min(1)
    .max(8)
    .optional()
    .describe(
      'All of them: those that are there, and new ones, of which the gateway and every peer get an address. None can be taken away',
    ),
  listenPort: z
    .number()
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe(
      'UDP port of WireGuard on the gateway. An endpoint with the port of before goes along, unless it is named too',
    ),
  endpoint: z
    .string()
    .max(260)
    .optional()
    .describe(
      'What peers connect to from now on: host or host:port; without a port it is listenPort. Gateways are not told, so this alone makes no version',
    ),
  mtu: z.number().int().min(1280).max(9216).optional().describe('MTU of the WireGuard interface, bytes'),
  mssClamp: mssClamp.optional(),
  sourceCheck: sourceCheck.optional(),
});
export type ChangeVrouterRequest = z.input<typeof changeVrouterRequest>;

/** GET /v1/vrouters/:name/status */
export const vrouterStatus = z.object({
  name: z.string(),
  registered: z.boolean().describe('A gateway has joined and was not revoked'),
  connected: z.boolean().describe('The gateway polls: it waits at the controller now, or was heard within 40 s'),
  gatewayId: z.string().nullable(),
  hostname: z.string().nullable(),
  softwareVersion: z.string().nullable().describe('Version of the vrouterd that runs there'),
  plane: z.string().nullable().describe('userspace, linux, vpp or fake'),
  publicKey: publicKey.nullable().describe("The gateway's own WireGuard key"),
  version,
  storedVersion: z.number().int().nullable().describe('Last version that the gateway stored'),
  appliedVersion: z.number().int().nullable().describe('Last version whose objects its plane was seen to have'),
  registeredUnixMs: unixMs.nullable(),
  lastPollUnixMs: unixMs.nullable(),
  lastPollAgeMs: z.number().nullable().describe('Time since the gateway was last heard, ms'),
  certificateExpiresUnixMs: unixMs.nullable(),
  certificate: z
    .object({
      state: certificateState.describe(
        'good; late: not renewed at 70 % of its life, which should happen at half; critical: nor at 85 %; ended',
      ),
      lifeUsed: z.number().describe('Share of its life that is over, 1 at its end'),
      lockoutUnixMs: unixMs.describe(
        'Until then it can be renewed, ended or not; afterwards the gateway must join anew',
      ),
      lockoutInMs: z.number().describe('Time left until then, ms; negative when it is past'),
    })
    .nullable()
    .optional()
    .describe("The gateway's latest certificate; older controllers do not say"),
  keyMadeBy: z
    .enum(['gateway', 'controller'])
    .nullable()
    .optional()
    .describe(
      'Who made the key of its certificate: `controller` only with --allow-controller-made-keys, until it renews with one of its own',
    ),
  clockOffsetMs: z
    .number()
    .nullable()
    .describe("Controller's clock minus the gateway's, as the gateway measured it, ms"),
  serverTimeUnixMs: unixMs,
  errors: z.array(objectError).describe('What the gateway could not apply'),
  held: heldChange
    .nullable()
    .describe(
      'What it does not get or take without a word, because too much would go, or because it has a later state than a controller that was restored: POST confirm-shrink gives it',
    ),
  stats: z
    .object({
      epoch: z.string().describe('Another one means that counting began anew'),
      objects: z.number(),
      reconciles: z.number(),
      driftRepaired: z.number(),
      drops: z.record(z.string(), z.number()).describe('Packets by why they were dropped'),
      links: z.array(linkStats).optional().describe('Counters of its interfaces; older gateways do not say them'),
      routes: z
        .record(z.string(), z.object({ programmed: z.number(), failed: z.number() }))
        .optional()
        .describe('Routes by VRF: on the plane, and not to be put there'),
      natSessions: z.number().nullable().optional(),
      steps: z.number().optional().describe('Steps of reconcile runs'),
      stepsFailed: z.number().optional(),
      lastReconcileMs: z.number().nullable().optional(),
    })
    .nullable(),
  capabilities: capabilities
    .nullable()
    .optional()
    .describe(
      "What its plane can hold, and its machine's MAC address, by which nothing is decided; as it was told last",
    ),
});
export type VrouterStatus = z.infer<typeof vrouterStatus>;

/** Peers whose keys a rotation is changing. */
export const rotating = z.object({
  waiting: z.number().describe('For their turn, or for a gateway that can have two keys of a peer'),
  offered: z.number().describe('Whose old and next keys are both good'),
  stragglers: z.number().describe('That have not changed in time'),
});
export type Rotating = z.infer<typeof rotating>;

export const vrouter = z.object({
  id: z.string(),
  name: z.string(),
  interface: z.string().describe('The WireGuard interface, `wg0`'),
  vrf: z.string().optional().describe('Routing table of the interface; older controllers do not say it'),
  networks: z.array(z.string()),
  addresses: z.array(z.string()).describe("The gateway's own, with prefix length"),
  listenPort: z.number(),
  endpoint: z.string().describe('host:port that peers connect to'),
  mtu: z.number(),
  mssClamp: mssClamp.optional(),
  sourceCheck: sourceCheck.optional(),
  peers: z.number().describe('How many there are'),
  rotating: rotating.optional().describe('Older controllers do not say'),
  createdUnixMs: unixMs,
  status: vrouterStatus,
  etag,
});
export type Vrouter = z.infer<typeof vrouter>;

/** 201 of POST /v1/vrouters */
export const createVrouterReply = z.object({ vrouter, join });
export type CreateVrouterReply = z.infer<typeof createVrouterReply>;

/** 200 of PATCH /v1/vrouters/:name. The version is the one before when nothing changed. */
export const changeVrouterReply = z.object({ vrouter, version });
export type ChangeVrouterReply = z.infer<typeof changeVrouterReply>;

/** GET /v1/vrouters */
export const vrouterList = z.object({ vrouters: z.array(vrouter), next });
export type VrouterList = z.infer<typeof vrouterList>;

/** POST /v1/vrouters/:name/confirm-shrink */
export const confirmShrinkReply = z.object({ version: version.describe('The state that was confirmed') });
export type ConfirmShrinkReply = z.infer<typeof confirmShrinkReply>;

/** POST /v1/vrouters/:name/revoke */
export const revokeReply = z.object({ revoked: z.string().describe('Id of the gateway that is refused from now on') });
export type RevokeReply = z.infer<typeof revokeReply>;

/** Answer of every DELETE: what is gone, and the version that says so to the gateway (null when the vrouter itself went). */
export const deletedReply = z.object({ deleted: z.string(), version: version.nullable() });
export type DeletedReply = z.infer<typeof deletedReply>;
