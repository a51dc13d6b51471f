/**
 * How a link of the kernel shows that it is ours: its alias, which people see too, says the name that it has among us and what the kernel
 * does not remember. The kernel takes no alias at birth, but a group: a link of our group without an alias is one whose maker was cut off.
 */

/** The letters `vrou`. */
export const LINK_GROUP = 0x76726f75;
const WORD = 'vrouter';
const PEER = 'peer=';

export interface Mark {
  /** Of the object; the device may have another. */
  readonly link: string;
  /** Somebody has said which MAC address it has. */
  readonly ownMac: boolean;
  /** WireGuard listens on a port of the kernel's choice. */
  readonly anyPort: boolean;
  /** Of a veth: the name that its other end was made with, which is mostly elsewhere by now. */
  readonly peer?: string;
}

export function markText({ link, ownMac, anyPort, peer }: Mark): string {
  const said = [ownMac ? 'own-mac' : '', anyPort ? 'any-port' : '', peer === undefined ? '' : PEER + peer];
  return [WORD, link, ...said.filter((word) => word !== '')].join(' ');
}

/** Null: this is not ours. */
export function parseMark(alias: string): Mark | null {
  const [word, link, ...rest] = alias.split(' ');
  if (word !== WORD || link === undefined || link === '') return null;
  const peer = rest.find((one) => one.startsWith(PEER))?.slice(PEER.length);
  const mark = { link, ownMac: rest.includes('own-mac'), anyPort: rest.includes('any-port') };
  return peer === undefined ? mark : { ...mark, peer };
}

/** Of a link as the kernel tells of it: null when it is somebody else's. */
export function markOf(row: { readonly name: string; readonly alias: string; readonly group: number }): Mark | null {
  const mark = parseMark(row.alias);
  if (mark !== null) return mark;
  return row.group === LINK_GROUP && row.alias === '' ? { link: row.name, ownMac: false, anyPort: false } : null;
}
