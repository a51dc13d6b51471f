/** Tables and chains. A base chain stands at a hook of the network stack; others are jumped to. */
import type { Message } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import { MessageFlag } from '../message.ts';
import { NFGENMSG_LEN } from '../netfilter.ts';
import { inetMessage, isInet, NftMessage } from './numbers.ts';

const NFTA_TABLE_NAME = 1;
const NFTA_TABLE_FLAGS = 2;
const NFTA_TABLE_USERDATA = 6;
const NFTA_TABLE_OWNER = 7;
/** A socket has the table: nobody else changes it, `nft flush ruleset` passes it by (Linux 5.12). */
const NFT_TABLE_F_OWNER = 2;
/** The table stays when the socket that had it is closed; then anybody may have it (Linux 6.9). */
const NFT_TABLE_F_PERSIST = 4;
const NFTA_CHAIN_TABLE = 1;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_CHAIN_TYPE = 7;
const NFTA_CHAIN_USERDATA = 12;
const NFTA_HOOK_HOOKNUM = 1;
const NFTA_HOOK_PRIORITY = 2;

/** Where a base chain stands; what comes to its end is accepted. */
export interface ChainHook {
  readonly type: 'filter' | 'nat';
  /** One of `Hook`. */
  readonly hook: number;
  /** Least first; linux/netfilter_ipv4.h, NF_IP_PRI_*. */
  readonly priority: number;
}

export interface TableRow {
  readonly name: string;
  readonly userdata: Uint8Array;
  /** Number of the socket that has it; null: nobody. */
  readonly holder: number | null;
  /** It outlives its holder. */
  readonly persists: boolean;
}

export interface ChainRow {
  readonly table: string;
  readonly name: string;
  readonly hook: ChainHook | null;
  readonly policy: number | null;
  readonly userdata: Uint8Array;
}

const NF_ACCEPT = 1;
const nothing = new Uint8Array(0);

/** `held`: whoever makes it has it, and it outlives them. */
export function createTable(name: string, userdata: Uint8Array, held = false): Uint8Array {
  const writer = inetMessage(NftMessage.newTable, MessageFlag.create | MessageFlag.exclusive);
  writer.attributeName(NFTA_TABLE_NAME, name).attribute(NFTA_TABLE_USERDATA, userdata);
  if (held) writer.attributeBe32(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST);
  return writer.done();
}

/** Has a table that outlived its holder. */
export function holdTable(name: string): Uint8Array {
  const writer = inetMessage(NftMessage.newTable, 0).attributeName(NFTA_TABLE_NAME, name);
  return writer.attributeBe32(NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER | NFT_TABLE_F_PERSIST).done();
}

/** With all that is in it. */
export function deleteTable(name: string): Uint8Array {
  return inetMessage(NftMessage.deleteTable, 0).attributeName(NFTA_TABLE_NAME, name).done();
}

export function askTable(name: string): Uint8Array {
  return inetMessage(NftMessage.getTable, 0).attributeName(NFTA_TABLE_NAME, name).done();
}

const table = new Attributes(NFTA_TABLE_OWNER);

/** Null: this is no table of ours. */
export function parseTable(message: Message): TableRow | null {
  if (!isInet(message, NftMessage.newTable)) return null;
  table.read(message.view, message.body + NFGENMSG_LEN, message.end);
  const name = table.text(NFTA_TABLE_NAME);
  if (name === null) return null;
  const persists = ((table.be32(NFTA_TABLE_FLAGS) ?? 0) & NFT_TABLE_F_PERSIST) !== 0;
  return {
    name,
    userdata: table.bytes(NFTA_TABLE_USERDATA) ?? nothing,
    holder: table.be32(NFTA_TABLE_OWNER),
    persists,
  };
}

export function createChain(
  table: string,
  name: string,
  hook: ChainHook | null,
  userdata: Uint8Array | null = null,
): Uint8Array {
  const writer = inetMessage(NftMessage.newChain, MessageFlag.create | MessageFlag.exclusive);
  writer.attributeName(NFTA_CHAIN_TABLE, table).attributeName(NFTA_CHAIN_NAME, name);
  if (hook !== null) {
    writer.attributeName(NFTA_CHAIN_TYPE, hook.type).attributeBe32(NFTA_CHAIN_POLICY, NF_ACCEPT);
    writer.nested(NFTA_CHAIN_HOOK, () => {
      writer.attributeBe32(NFTA_HOOK_HOOKNUM, hook.hook);
      writer.attributeBe32(NFTA_HOOK_PRIORITY, hook.priority >>> 0);
    });
  }
  if (userdata !== null) writer.attribute(NFTA_CHAIN_USERDATA, userdata);
  return writer.done();
}

export function deleteChain(table: string, name: string): Uint8Array {
  const writer = inetMessage(NftMessage.deleteChain, 0);
  return writer.attributeName(NFTA_CHAIN_TABLE, table).attributeName(NFTA_CHAIN_NAME, name).done();
}

/** All there are in tables of the family, for a dump. */
export function askChains(): Uint8Array {
  return inetMessage(NftMessage.getChain, 0).done();
}

const chain = new Attributes(NFTA_CHAIN_USERDATA);
const hook = new Attributes(NFTA_HOOK_PRIORITY);

export function parseChain(message: Message): ChainRow | null {
  if (!isInet(message, NftMessage.newChain)) return null;
  chain.read(message.view, message.body + NFGENMSG_LEN, message.end);
  const [table, name] = [chain.text(NFTA_CHAIN_TABLE), chain.text(NFTA_CHAIN_NAME)];
  if (table === null || name === null) return null;
  hook.readNested(chain, NFTA_CHAIN_HOOK);
  const [number, priority] = [hook.be32(NFTA_HOOK_HOOKNUM), hook.be32(NFTA_HOOK_PRIORITY)];
  const type = chain.text(NFTA_CHAIN_TYPE) === 'nat' ? 'nat' : 'filter';
  return {
    table,
    name,
    hook: number === null || priority === null ? null : { type, hook: number, priority: priority | 0 },
    policy: chain.be32(NFTA_CHAIN_POLICY),
    userdata: chain.bytes(NFTA_CHAIN_USERDATA) ?? nothing,
  };
}
