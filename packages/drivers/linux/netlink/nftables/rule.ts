/** Rules: expressions one after the other; the first that does not match ends a rule. */
import type { Message } from '../answers.ts';
import { Attributes } from '../attributes.ts';
import { ATTRIBUTE_HEADER_LEN, aligned, MessageFlag, NLA_F_NESTED, NLA_TYPE_MASK } from '../message.ts';
import { NFGENMSG_LEN } from '../netfilter.ts';
import type { Expression } from './expression.ts';
import { inetMessage, isInet, NFTA_LIST_ELEM, NftMessage } from './numbers.ts';

const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_RULE_USERDATA = 7;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;

export interface RuleRow {
  readonly table: string;
  readonly chain: string;
  /** As they lie in the message; for `sameExpressions`. */
  readonly expressions: Uint8Array;
}

/** At the end of its chain. */
export function appendRule(
  table: string,
  chain: string,
  expressions: readonly Expression[],
  userdata: Uint8Array | null = null,
): Uint8Array {
  const writer = inetMessage(NftMessage.newRule, MessageFlag.create | MessageFlag.append);
  writer.attributeName(NFTA_RULE_TABLE, table).attributeName(NFTA_RULE_CHAIN, chain);
  writer.nested(NFTA_RULE_EXPRESSIONS, () => {
    for (const { name, write } of expressions)
      writer.nested(NFTA_LIST_ELEM, () => {
        writer.attributeName(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, () => write(writer));
      });
  });
  if (userdata !== null) writer.attribute(NFTA_RULE_USERDATA, userdata);
  return writer.done();
}

/** All rules of a chain. */
export function flushChain(table: string, chain: string): Uint8Array {
  const writer = inetMessage(NftMessage.deleteRule, 0);
  return writer.attributeName(NFTA_RULE_TABLE, table).attributeName(NFTA_RULE_CHAIN, chain).done();
}

/** Of one table, for a dump: in the order of each chain. */
export function askRules(table: string): Uint8Array {
  return inetMessage(NftMessage.getRule, 0).attributeName(NFTA_RULE_TABLE, table).done();
}

const attributes = new Attributes(NFTA_RULE_USERDATA);

export function parseRule(message: Message): RuleRow | null {
  if (!isInet(message, NftMessage.newRule)) return null;
  return rowOf(message.view, message.body + NFGENMSG_LEN, message.end);
}

/** The row that the kernel would tell of a message of `appendRule`. */
export function ruleOf(message: Uint8Array): RuleRow {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  return rowOf(view, 16 + NFGENMSG_LEN, message.length)!;
}

function rowOf(view: DataView, from: number, to: number): RuleRow | null {
  attributes.read(view, from, to);
  const [table, chain] = [attributes.text(NFTA_RULE_TABLE), attributes.text(NFTA_RULE_CHAIN)];
  if (table === null || chain === null) return null;
  return { table, chain, expressions: attributes.bytes(NFTA_RULE_EXPRESSIONS) ?? new Uint8Array(0) };
}

/** Whether the kernel's rule does what ours says: it has the same expressions, and says of each at least what we have said. */
export function sameExpressions(ours: Uint8Array, kernels: Uint8Array): boolean {
  const [mine, theirs] = [partsOf(ours), partsOf(kernels)];
  return mine.length === theirs.length && mine.every((part, i) => holds(theirs[i]!, part));
}

interface Part {
  readonly type: number;
  readonly nested: boolean;
  readonly value: Uint8Array;
}

function holds(whole: Part, wanted: Part): boolean {
  if (!wanted.nested) {
    return whole.value.length === wanted.value.length && wanted.value.every((byte, i) => byte === whole.value[i]);
  }
  const parts = partsOf(whole.value);
  return partsOf(wanted.value).every((one) => parts.some((part) => part.type === one.type && holds(part, one)));
}

function partsOf(bytes: Uint8Array): Part[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: Part[] = [];
  for (let at = 0; at + ATTRIBUTE_HEADER_LEN <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_LEN || at + length > bytes.length) break;
    const type = view.getUint16(at + 2, true);
    const value = bytes.subarray(at + ATTRIBUTE_HEADER_LEN, at + length);
    parts.push({ type: type & NLA_TYPE_MASK, nested: (type & NLA_F_NESTED) !== 0, value });
    at += aligned(length);
  }
  return parts;
}
