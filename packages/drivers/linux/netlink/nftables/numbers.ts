/** Numbers of nf_tables (linux/netfilter/nf_tables.h), and how its messages begin. */
import type { Message } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import type { MessageWriter } from '../message.ts';
import { NFGENMSG_LEN, NFNL_SUBSYS_NFTABLES, NFPROTO_INET, netfilterMessage, netfilterType } from '../netfilter.ts';

/** enum nf_tables_msg_types */
export const NftMessage = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  deleteChain: 5,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  newSet: 9,
  getSet: 10,
  deleteSet: 11,
  newElement: 12,
  getElement: 13,
  deleteElement: 14,
  newGeneration: 15,
  getGeneration: 16,
} as const;

/** linux/netfilter.h, NF_INET_* */
export const Hook = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

/** Verdicts that a rule or an element of a verdict map ends in; those below zero are nf_tables' own. */
export const VerdictCode = { drop: 0, accept: 1, jump: -3, goto: -4, return: -5 } as const;

/** What is done with a packet; `chain` of a jump and a goto. */
export interface Verdict {
  readonly code: number;
  readonly chain: string | null;
}

export const NFTA_LIST_ELEM = 1;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;

/** A message about something in a table of the family `inet`. */
export function inetMessage(message: number, flags: number): MessageWriter {
  return netfilterMessage(netfilterType(NFNL_SUBSYS_NFTABLES, message), flags, NFPROTO_INET);
}

/** Whether it is of that type, and about the family `inet`; its attributes begin after the header. */
export function isInet({ view, type, body, end }: Message, message: number): boolean {
  if (type !== netfilterType(NFNL_SUBSYS_NFTABLES, message) || end - body < NFGENMSG_LEN) return false;
  return view.getUint8(body) === NFPROTO_INET;
}

/** struct nft_data: bytes, or a verdict. */
export function writeData(writer: MessageWriter, type: number, data: Uint8Array | Verdict): void {
  writer.nested(type, () => {
    if (data instanceof Uint8Array) writer.attribute(NFTA_DATA_VALUE, data);
    else
      writer.nested(NFTA_DATA_VERDICT, () => {
        writer.attributeBe32(NFTA_VERDICT_CODE, data.code >>> 0);
        if (data.chain !== null) writer.attributeName(NFTA_VERDICT_CHAIN, data.chain);
      });
  });
}

const data = new Attributes(NFTA_DATA_VERDICT);
const verdict = new Attributes(NFTA_VERDICT_CHAIN);

/** Null: there is none. */
export function readData(outer: Attributes, type: number): Uint8Array | Verdict | null {
  if (!outer.has(type)) return null;
  data.readNested(outer, type);
  if (!data.has(NFTA_DATA_VERDICT)) return data.bytes(NFTA_DATA_VALUE);
  verdict.readNested(data, NFTA_DATA_VERDICT);
  const code = verdict.be32(NFTA_VERDICT_CODE);
  return code === null ? null : { code: code | 0, chain: verdict.text(NFTA_VERDICT_CHAIN) };
}
