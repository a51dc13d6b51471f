/** Having a table, so that `nft flush ruleset` of somebody else passes it by, and that it stays when we end: Linux 6.9 or newer. */
import type { Conversation } from '../netlink/conversation.ts';
import { beginBatch, endBatch } from '../netlink/nftables/batch.ts';
import { createTable, deleteTable } from '../netlink/nftables/table.ts';
import { Errno } from '../netlink/refusal.ts';

/** Whether the kernel lets us; nothing is changed by asking, since what is asked as one transaction ends with what cannot be. */
export async function canHold(kernel: Conversation): Promise<boolean> {
  const nothing = new Uint8Array(0);
  const asked = [createTable('vrouter-held', nothing, true), deleteTable('vrouter-none')];
  const refused = await kernel.transact(beginBatch(null), asked, endBatch());
  return !refused.some(({ index, refusal }) => index === 0 && refusal.errno === Errno.EOPNOTSUPP);
}
