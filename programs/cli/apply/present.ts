/** What the controller has of a vrouter, read over REST: itself, and page by page what is below it. */
import { floatingIpList } from '@vrouter/api/rest/floating-ips.ts';
import { hostInterfaceList } from '@vrouter/api/rest/host-interfaces.ts';
import { masqueradeList, publishedPortList } from '@vrouter/api/rest/nat.ts';
import { natSettingsReply } from '@vrouter/api/rest/nat-settings.ts';
import { PAGE_MAX } from '@vrouter/api/rest/paging.ts';
import { peerList } from '@vrouter/api/rest/peers.ts';
import { portList } from '@vrouter/api/rest/ports.ts';
import { routeList, vrfList } from '@vrouter/api/rest/routes.ts';
import { vrouterList, vrouter as vrouterSchema } from '@vrouter/api/rest/vrouters.ts';
import { type Controller, pathOf } from '../clients/controller.ts';
import type { Schema } from '../clients/reply.ts';
import { Failure } from '../failure.ts';
import { canonicalFields } from './forms.ts';
import { type Fields, idOf, type Kind, keyOf, type PartKind, type Present, type Whole } from './things.ts';

interface Row {
  readonly etag?: string | undefined;
  readonly [name: string]: unknown;
}
type Page = { readonly [member: string]: unknown } & { readonly next?: string | null | undefined };

/** Of each kind that has a list: where it is, and the member of the answer. */
const lists: { readonly [K in Exclude<PartKind, 'natSettings'>]: readonly [path: string, schema: Schema<Page>] } = {
  vrf: ['vrfs', vrfList],
  hostInterface: ['host-interfaces', hostInterfaceList],
  port: ['ports', portList],
  peer: ['peers', peerList],
  route: ['routes', routeList],
  masquerade: ['masquerades', masqueradeList],
  publishedPort: ['published-ports', publishedPortList],
  floatingIp: ['floating-ips', floatingIpList],
};
type Listed = keyof typeof lists;

/** Names of all vrouters. */
export async function vrouterNames(controller: Controller): Promise<string[]> {
  const rows = await everyPage(controller, '/v1/vrouters', vrouterList as Schema<Page>);
  return rows.map((row) => String(row.name));
}

/** Null when the controller has none of that name. */
export async function readVrouter(controller: Controller, name: string): Promise<Whole<Present> | null> {
  const path = pathOf`/v1/vrouters/${name}`;
  let row: Row;
  try {
    row = (await controller.get(path, vrouterSchema)).data;
  } catch (error) {
    if (error instanceof Failure && error.code === 'vrouter.notFound') return null;
    throw error;
  }
  const own = presentOf('vrouter', name, name, row);
  const parts = new Map<string, Present>();
  for (const kind of Object.keys(lists) as Listed[])
    for (const part of await readParts(controller, name, kind)) parts.set(keyOf(part), part);
  // Made with the vrouter and gone with it: nobody says them.
  for (const vrf of ['default', String(own.fields.vrf)]) parts.delete(keyOf({ kind: 'vrf', id: vrf }));
  const { natSettings } = (await controller.get(`${path}/nat-settings`, natSettingsReply)).data;
  const settings = presentOf('natSettings', name, 'default', natSettings);
  parts.set(keyOf(settings), { ...settings, usual: !natSettings.said });
  return { name, own, parts };
}

/** All of one kind. */
export async function readParts(controller: Controller, vrouter: string, kind: Listed): Promise<Present[]> {
  const [path, schema] = lists[kind];
  const rows = await everyPage(controller, `${pathOf`/v1/vrouters/${vrouter}`}/${path}`, schema);
  return rows.map((row) => presentOf(kind, vrouter, null, row));
}

async function everyPage(controller: Controller, path: string, schema: Schema<Page>): Promise<Row[]> {
  const rows: Row[] = [];
  for (let cursor: string | null = null; ; ) {
    const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const { data } = await controller.get(`${path}?limit=${PAGE_MAX}${query}`, schema);
    rows.push(...(Object.values(data).find(Array.isArray) as Row[]));
    cursor = data.next ?? null;
    if (cursor === null) return rows;
  }
}

/** `id`: null where the row says it. */
function presentOf(kind: Kind, vrouter: string, id: string | null, row: Row): Present {
  if (row.etag === undefined)
    throw new Failure(
      'intent.unsupported',
      'this controller is older and tells no etags, without which nobody sees that somebody else changes something meanwhile',
    );
  const addresses = kind === 'peer' ? (row.addresses as readonly string[]) : [];
  const fields = kind === 'peer' ? peerFields(row, addresses) : canonicalFields(kind, row);
  const named = id ?? row.name ?? row.id ?? idOf(kind as PartKind, fields);
  return { kind, vrouter, id: String(named), fields, etag: row.etag, addresses, usual: false };
}

/** Allowed IPs are those behind the peer, as a request says them; of the preshared key there is the fingerprint. */
function peerFields(row: Row, addresses: readonly string[]): Fields {
  const allowedIps = (row.allowedIps as readonly string[]).filter((prefix) => !addresses.includes(prefix));
  const fields = canonicalFields('peer', { ...row, allowedIps, presharedKey: undefined });
  if (row.hasPresharedKey !== true) return fields;
  // An older controller does not tell which one it is: then a key that is said counts as another.
  return { ...fields, presharedKey: String(row.presharedKeyFingerprint ?? 'unknown') };
}
