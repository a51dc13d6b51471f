/**
 * Sets and maps of exact keys, which the kernel keeps in hash tables: a lookup and a change cost the same however many elements there are.
 * Keys and values are made of fields, each padded to four bytes, as registers are.
 */
import type { Message } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import { aligned, MessageFlag } from '../message.ts';
import { NFGENMSG_LEN } from '../netfilter.ts';
import { inetMessage, isInet, NFTA_LIST_ELEM, NftMessage } from './numbers.ts';
import { writeUserdata } from './userdata.ts';

const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_DATA_TYPE = 6;
const NFTA_SET_DATA_LEN = 7;
const NFTA_SET_ID = 10;
const NFTA_SET_USERDATA = 13;
const NFTA_SET_EXPR = 17;
const NFTA_SET_EXPRESSIONS = 18;
const NFT_SET_MAP = 0x8;
/** Elements with expressions: Linux 5.12 tells so. */
const NFT_SET_EXPR = 0x100;
const NFT_DATA_VERDICT = 0xffffff00;
/** libnftnl's udata.h: in which order the bytes of keys and values are, for `nft list`. */
const KEY_BYTE_ORDER = 0;
const DATA_BYTE_ORDER = 1;
const HOST_ORDER = 1;
const NETWORK_ORDER = 2;

/** Number and bytes of each type (nftables' datatype.h): the kernel keeps the number, `nft list` tells by it how to show values. */
const types = {
  ipv4_addr: { number: 7, bytes: 4, order: NETWORK_ORDER },
  ipv6_addr: { number: 8, bytes: 16, order: NETWORK_ORDER },
  inet_proto: { number: 12, bytes: 1, order: NETWORK_ORDER },
  inet_service: { number: 13, bytes: 2, order: NETWORK_ORDER },
  mark: { number: 19, bytes: 4, order: HOST_ORDER },
  ifname: { number: 41, bytes: 16, order: HOST_ORDER },
} as const;
const TYPE_BITS = 6;

export type FieldType = keyof typeof types;

export interface SetSpec {
  readonly name: string;
  readonly key: readonly FieldType[];
  /** Of a map: what its values are; null: a set. */
  readonly data: readonly FieldType[] | 'verdict' | null;
  /** Whether each element counts the packets that were looked up with success. */
  readonly counter: boolean;
}

/** A set as the kernel has it. */
export interface SetRow {
  readonly table: string;
  readonly name: string;
  readonly keyType: number;
  readonly keyBytes: number;
  /** 0: a set. */
  readonly dataType: number;
  readonly counter: boolean;
}

const lengthOf = (fields: readonly FieldType[]): number =>
  fields.length === 1 ? types[fields[0]!].bytes : fields.reduce((sum, field) => sum + aligned(types[field].bytes), 0);
const typeOf = (fields: readonly FieldType[]): number =>
  fields.reduce((sum, field) => ((sum << TYPE_BITS) | types[field].number) >>> 0, 0);
const orderOf = (fields: readonly FieldType[]): number => (fields.length === 1 ? types[fields[0]!].order : 0);

const dataTypeOf = ({ data }: SetSpec): number =>
  data === null ? 0 : data === 'verdict' ? NFT_DATA_VERDICT : typeOf(data);

/** `id`: any number that no other set of the batch has. */
export function createSet(table: string, spec: SetSpec, id: number): Uint8Array {
  const { name, key, data, counter } = spec;
  const writer = inetMessage(NftMessage.newSet, MessageFlag.create | MessageFlag.exclusive);
  writer.attributeName(NFTA_SET_TABLE, table).attributeName(NFTA_SET_NAME, name);
  writer.attributeBe32(NFTA_SET_FLAGS, data === null ? 0 : NFT_SET_MAP);
  writer.attributeBe32(NFTA_SET_KEY_TYPE, typeOf(key)).attributeBe32(NFTA_SET_KEY_LEN, lengthOf(key));
  if (data !== null) {
    writer.attributeBe32(NFTA_SET_DATA_TYPE, dataTypeOf(spec));
    writer.attributeBe32(NFTA_SET_DATA_LEN, data === 'verdict' ? 0 : lengthOf(data));
  }
  writer.attributeBe32(NFTA_SET_ID, id);
  const orders = new Map([[KEY_BYTE_ORDER, order(orderOf(key))]]);
  if (data !== null) orders.set(DATA_BYTE_ORDER, order(data === 'verdict' ? 0 : orderOf(data)));
  writer.attribute(NFTA_SET_USERDATA, writeUserdata(orders));
  if (counter) writer.nested(NFTA_SET_EXPR, () => writer.attributeName(NFTA_LIST_ELEM, 'counter').nested(2, () => {}));
  return writer.done();
}

export function deleteSet(table: string, name: string): Uint8Array {
  const writer = inetMessage(NftMessage.deleteSet, 0);
  return writer.attributeName(NFTA_SET_TABLE, table).attributeName(NFTA_SET_NAME, name).done();
}

/** Of one table, for a dump. */
export function askSets(table: string): Uint8Array {
  return inetMessage(NftMessage.getSet, 0).attributeName(NFTA_SET_TABLE, table).done();
}

const attributes = new Attributes(NFTA_SET_EXPRESSIONS);

export function parseSet(message: Message): SetRow | null {
  if (!isInet(message, NftMessage.newSet)) return null;
  attributes.read(message.view, message.body + NFGENMSG_LEN, message.end);
  const [table, name] = [attributes.text(NFTA_SET_TABLE), attributes.text(NFTA_SET_NAME)];
  if (table === null || name === null) return null;
  const flags = attributes.be32(NFTA_SET_FLAGS) ?? 0;
  return {
    table,
    name,
    keyType: attributes.be32(NFTA_SET_KEY_TYPE) ?? 0,
    keyBytes: attributes.be32(NFTA_SET_KEY_LEN) ?? 0,
    dataType: (flags & NFT_SET_MAP) === 0 ? 0 : (attributes.be32(NFTA_SET_DATA_TYPE) ?? 0),
    counter: (flags & NFT_SET_EXPR) !== 0 || attributes.has(NFTA_SET_EXPR) || attributes.has(NFTA_SET_EXPRESSIONS),
  };
}

/** Whether the kernel's is the set that is meant. */
export function isSet(row: SetRow, spec: SetSpec): boolean {
  return (
    row.keyType === typeOf(spec.key) &&
    row.keyBytes === lengthOf(spec.key) &&
    row.dataType === dataTypeOf(spec) &&
    row.counter === spec.counter
  );
}

/** libnftnl keeps these numbers in the machine's order. */
function order(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
