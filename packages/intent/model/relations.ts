/**
 * What objects need of each other. `parentsOf`: the objects that must be there first and may not leave before. `occupiedBy`: what
 * only one object of a plane can have at a time; who takes it waits until the other has let go.
 */
import type { ObjectKey, PlaneObject } from './objects.ts';

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
      return [vrfKey(object.vrf), ...(object.bridge === undefined ? [] : [linkKey(object.bridge)])];
    case 'wireguardDevice':
    case 'address':
      return [linkKey(object.link)];
    case 'wireguardPeer':
      return [`wireguardDevice/${object.link}` as ObjectKey];
    case 'route':
      return object.via.type === 'link' ? [vrfKey(object.vrf), linkKey(object.via.link)] : [vrfKey(object.vrf)];
  }
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
