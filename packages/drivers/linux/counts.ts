/** What the kernel has counted and learnt, for statistics. */
import { formatIp } from '@vrouter/core/ip.ts';
import { formatMac } from '@vrouter/core/mac.ts';
import { formatPrefix } from '@vrouter/core/prefix.ts';
import type { EthernetPort, LinkCounters, Neighbour, Neighbours } from '../contract/counters.ts';
import type { Kernel } from './kernel.ts';
import { askAddresses, parseAddress } from './netlink/address.ts';
import { askLinkCounts, parseLinkCounts } from './netlink/link.ts';
import { AF_INET, AF_INET6 } from './netlink/message.ts';
import { askNeighbours, parseNeighbour } from './netlink/neighbour.ts';

/** Counters of our links, by the names of their objects. */
export async function linkCounters({ routing, links }: Kernel): Promise<LinkCounters[]> {
  const rows = await routing.dump(askLinkCounts(), 'links', parseLinkCounts);
  return rows.flatMap(({ index, ...counts }) => {
    const row = links.at(index);
    const name = row === undefined || row.kind === 'vrf' ? null : links.nameOf(row);
    return name === null ? [] : [{ name, ...counts }];
  });
}

/** Our links into Ethernets, and at most `limit` of who is on them. */
export async function neighboursOf({ routing, links }: Kernel, limit: number): Promise<Neighbours> {
  const ports = new Map<number, EthernetPort & { addresses: EthernetPort['addresses'][number][] }>();
  for (const [link, row] of links.ours())
    if (row.kind !== 'wireguard' && row.kind !== 'vrf')
      ports.set(row.index, { link, mac: formatMac(row.mac), up: row.up && row.carrier, addresses: [] });
  const neighbours: Neighbour[] = [];
  let total = 0;
  for (const family of [AF_INET, AF_INET6]) {
    for (const row of await routing.dump(askAddresses(family), 'addresses', parseAddress)) {
      const state = row.duplicate ? 'duplicate' : row.tentative ? 'tentative' : 'valid';
      ports.get(row.link)?.addresses.push({ address: formatPrefix(row.address), state, conflicts: 0 });
    }
    for (const row of await routing.dump(askNeighbours(family), 'neighbours', parseNeighbour)) {
      const port = ports.get(row.link);
      if (port === undefined) continue;
      total++;
      if (neighbours.length >= limit) continue;
      const mac = row.mac.length === 0 ? null : formatMac(row.mac);
      const state = row.permanent ? 'permanent' : mac === null ? 'incomplete' : 'known';
      neighbours.push({ link: port.link, address: formatIp(row.address), mac, state, confirmedSecondsAgo: null });
    }
  }
  return { ports: [...ports.values()], total, neighbours };
}
