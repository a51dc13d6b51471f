/**
 * A batch is one transaction: packets see all of it or nothing. It may say of which generation of the rule set it thinks; the kernel refuses
 * it (ERESTART) when somebody has made another since.
 */
import type { Message } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import { NFGENMSG_LEN, NFNL_SUBSYS_NFTABLES, NFPROTO_UNSPEC, netfilterMessage, netfilterType } from '../netfilter.ts';
import { NftMessage } from './numbers.ts';

/** linux/netfilter/nfnetlink.h: NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END. */
const BATCH_BEGIN = 16;
const BATCH_END = 17;
const NFNL_BATCH_GENID = 1;
const NFTA_GEN_ID = 1;

/** `generation` null: whatever it is. */
export function beginBatch(generation: number | null): Uint8Array {
  const writer = netfilterMessage(BATCH_BEGIN, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES);
  if (generation !== null) writer.attributeBe32(NFNL_BATCH_GENID, generation);
  return writer.done();
}

export function endBatch(): Uint8Array {
  return netfilterMessage(BATCH_END, 0, NFPROTO_UNSPEC, NFNL_SUBSYS_NFTABLES).done();
}

/** Counts the batches that anybody has done in the network namespace. */
export function askGeneration(): Uint8Array {
  return netfilterMessage(netfilterType(NFNL_SUBSYS_NFTABLES, NftMessage.getGeneration), 0, NFPROTO_UNSPEC).done();
}

const attributes = new Attributes(NFTA_GEN_ID);

export function parseGeneration({ view, type, body, end }: Message): number | null {
  if (type !== netfilterType(NFNL_SUBSYS_NFTABLES, NftMessage.newGeneration)) return null;
  return attributes.read(view, body + NFGENMSG_LEN, end).be32(NFTA_GEN_ID);
}
