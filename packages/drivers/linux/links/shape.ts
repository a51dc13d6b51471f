/** A link as an object and as a device of the kernel: which is which. */
import { formatMac } from '@vrouter/core/mac.ts';
import type { LinkObject, LinkType } from '@vrouter/intent/model/objects.ts';
import type { Ledger } from '../ledger.ts';
import type { LinkKind, LinkRow } from '../netlink/link.ts';
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
    case 'tun':
    case 'tap':
      return null;
  }
}

/** Whether a device that is there is what the object would be made as, whoever made it. */
export function isSameDevice(row: LinkRow, object: LinkObject, parent: LinkRow | undefined): boolean {
  if (object.type === 'port')
    return row.kind === 'vlan' && row.vlanId === object.vlanId && parent?.name === object.device;
  return false;
}

interface Surroundings {
  readonly mark: Mark | null;
  readonly adopted: Adopted | null;
  /** Name of the device that it is on; '' is none. */
  readonly parent: string;
  readonly vrf: string;
  readonly traits: LinkTraits | null;
}

/** Null: it is none of the types that we make. */
export function objectOf(name: string, row: LinkRow, around: Surroundings): LinkObject | null {
  const type = typeOf(row, around.adopted);
  if (type === null) return null;
  const { vrf, traits, mark, adopted } = around;
  const isEthernet = type !== 'wireguard';
  const ownMac = adopted !== null ? adopted.mac !== null : mark?.ownMac === true;
  return {
    kind: 'link',
    name,
    type,
    vrf,
    mtu: row.mtu,
    adminUp: row.up,
    mssClamp: traits?.mssClamp ?? false,
    sourceCheck: traits?.sourceCheck ?? 'off',
    ...(isEthernet && type !== 'bridge' ? { device: row.kind === 'vlan' ? around.parent : row.name } : {}),
    ...(isEthernet ? { mac: ownMac ? formatMac(row.mac) : null } : {}),
    ...(type === 'port' || type === 'tap' ? { vlanId: row.vlanId } : {}),
  };
}

function typeOf(row: LinkRow, adopted: Adopted | null): LinkType | null {
  if (adopted !== null) return 'port';
  switch (row.kind) {
    case 'wireguard':
    case 'bridge':
      return row.kind;
    case 'vlan':
      return 'port';
    case 'tun':
      return 'tap';
    default:
      return null;
  }
}
