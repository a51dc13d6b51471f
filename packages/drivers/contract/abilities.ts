/**
 * What planes can do, as objects that are tried: each plane's contract test makes them, and holds the answers to the table of
 * docs/planes.md, which is made of them.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { PlaneObject } from '@vrouter/intent/model/objects.ts';
import type { Driver } from './driver.ts';
import * as s from './samples.ts';

export interface Ability {
  readonly what: string;
  /** The last is what it is about, those before it are what it stands on. */
  readonly objects: readonly [...PlaneObject[], PlaneObject];
}

const inside6 = { type: 'inside', address: 'fd66::2', port: 8080 } as const;
const paths = (...hops: readonly string[]): PlaneObject =>
  s.route(hops[0]!.includes(':') ? 'fd68::/32' : '10.68.0.0/16', {
    via: { type: 'paths', paths: hops.map((nextHop) => ({ link: 'lanc0', nextHop, weight: 1 })) },
  });
const lan = [s.tapLink(), s.address('10.67.0.1/24', 'lanc0'), s.address('fd67::1/64', 'lanc0')];

export const abilities: readonly Ability[] = [
  { what: 'WireGuard devices', objects: s.samples.wireguardDevice },
  { what: 'WireGuard peers, with preshared keys', objects: s.samples.wireguardPeer },
  { what: 'VRFs', objects: s.samples.vrf },
  { what: 'addresses', objects: s.samples.address },
  { what: 'routes', objects: s.samples.route },
  { what: 'routes with several ways, IPv4', objects: [...lan, paths('10.67.0.2', '10.67.0.3')] },
  { what: 'routes with several ways, IPv6', objects: [...lan, paths('fd67::2', 'fd67::3')] },
  { what: 'rules that choose a table', objects: s.samples.rule },
  { what: 'neighbours that are said', objects: s.samples.neighbour },
  { what: 'links to the host itself (TUN)', objects: [s.tunLink()] },
  { what: 'TAPs', objects: [s.tapLink()] },
  { what: 'bridges', objects: s.madeLinks.bridge! },
  { what: 'veths', objects: s.madeLinks.veth! },
  { what: 'macvlans', objects: s.madeLinks.macvlan! },
  { what: 'VXLANs', objects: s.madeLinks.vxlan! },
  { what: 'MSS clamps', objects: [s.link({ mssClamp: true })] },
  { what: 'source checks', objects: [s.link({ sourceCheck: 'strict' })] },
  { what: 'masquerades, IPv4', objects: s.samples.natRule },
  {
    what: 'masquerades, IPv6',
    objects: [s.link(), s.natRule({ match: { type: 'source', prefix: 'fd66::/64', leaving: null } })],
  },
  { what: 'pools of outside addresses', objects: s.samples.natPool },
  { what: 'published ports, TCP and UDP over IPv4', objects: [s.publishedRule()] },
  {
    what: 'published ports, SCTP',
    objects: [s.publishedRule({ match: { type: 'destination', address: null, protocol: 'sctp', ports: [80, 80] } })],
  },
  { what: 'published ports, IPv6', objects: [s.publishedRule({ name: 'port/default/::/tcp/80', to: inside6 })] },
  { what: 'floating addresses, IPv4', objects: [s.floatingRule()] },
  { what: 'limits and lives of translations', objects: s.samples.natSettings },
  { what: 'networks kept apart', objects: s.samples.isolation },
  { what: 'names of networks', objects: s.samples.dnsRecord },
  { what: 'kernel switches, given back', objects: s.samples.sysctl },
];

/** By `what`: whether the plane makes it. What it does not make it refuses as `intent.unsupported`. */
export async function abilitiesOf(driver: Driver, signal: AbortSignal): Promise<ReadonlyMap<string, boolean>> {
  const can = new Map<string, boolean>();
  for (const { what, objects } of abilities) {
    const results = await driver.apply(objects.map(s.create), signal);
    const failed = results.find((result) => !result.ok);
    if (failed !== undefined && !failed.ok)
      assert.equal(failed.error.code, 'intent.unsupported', `${what}: ${failed.key} ${failed.error.message}`);
    can.set(what, failed === undefined);
    await driver.apply(objects.toReversed().map(s.remove), signal);
  }
  return can;
}

const PAGE = new URL('../../../docs/planes.md', import.meta.url);

/** The column of a plane in the page's table; null: it has none. */
export function writtenOf(plane: string, page = readFileSync(PAGE, 'utf8')): ReadonlyMap<string, boolean> | null {
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.slice(1, -1).split('|'))
    .map((cells) => cells.map((cell) => cell.trim()));
  const column = rows[0]?.indexOf(`\`${plane}\``) ?? -1;
  if (column < 0) return null;
  return new Map(rows.slice(2).map((cells) => [cells[0]!, cells[column] === 'yes']));
}
