/** News of the group NFNLGRP_NFTABLES: what anybody changes, with the number of the socket that did it. */
import { messagesOf } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import { NFGENMSG_LEN, NFNL_SUBSYS_NFTABLES, NFPROTO_INET } from '../netfilter.ts';
import { parseGeneration } from './batch.ts';
import { NftMessage } from './numbers.ts';

export const NFNLGRP_NFTABLES = 7;
/** The name of the table is the first attribute of every message but those of generations. */
const TABLE_NAME = 1;
const attributes = new Attributes(TABLE_NAME);

export interface News {
  /** Numbers of the sockets that changed something in the table, each once; 0 is the kernel itself. */
  readonly touchedBy: ReadonlySet<number>;
  /** The generation that the last of the changes has made; null: of none is the end told. */
  readonly generation: number | null;
}

/** About a table of the family `inet`. */
export function readNews(datagram: Uint8Array, table: string): News {
  const touchedBy = new Set<number>();
  let generation: number | null = null;
  for (const message of messagesOf(datagram)) {
    const { view, type, port, body, end } = message;
    generation = parseGeneration(message) ?? generation;
    if (type >> 8 !== NFNL_SUBSYS_NFTABLES || (type & 0xff) === NftMessage.newGeneration) continue;
    if (end - body < NFGENMSG_LEN || view.getUint8(body) !== NFPROTO_INET) continue;
    if (attributes.read(view, body + NFGENMSG_LEN, end).text(TABLE_NAME) === table) touchedBy.add(port);
  }
  return { touchedBy, generation };
}
