/** Verbs on virtual routers. Each checks first, then commits everything in one transaction, then tells. */
import { randomUUID } from 'node:crypto';
import type { CreateVrouterReply, createVrouterRequest, Vrouter } from '@vrouter/api/rest/vrouters.ts';
import { parseName } from '@vrouter/core/names.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { GatewayInterfaceIntent } from '@vrouter/intent/model/intents.ts';
import type { z } from 'zod';
import type { Draft } from '../desired/draft.ts';
import { nobody, rotatingOf } from '../rotation/counts.ts';
import { claim, GATEWAY_OWNER } from '../store/claims.ts';
import { noteDeletedGateways } from '../store/deleted-gateways.ts';
import { revokeGatewaysOf } from '../store/gateways.ts';
import { peerCounts } from '../store/peers.ts';
import { deleteVrouter, insertVrouter, type NetworkRow, networksOf, networksOfAll } from '../store/vrouters.ts';
import type { Actor } from './actor.ts';
import { networkRow, ownPrefixes, readNetworks } from './addresses.ts';
import { must } from './check.ts';
import { type Desk, note } from './desk.ts';
import { readEndpointAndPort } from './endpoint.ts';
import { addToken, DEFAULT_TTL_SECONDS } from './join-tokens.ts';
import { type Page, type Paged, pageOfKeys } from './page.ts';
import { DEFAULT_VRF, describeVrouter, INTERFACE, INTERFACE_KEY } from './status.ts';
import { vrouterTag } from './tags.ts';
import { requireMatch } from './terms.ts';

/** Throws `name.invalid`, `vrouter.exists`, `prefix.invalid`, `network.overlap`, `address.invalid`. */
export async function createVrouter(
  desk: Desk,
  actor: Actor,
  input: z.output<typeof createVrouterRequest>,
): Promise<CreateVrouterReply> {
  const name = must(parseName(input.name, 'name'));
  const prefixes = readNetworks(input.networks);
  const vrf = must(parseName(input.vrf, 'vrf'));
  const { endpoint, listenPort } = readEndpointAndPort(input.endpoint, input.listenPort);
  const id = randomUUID();
  const networks = prefixes.map((prefix, ordinal) => networkRow(id, ordinal, prefix));
  const { mtu, mssClamp, sourceCheck } = input;
  const row = {
    id,
    name,
    listenPort,
    endpoint,
    mtu,
    createdUnixMs: desk.unixMs(),
    version: 0,
    stateHash: '0'.repeat(64),
    confirmedVersion: 0,
    restoredVersion: 0,
  };
  const reply = await desk.desired.create(row, actor, 'vrouter.create', async (tx, draft) => {
    await insertVrouter(tx, row, networks);
    // The networks themselves and the gateway's addresses are nobody else's.
    await claim(tx, id, GATEWAY_OWNER, ownPrefixes(networks));
    draftGateway(draft, networks, { vrf, listenPort, mtu, mssClamp, sourceCheck });
    await note(tx, desk, actor, 'vrouter.create', name);
    const join = await addToken(tx, desk, actor, id, name, {
      ttlSeconds: DEFAULT_TTL_SECONDS,
      uses: 1,
      sourcePrefix: null,
    });
    return (after) => ({ vrouter: describeVrouter(after, networks, 0, nobody, desk.roster, desk.unixMs()), join });
  });
  desk.events.emit({
    type: 'vrouter.created',
    vrouter: name,
    subject: null,
    version: reply.vrouter.status.version,
    text: `vrouter ${name} was made`,
  });
  return reply;
}

