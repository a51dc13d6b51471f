/** Changing a virtual router in place: its interface, where peers find it, and networks that it gets besides. */
import type { ChangeVrouterReply, changeVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { formatPrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { z } from 'zod';
import type { Draft } from '../desired/draft.ts';
import type { Head } from '../desired/head.ts';
import { claim, GATEWAY_OWNER, holderOf } from '../store/claims.ts';
import { changePeerRow, peersOf } from '../store/peers.ts';
import type { Tx } from '../store/schema.ts';
import { insertNetworks, type NetworkRow, networksOf, type VrouterFields } from '../store/vrouters.ts';
import type { Actor } from './actor.ts';
import { networkRow, ownPrefixes, readNetworks, takeLowest } from './addresses.ts';
import { type Desk, note } from './desk.ts';
import { readEndpoint } from './endpoint.ts';
import { INTERFACE, INTERFACE_KEY, peerKeyOf, vrfOf } from './status.ts';
import { vrouterTag } from './tags.ts';
import { interfaceWith } from './taken.ts';
import { requireMatch } from './terms.ts';
import { showVrouter } from './vrouters.ts';

type Change = z.output<typeof changeVrouterRequest>;

/** Peers that are given their addresses at a time. */
const PEERS_PAGE = 500;

/**
 * Changes what is named, in one version; sessions go on. Throws `vrouter.notFound`, `request.outdated`, `address.invalid`,
 * `prefix.invalid`, `network.overlap`, `input.invalid` (a network is left out), `peer.overlap`, `route.exists`, `pool.exhausted`.
 */
export async function changeVrouter(
  desk: Desk,
  actor: Actor,
  name: string,
  input: Change,
): Promise<ChangeVrouterReply> {
  const { value: before, version } = await desk.desired.change(
    name,
    actor,
    'vrouter.change',
    async (tx, draft, head) => {
      const networks = await networksOf(tx, head.row.id);
      requireMatch(actor, vrouterTag(head, networks, INTERFACE_KEY));
      // An older controller put it without some; `put` fills in what nobody says.
      const intent = head.intent('gatewayInterface', INTERFACE_KEY)!;
      const { listenPort = intent.listenPort, mtu = intent.mtu } = input;
      const { mssClamp = intent.mssClamp, sourceCheck = intent.sourceCheck } = input;
      draft.put({ ...intent, listenPort, mtu, mssClamp, sourceCheck });
      draft.fields = changedFields(head, { listenPort, mtu, endpoint: endpointAfter(head, input, listenPort) });
      if (input.networks !== undefined) await addNetworks(tx, draft, head, networks, input.networks);
      await note(tx, desk, actor, 'vrouter.change', name);
      return { version: head.version, endpoint: head.row.endpoint };
    },
  );
  const vrouter = await showVrouter(desk, name);
  if (version !== before.version || vrouter.endpoint !== before.endpoint)
    desk.events.emit({
      type: 'vrouter.changed',
      vrouter: name,
      subject: INTERFACE,
      version,
      text: `${INTERFACE} of ${name} was changed`,
    });
  return { vrouter, version };
}

/** Where the port of the endpoint is that of before, nothing stands between it and the interface, so it goes along. */
function endpointAfter({ row }: Head, { endpoint }: Change, listenPort: number): string {
  if (endpoint !== undefined) return readEndpoint(endpoint, listenPort);
  const at = row.endpoint.lastIndexOf(':');
  if (row.endpoint.slice(at + 1) !== String(row.listenPort)) return row.endpoint;
  return `${row.endpoint.slice(0, at)}:${listenPort}`;
}

function changedFields({ row }: Head, wanted: Required<VrouterFields>): VrouterFields {
  const { endpoint, listenPort, mtu } = wanted;
  return {
    ...(endpoint === row.endpoint ? {} : { endpoint }),
    ...(listenPort === row.listenPort ? {} : { listenPort }),
    ...(mtu === row.mtu ? {} : { mtu }),
  };
}

/** The gateway gets the first address of each new network, and every peer there is the next free one. */
async function addNetworks(
  tx: Tx,
  draft: Draft,
  head: Head,
  there: readonly NetworkRow[],
  texts: readonly string[],
): Promise<void> {
  const wanted = readNetworks(texts);
  const prefixes = wanted.map(formatPrefix);
  const gone = there.find(({ prefix }) => !prefixes.includes(prefix));
  if (gone !== undefined)
    throw new ProblemError(
      problem(
        'input.invalid',
        `${gone.prefix} has addresses of peers and cannot be taken away; name it too`,
        'networks',
      ),
    );
  const added: NetworkRow[] = [];
  for (const [i, prefix] of wanted.entries()) {
    if (there.some((network) => network.prefix === prefixes[i])) continue;
    const row = networkRow(head.row.id, there.length + added.length, prefix);
    for (const own of ownPrefixes([row])) await refuseTaken(tx, head, own, `networks[${i}]`);
    added.push(row);
  }
  if (added.length === 0) return;
  await insertNetworks(tx, added);
  await claim(tx, head.row.id, GATEWAY_OWNER, ownPrefixes(added));
  for (const { gatewayAddress } of added) draft.put({ kind: 'address', interface: INTERFACE, address: gatewayAddress });
  await addressPeers(tx, draft, head);
}

async function refuseTaken(tx: Tx, head: Head, prefix: string, field: string): Promise<void> {
  const vrf = vrfOf(head);
  const holder = await holderOf(tx, head.row.id, prefix);
  if (holder !== null && !holder.includes('/'))
    throw new ProblemError(
      problem('peer.overlap', `${prefix} is that of peer "${holder}" already; remove it there first`, field),
    );
  if (holder !== null || head.bodies.has(`route/${vrf}/${prefix}`) || interfaceWith(head, vrf, prefix) !== null)
    throw new ProblemError(
      problem('route.exists', `there is a route to ${prefix} already, or an interface with it; remove it first`, field),
    );
}

/** Every peer gets an address of each network that it has none of. A page of them is in memory at a time; the draft has them all. */
async function addressPeers(tx: Tx, draft: Draft, head: Head): Promise<void> {
  const vrouterId = head.row.id;
  for (let after: string | null = null; ; ) {
    const rows = await peersOf(tx, vrouterId, after, PEERS_PAGE);
    for (const row of rows) {
      const intent = head.intent('peer', peerKeyOf(row))!;
      const before = JSON.parse(row.addresses) as string[];
      const fresh: string[] = [];
      // Read anew for each peer, since each moves the mark below which all are taken.
      for (const network of (await networksOf(tx, vrouterId)).slice(before.length))
        fresh.push(await takeLowest(tx, network, row.name));
      const addresses = [...before, ...fresh];
      await changePeerRow(tx, vrouterId, row.name, { addresses: JSON.stringify(addresses) });
      draft.put({ ...intent, allowedIps: [...intent.allowedIps, ...fresh] });
    }
    if (rows.length < PEERS_PAGE) return;
    after = rows.at(-1)!.name;
  }
}
