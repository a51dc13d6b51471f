/** News of the group NFNLGRP_NFTABLES: what anybody changes, with the number of the socket that did it. */
import { messagesOf } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import { NFGENMSG_LEN, NFNL_SUBSYS_NFTABLES, NFPROTO_INET } from '../netfilter.ts';
import { NftMessage } from './numbers.ts';

export const NFNLGRP_NFTABLES = 7;
/** The name of the table is the first attribute of every message but those of generations. */
const TABLE_NAME = 1;
const attributes = new Attributes(TABLE_NAME);

/** Numbers of the sockets that changed something in a table of the family `inet`, each once; 0 is the kernel itself. */
export function touchedBy(datagram: Uint8Array, table: string): number[] {
  const ports = new Set<number>();
  for (const { view, type, port, body, end } of messagesOf(datagram)) {
    if (type >> 8 !== NFNL_SUBSYS_NFTABLES || (type & 0xff) >= NftMessage.newGeneration) continue;
    if (end - body < NFGENMSG_LEN || view.getUint8(body) !== NFPROTO_INET) continue;
    if (attributes.read(view, body + NFGENMSG_LEN, end).text(TABLE_NAME) !== table) continue;
    ports.add(port);
  }
  return [...ports];
}