/** By name; networks and peers are counted of the page alone. */
export async function listVrouters(desk: Desk, page: Page): Promise<Paged<Vrouter>> {
  const names = pageOfKeys(desk.desired.names(), page);
  const heads = names.rows.map((name) => desk.desired.get(name));
  const ids = heads.map((head) => head.row.id);
  const counts = ids.length === 0 ? new Map<string, number>() : await peerCounts(desk.db, ids);
  const rows = ids.length === 0 ? [] : await networksOfAll(desk.db, ids);
  const rotating = await rotatingOf(desk, ids);
  const networks = Map.groupBy(rows, (network) => network.vrouterId);
  const now = desk.unixMs();
  return {
    rows: heads.map((head) => {
      const { id } = head.row;
      const turning = rotating.get(id) ?? nobody;
      return describeVrouter(head, networks.get(id) ?? [], counts.get(id) ?? 0, turning, desk.roster, now);
    }),
    next: names.next,
  };
}

/** Throws `vrouter.notFound`. */
export async function showVrouter(desk: Desk, name: string): Promise<Vrouter> {
  const head = desk.desired.get(name);
  const networks = await networksOf(desk.db, head.row.id);
  const peers = head.count('peer');
  const rotating = (await rotatingOf(desk, [head.row.id])).get(head.row.id) ?? nobody;
  return describeVrouter(head, networks, peers, rotating, desk.roster, desk.unixMs());
}

/** Removes the vrouter; its gateway is refused from now on. Throws `vrouter.notFound`, `request.outdated`. */
export async function removeVrouter(desk: Desk, actor: Actor, name: string): Promise<void> {
  let gone = '';
  await desk.desired.remove(name, actor, 'vrouter.delete', async (tx, head) => {
    requireMatch(actor, vrouterTag(head, await networksOf(tx, head.row.id), INTERFACE_KEY));
    await noteDeletedGateways(tx, head.row, desk.unixMs());
    await deleteVrouter(tx, head.row.id);
    await note(tx, desk, actor, 'vrouter.delete', name);
    gone = head.row.id;
  });
  desk.roster.dropOf(gone);
  desk.events.emit({
    type: 'vrouter.deleted',
    vrouter: name,
    subject: null,
    version: null,
    text: `vrouter ${name} is gone`,
  });
}

/** Shuts the vrouter's gateway out at once; the vrouter stays, for another one. Throws `vrouter.notFound`, `intent.notFound`. */
export async function revokeGateway(desk: Desk, actor: Actor, name: string): Promise<string> {
  const { value } = await desk.desired.change(name, actor, 'gateway.revoke', async (tx, _draft, head) => {
    const [id] = await revokeGatewaysOf(tx, head.row.id, desk.unixMs());
    if (id === undefined)
      throw new ProblemError(problem('intent.notFound', `${name} has no gateway that could be revoked`));
    await note(tx, desk, actor, 'gateway.revoke', `${name} ${id}`);
    return { id, vrouterId: head.row.id };
  });
  desk.roster.dropOf(value.vrouterId);
  const text = `the gateway of ${name} was revoked; another one joins with a new join string`;
  desk.events.emit({ type: 'gateway.revoked', vrouter: name, subject: value.id, version: null, text });
  return value.id;
}

/** A person agrees that what the gateway holds back may go. Throws `vrouter.notFound`. */
export async function confirmShrink(desk: Desk, actor: Actor, name: string): Promise<number> {
  const { version } = await desk.desired.change(name, actor, 'shrink.confirm', async (tx, draft) => {
    draft.confirmed = true;
    await note(tx, desk, actor, 'shrink.confirm', name);
  });
  const text = `what version ${version} of ${name} removes was confirmed`;
  desk.events.emit({ type: 'shrink.confirmed', vrouter: name, subject: null, version, text });
  return version;
}

function draftGateway(
  draft: Draft,
  networks: readonly NetworkRow[],
  own: Pick<GatewayInterfaceIntent, 'vrf' | 'listenPort' | 'mtu' | 'mssClamp' | 'sourceCheck'>,
): void {
  if (own.vrf !== DEFAULT_VRF) draft.put({ kind: 'vrf', name: own.vrf });
  draft.put({ kind: 'gatewayInterface', name: INTERFACE, type: 'wireguard', ...own });
  for (const { gatewayAddress } of networks)
    draft.put({ kind: 'address', interface: INTERFACE, address: gatewayAddress });
}
