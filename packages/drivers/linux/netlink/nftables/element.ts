/** Elements of sets and maps: what changes when something is published or connected. */
import type { Message } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import { ATTRIBUTE_HEADER_LEN, MessageFlag, type MessageWriter } from '../message.ts';
import { NFGENMSG_LEN } from '../netfilter.ts';
import { inetMessage, isInet, NFTA_LIST_ELEM, NftMessage, readData, type Verdict, writeData } from './numbers.ts';

const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_SET_ELEM_DATA = 2;
const NFTA_SET_ELEM_USERDATA = 6;
const NFTA_SET_ELEM_EXPR = 7;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;
/** The list is an attribute, whose length has 16 bits; elements are not longer than this all together in one message. */
const LIST_BYTES = 32 * 1024;

export interface Element {
  readonly key: Uint8Array;
  /** Of a map. */
  readonly data: Uint8Array | Verdict | null;
  readonly userdata: Uint8Array | null;
}

export interface ElementRow extends Element {
  /** Of a set that counts. */
  readonly packets: number | null;
  readonly bytes: number | null;
}

/** As many messages as it takes. `object.exists` when one of them is there. */
export function addElements(table: string, set: string, elements: readonly Element[]): Uint8Array[] {
  return lists(NftMessage.newElement, MessageFlag.create | MessageFlag.exclusive, table, set, elements);
}

/** By their keys. */
export function deleteElements(table: string, set: string, keys: readonly Uint8Array[]): Uint8Array[] {
  return lists(NftMessage.deleteElement, 0, table, set, keys.map(bare));
}

/** All of them. */
export function clearSet(table: string, set: string): Uint8Array {
  return head(inetMessage(NftMessage.deleteElement, 0), table, set).done();
}

/** Those with the keys; the kernel answers ENOENT at the first that is missing. */
export function askElements(table: string, set: string, keys: readonly Uint8Array[]): Uint8Array[] {
  return lists(NftMessage.getElement, 0, table, set, keys.map(bare));
}

/** All of a set, for a dump. */
export function askSet(table: string, set: string): Uint8Array {
  return head(inetMessage(NftMessage.getElement, 0), table, set).done();
}

const bare = (key: Uint8Array): Element => ({ key, data: null, userdata: null });
const list = new Attributes(NFTA_SET_ELEM_LIST_ELEMENTS);
const element = new Attributes(NFTA_SET_ELEM_EXPR);
const key = new Attributes(1);
const expression = new Attributes(NFTA_EXPR_DATA);
const counter = new Attributes(NFTA_COUNTER_PACKETS);
/** NFTA_DATA_VALUE */
const VALUE = 1;

/** Null: this is about no elements. */
export function parseElements(message: Message): ElementRow[] | null {
  if (!isInet(message, NftMessage.newElement)) return null;
  list.read(message.view, message.body + NFGENMSG_LEN, message.end);
  if (!list.has(NFTA_SET_ELEM_LIST_ELEMENTS)) return [];
  const { view } = message;
  const rows: ElementRow[] = [];
  const from = list.offsetOf(NFTA_SET_ELEM_LIST_ELEMENTS);
  const end = from + list.lengthOf(NFTA_SET_ELEM_LIST_ELEMENTS);
  for (let at = from; at + ATTRIBUTE_HEADER_LEN <= end; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_LEN || at + length > end) break;
    element.read(view, at + ATTRIBUTE_HEADER_LEN, at + length);
    const bytes = key.readNested(element, NFTA_SET_ELEM_KEY).bytes(VALUE);
    if (bytes !== null) rows.push(rowOf(bytes));
    at += (length + 3) & ~3;
  }
  return rows;
}

function rowOf(key: Uint8Array): ElementRow {
  const counts = expression.readNested(element, NFTA_SET_ELEM_EXPR).text(NFTA_EXPR_NAME) === 'counter';
  if (counts) counter.readNested(expression, NFTA_EXPR_DATA);
  return {
    key,
    data: readData(element, NFTA_SET_ELEM_DATA),
    userdata: element.bytes(NFTA_SET_ELEM_USERDATA),
    packets: counts ? counter.be64(NFTA_COUNTER_PACKETS) : null,
    bytes: counts ? counter.be64(NFTA_COUNTER_BYTES) : null,
  };
}

function lists(type: number, flags: number, table: string, set: string, elements: readonly Element[]): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let next = 0; next < elements.length; ) {
    const writer = head(inetMessage(type, flags), table, set);
    writer.nested(NFTA_SET_ELEM_LIST_ELEMENTS, () => {
      const begin = writer.raw(new Uint8Array(0));
      while (next < elements.length && writer.since(begin) < LIST_BYTES) writeElement(writer, elements[next++]!);
    });
    messages.push(writer.done());
  }
  return messages;
}

function writeElement(writer: MessageWriter, { key, data, userdata }: Element): void {
  writer.nested(NFTA_LIST_ELEM, () => {
    writeData(writer, NFTA_SET_ELEM_KEY, key);
    if (data !== null) writeData(writer, NFTA_SET_ELEM_DATA, data);
    if (userdata !== null) writer.attribute(NFTA_SET_ELEM_USERDATA, userdata);
  });
}

function head(writer: MessageWriter, table: string, set: string): MessageWriter {
  return writer.attributeName(NFTA_SET_ELEM_LIST_TABLE, table).attributeName(NFTA_SET_ELEM_LIST_SET, set);
}
