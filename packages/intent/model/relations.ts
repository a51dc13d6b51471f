/**
 * What objects need of each other. `parentsOf`: the objects that must be there first and may not leave before. `occupiedBy`: what
 * only one object of a plane can have at a time; who takes it waits until the other has let go.
 */
import type { ObjectKey, PlaneObject, RouteVia } from './objects.ts';

const vrfKey = (name: string): ObjectKey => `vrf/${name}` as ObjectKey;
const linkKey = (name: string): ObjectKey => `link/${name}` as ObjectKey;

/** Keys of the objects that this one stands on. */
export function parentsOf(object: PlaneObject): readonly ObjectKey[] {
  switch (object.kind) {
    case 'vrf':
    case 'isolation':
    case 'natSettings':
    case 'natPool':
      return [];
    case 'sysctl':
      return object.link === null ? [] : [linkKey(object.link)];
    case 'dnsZone':
      return [linkKey(object.link)];
    case 'dnsRecord':
      return [`dnsZone/${object.zone}` as ObjectKey];
    case 'natRule': {
      const links = object.match.type === 'source' ? (object.match.leaving ?? []) : [];
      const pools = object.to.type === 'pool' ? [`natPool/${object.to.pool}` as ObjectKey] : [];
      return [vrfKey(object.vrf), ...links.map(linkKey), ...pools];
    }
    case 'link':
      return object.bridge === undefined ? [vrfKey(object.vrf)] : [vrfKey(object.vrf), linkKey(object.bridge)];
    case 'wireguardDevice':
    case 'address':
    case 'neighbour':
      return [linkKey(object.link)];
    case 'rule': {
      const { incoming } = object.match;
      return [vrfKey(object.vrf), ...(incoming === null ? [] : [linkKey(incoming)])];
    }
    case 'wireguardPeer':
      return [`wireguardDevice/${object.link}` as ObjectKey];
    case 'route':
      return [vrfKey(object.vrf), ...linksOf(object.via).map(linkKey)];
  }
}

/** The links by which a route leaves, each once. */
export function linksOf(via: RouteVia): readonly string[] {
  if (via.type === 'blackhole') return [];
  return via.type === 'link' ? [via.link] : [...new Set(via.paths.map(({ link }) => link))];
}

/** Names of what the object has to itself on its plane. */
export function occupiedBy(object: PlaneObject): readonly string[] {
  switch (object.kind) {
    case 'vrf':
      return [`tableId/${object.tableId}`];
    case 'wireguardDevice':
      return object.listenPort === 0 ? [] : [listenPortResource(object.listenPort)];
    case 'wireguardPeer':
      return object.allowedIps.map((prefix) => allowedIpResource(object.link, prefix));
    case 'natRule': {
      if (object.match.type === 'source') return [];
      if (object.match.type === 'address')
        return object.to.type === 'host' ? floatingResources(object.vrf, object.match.address, object.to.address) : [];
      const { address, protocol, ports } = object.match;
      const every = object.to.type === 'inside' && object.to.address.includes(':') ? '::' : null;
      return publishedResources(object.vrf, address ?? every, protocol, ports[0], ports[1]);
    }
    case 'sysctl':
    case 'isolation':
    case 'dnsZone':
    case 'dnsRecord':
    case 'rule':
    case 'neighbour':
    case 'link':
    case 'address':
    case 'route':
    case 'natSettings':
    case 'natPool':
      return [];
  }
}

export const interfaceNameResource = (name: string): string => `interfaceName/${name}`;
export const listenPortResource = (port: number): string => `listenPort/${port}`;
export const allowedIpResource = (link: string, prefix: string): string => `allowedIp/${link}/${prefix}`;

/** One to one: neither address may be in another pair of the VRF, on either side. */
export function floatingResources(vrf: string, address: string, inside: string): readonly string[] {
  return [`floating/${vrf}/${address}`, `floating/${vrf}/${inside}`];
}

/** A name for each port that is published; a range has as many. */
export function publishedResources(
  vrf: string,
  address: string | null,
  protocol: string,
  first: number,
  last: number,
): readonly string[] {
  return Array.from(
    { length: last - first + 1 },
    (_, i) => `published/${vrf}/${address ?? '*'}/${protocol}/${first + i}`,
  );
}
