/** A link as an object and as a device of the kernel: which is which. */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatMac } from '@vrouter/core/mac.ts';
import type { LinkObject, LinkType } from '@vrouter/intent/model/objects.ts';
import type { Ledger } from '../ledger.ts';
import type { LinkKind, LinkRow, VxlanRow } from '../netlink/link.ts';
import type { LinkTraits } from './links.ts';
import type { Mark } from './mark.ts';

/** An interface of the host that was taken in, as it was before. */
export interface Adopted {
  readonly device: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly master: number;
  readonly mac: string | null;
}

export const ADOPTED = 'link/';

/** Whether the object is an interface of the host that is there already. */
export function isAdopted(object: LinkObject): boolean {
  return object.type === 'port' && object.vlanId == null;
}

/** The kernel's name of the device of an object. */
export function deviceOf(object: LinkObject): string {
  if (object.type === 'tap' || isAdopted(object)) return object.device ?? object.name;
  return object.name;
}

export function adoptedAs(ledger: Ledger, link: string): Adopted | null {
  const text = ledger.get(`${ADOPTED}${link}`);
  return text === null ? null : (JSON.parse(text) as Adopted);
}

/** What the kernel is asked to make; null: it makes no such thing that way. `parent` is the number of the device that it is on. */
export function kindOf(object: LinkObject, parent: number): LinkKind | null {
  switch (object.type) {
    case 'wireguard':
    case 'bridge':
      return { kind: object.type };
    case 'port':
      return object.vlanId == null ? null : { kind: 'vlan', parent, id: object.vlanId };
    case 'veth':
      return { kind: 'veth', peer: object.peer ?? '' };
    case 'macvlan':
      return { kind: 'macvlan', parent, mode: object.mode ?? 'bridge' };
    case 'vxlan':
      return {
        kind: 'vxlan',
        id: object.vni ?? 0,
        local: bytesOf(object.local),
        remote: bytesOf(object.remote),
        port: object.udpPort ?? 0,
        parent,
        learning: true,
      };
    case 'tun':
    case 'tap':
      return null;
  }
}

function bytesOf(address: string | null | undefined): Uint8Array | null {
  const parsed = address == null ? null : parseIp(address);
  return parsed?.ok === true ? parsed.value : null;
}

const textOf = (address: Uint8Array | null): string | null => (address === null ? null : formatIp(address));

/** Whether a device of an older router's is what the object would be made as. */
export function isSameDevice(row: LinkRow, object: LinkObject, parent: LinkRow | undefined): boolean {
  if (object.type === 'port')
    return row.kind === 'vlan' && row.vlanId === object.vlanId && parent?.name === object.device;
  return false;
}

interface Surroundings {
  readonly mark: Mark | null;
  readonly adopted: Adopted | null;
  /** It is called and marked as ours. */
  readonly shown: boolean;
  /** Name of the device that it is on; '' is none. */
  readonly parent: string;
  /** Of a VXLAN that is bound to one. */
  readonly vxlanParent: string | undefined;
  readonly vrf: string;
  readonly traits: LinkTraits | null;
}

/** Null: it is none of the types that we make. */
export function objectOf(name: string, row: LinkRow, around: Surroundings): LinkObject | null {
  const type = typeOf(row, around.adopted);
  if (type === null) return null;
  const { vrf, traits, mark, adopted } = around;
  const isEthernet = type !== 'wireguard';
  const hasDevice = type === 'port' || type === 'tap';
  const ownMac = adopted !== null ? adopted.mac !== null : mark?.ownMac === true;
  return {
    kind: 'link',
    name,
    type,
    vrf,
    mtu: row.mtu,
    // One without what the packet filter does for it, or that does not show whose it is, is not finished, and to be made so.
    adminUp: row.up && traits?.vrf === vrf && around.shown,
    mssClamp: traits?.mssClamp ?? false,
    sourceCheck: traits?.sourceCheck ?? 'off',
    ...(isEthernet ? { mac: ownMac ? formatMac(row.mac) : null } : {}),
    ...(hasDevice ? { device: row.kind === 'vlan' ? around.parent : row.name, vlanId: row.vlanId } : {}),
    ...(type === 'macvlan' ? { parent: around.parent, mode: row.mode ?? 'bridge' } : {}),
    ...(type === 'veth' ? { peer: mark?.peer ?? '' } : {}),
    ...(row.vxlan === null || type !== 'vxlan' ? {} : vxlanFields(row.vxlan, around.vxlanParent)),
  };
}

function vxlanFields({ id, local, remote, port }: VxlanRow, parent: string | undefined): Partial<LinkObject> {
  const said = { vni: id, local: textOf(local), remote: textOf(remote), udpPort: port };
  return parent === undefined ? said : { ...said, parent };
}

function typeOf(row: LinkRow, adopted: Adopted | null): LinkType | null {
  if (adopted !== null) return 'port';
  switch (row.kind) {
    case 'wireguard':
    case 'bridge':
    case 'veth':
    case 'macvlan':
    case 'vxlan':
      return row.kind;
    case 'vlan':
      return 'port';
    case 'tun':
      return 'tap';
    default:
      return null;
  }
}
