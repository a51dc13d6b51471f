/** Verbs on virtual routers. Each checks first, then commits everything in one transaction, then tells. */
import { randomUUID } from 'node:crypto';
import type {
  changeVrouterRequest,
  createTokenRequest,
  createVrouterRequest,
  Join,
  Vrouter,
} from '@vrouter/api/rest/vrouters.ts';
import { parseName } from '@vrouter/core/names.ts';
import { formatPrefix, type Prefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { GatewayInterfaceIntent } from '@vrouter/intent/model/intents.ts';
import type { z } from 'zod';
import type { Draft } from '../desired/draft.ts';
import { joinString, newToken } from '../join/token.ts';
import { claim, GATEWAY_OWNER } from '../store/claims.ts';
import { revokeGatewaysOf } from '../store/gateways.ts';
import { peerCounts } from '../store/peers.ts';
import type { Tx } from '../store/schema.ts';
import { forgetTokens, insertToken } from '../store/tokens.ts';
import { allNetworks, deleteVrouter, insertVrouter, type NetworkRow, networksOf } from '../store/vrouters.ts';
import type { Actor } from './actor.ts';
import { hostAddress, hostRange, readNetworks } from './addresses.ts';
import { must } from './check.ts';
import { type Desk, note } from './desk.ts';
import { readEndpointAndPort } from './endpoint.ts';
import { DEFAULT_VRF, describeVrouter, INTERFACE } from './status.ts';

const DEFAULT_TTL_SECONDS = 3600;
/** Tokens are forgotten this long after their end, ms. */
const TOKEN_MEMORY_MS = 24 * 3_600_000;

/** Throws `name.invalid`, `vrouter.exists`, `prefix.invalid`, `network.overlap`, `address.invalid`. */
export async function createVrouter(
  desk: Desk,
  actor: Actor,
  input: z.output<typeof createVrouterRequest>,
): Promise<{ vrouter: Vrouter; join: Join }> {
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
  };
  const { value: join, version } = await desk.desired.create(row, async (tx, draft) => {
    await insertVrouter(tx, row, networks);
    // The networks themselves and the gateway's addresses are nobody else's.
    const own = networks.flatMap(({ prefix, gatewayAddress }) => [prefix, hostPrefix(gatewayAddress)]);
    await claim(tx, id, GATEWAY_OWNER, [...new Set(own)]);
    draftGateway(draft, networks, { vrf, listenPort, mtu, mssClamp, sourceCheck });
    await note(tx, desk, actor, 'vrouter.create', name);
    return addToken(tx, desk, actor, id, name, DEFAULT_TTL_SECONDS);
  });
  desk.events.emit({
    type: 'vrouter.created',
    vrouter: name,
    subject: null,
    version,
    text: `vrouter ${name} was made`,
  });
  const vrouter = describeVrouter(desk.desired.get(name), networks, 0, desk.roster, desk.unixMs());
  return { vrouter, join };
}

export async function listVrouters(desk: Desk): Promise<Vrouter[]> {
  const counts = await peerCounts(desk.db);
  const networks = Map.groupBy(await allNetworks(desk.db), (network) => network.vrouterId);
  const now = desk.unixMs();
  return desk.desired.all().map((head) => {
    const { id } = head.row;
    return describeVrouter(head, networks.get(id) ?? [], counts.get(id) ?? 0, desk.roster, now);
  });
}

/** Throws `vrouter.notFound`. */
export async function showVrouter(desk: Desk, name: string): Promise<Vrouter> {
  const head = desk.desired.get(name);
  const networks = await networksOf(desk.db, head.row.id);
  const peers = head.count('peer');
  return describeVrouter(head, networks, peers, desk.roster, desk.unixMs());
}

/** Changes what is named of the WireGuard interface, in place: sessions go on. Throws `vrouter.notFound`. */
export async function changeVrouter(
  desk: Desk,
  actor: Actor,
  name: string,
  input: z.output<typeof changeVrouterRequest>,
): Promise<{ vrouter: Vrouter; version: number }> {
  const before = desk.desired.get(name).version;
  const { version } = await desk.desired.change(name, async (tx, draft, head) => {
    const key = `gatewayInterface/${INTERFACE}` as const;
    // An older controller put it without these; `put` fills in what nobody says.
    const intent = head.intent('gatewayInterface', key)!;
    const { mssClamp = intent.mssClamp, sourceCheck = intent.sourceCheck } = input;
    draft.put({ ...intent, mssClamp, sourceCheck });
    await note(tx, desk, actor, 'vrouter.change', name);
  });
  if (version !== before)
    desk.events.emit({
      type: 'vrouter.changed',
      vrouter: name,
      subject: INTERFACE,
      version,
      text: `${INTERFACE} of ${name} was changed`,
    });
  return { vrouter: await showVrouter(desk, name), version };
}

/** Removes the vrouter; its gateway is refused from now on. Throws `vrouter.notFound`. */
export async function removeVrouter(desk: Desk, actor: Actor, name: string): Promise<void> {
  let gone = '';
  await desk.desired.remove(name, async (tx, head) => {
    await revokeGatewaysOf(tx, head.row.id, desk.unixMs());
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
  const { value } = await desk.desired.change(name, async (tx, _draft, head) => {
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

/** Makes a join string; whoever joins with it takes the place of the gateway there is. Throws `vrouter.notFound`. */
export async function createToken(
  desk: Desk,
  actor: Actor,
  name: string,
  input: z.output<typeof createTokenRequest>,
): Promise<Join> {
  const { value } = await desk.desired.change(name, async (tx, _draft, head) => {
    await forgetTokens(tx, desk.unixMs() - TOKEN_MEMORY_MS);
    return addToken(tx, desk, actor, head.row.id, name, input.ttlSeconds);
  });
  const text = `a join string for ${name} was made`;
  desk.events.emit({ type: 'token.created', vrouter: name, subject: null, version: null, text });
  return value;
}

/** A person agrees that what the gateway holds back may go. Throws `vrouter.notFound`. */
export async function confirmShrink(desk: Desk, actor: Actor, name: string): Promise<number> {
  const { version } = await desk.desired.change(name, async (tx, draft) => {
    draft.confirmed = true;
    await note(tx, desk, actor, 'shrink.confirm', name);
  });
  const text = `what version ${version} of ${name} removes was confirmed`;
  desk.events.emit({ type: 'shrink.confirmed', vrouter: name, subject: null, version, text });
  return version;
}

async function addToken(
  tx: Tx,
  desk: Desk,
  actor: Actor,
  vrouterId: string,
  name: string,
  ttlSeconds: number,
): Promise<Join> {
  const token = newToken();
  const now = desk.unixMs();
  const expiresUnixMs = now + ttlSeconds * 1000;
  const { id, secretHash } = token;
  await insertToken(tx, { id, vrouterId, secretHash, createdUnixMs: now, expiresUnixMs, usesLeft: 1 });
  await note(tx, desk, actor, 'token.create', `${name} ${id}`);
  return { string: joinString(desk.agentsUrl(), token.text, desk.rootFingerprint), expiresUnixMs };
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

function networkRow(vrouterId: string, ordinal: number, prefix: Prefix): NetworkRow {
  const { first } = hostRange(prefix);
  const gatewayAddress = formatPrefix({ address: hostAddress(prefix, first), bits: prefix.bits });
  return { vrouterId, ordinal, prefix: formatPrefix(prefix), gatewayAddress, lowestFree: first + 1 };
}

function hostPrefix(address: string): string {
  return address.replace(/\/\d+$/, address.includes(':') ? '/128' : '/32');
}
