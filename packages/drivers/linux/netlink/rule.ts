/** Rules that say which table is asked: struct fib_rule_hdr (linux/fib_rules.h, rtnetlink(7)). */
import type { Prefix } from '@vrouter/core/prefix.ts';
import { addressLength } from './address.ts';
import type { Message } from './answers.ts';
import { Attributes } from './attributes.ts';
import { MessageFlag, MessageType, MessageWriter } from './message.ts';
import { ROUTE_PROTOCOL } from './route.ts';

const HEADER_LEN = 12;
const FR_ACT_TO_TBL = 1;
const FR_ACT_UNREACHABLE = 7;
const RT_TABLE_COMPAT = 252;
const FRA_DST = 1;
const FRA_SRC = 2;
const FRA_IIFNAME = 3;
const FRA_PRIORITY = 6;
const FRA_FWMARK = 10;
const FRA_TABLE = 15;
const FRA_FWMASK = 16;
const FRA_OIFNAME = 17;
const FRA_L3MDEV = 19;
const FRA_PROTOCOL = 21;

/** Null fields match everything. */
export interface Rule {
  /** AF_INET or AF_INET6. */
  readonly family: number;
  /** Asked in this order, least first. */
  readonly priority: number;
  readonly from: Prefix | null;
  readonly to: Prefix | null;
  /** Names of links by which a packet came, and by which a socket wants it to leave. */
  readonly incoming: string | null;
  readonly outgoing: string | null;
  /** Value and mask. */
  readonly mark: readonly [number, number] | null;
  /** Number of a table; `vrf`: that of the VRF which the packet is in; null: it is unreachable. */
  readonly table: number | 'vrf' | null;
}

export interface RuleRow extends Rule {
  readonly protocol: number;
}

/** `object.exists` when just this rule is there. */
export function createRule(rule: Rule): Uint8Array {
  return write(MessageType.newRule, MessageFlag.create | MessageFlag.exclusive, rule);
}

export function deleteRule(rule: Rule): Uint8Array {
  return write(MessageType.deleteRule, 0, rule);
}

/** All of a family, for a dump. */
export function askRules(family: number): Uint8Array {
  const body = new Uint8Array(HEADER_LEN);
  body[0] = family;
  return new MessageWriter(MessageType.getRule, 0, body).done();
}

const attributes = new Attributes(FRA_PROTOCOL);

/** Null: this is no rule that asks a table or says unreachable. */
export function parseRule({ view, type, body, end }: Message): RuleRow | null {
  const known = type === MessageType.newRule || type === MessageType.deleteRule;
  if (!known || end - body < HEADER_LEN) return null;
  const family = view.getUint8(body);
  const length = addressLength(family);
  const action = view.getUint8(body + 7);
  if (length === 0 || (action !== FR_ACT_TO_TBL && action !== FR_ACT_UNREACHABLE)) return null;
  attributes.read(view, body + HEADER_LEN, end);
  const prefix = (number: number, bits: number): Prefix | null => {
    const address = attributes.bytes(number, length);
    return address === null || bits > length * 8 ? null : { address, bits };
  };
  const mark = attributes.u32(FRA_FWMARK);
  return {
    family,
    priority: attributes.u32(FRA_PRIORITY) ?? 0,
    from: prefix(FRA_SRC, view.getUint8(body + 2)),
    to: prefix(FRA_DST, view.getUint8(body + 1)),
    incoming: attributes.text(FRA_IIFNAME),
    outgoing: attributes.text(FRA_OIFNAME),
    mark: mark === null ? null : [mark, attributes.u32(FRA_FWMASK) ?? 0xffffffff],
    table: tableOf(action, view.getUint8(body + 4)),
    protocol: attributes.u8(FRA_PROTOCOL) ?? 0,
  };
}

function tableOf(action: number, short: number): number | 'vrf' | null {
  if (action === FR_ACT_UNREACHABLE) return null;
  return attributes.u8(FRA_L3MDEV) === 1 ? 'vrf' : (attributes.u32(FRA_TABLE) ?? short);
}

function write(type: number, flags: number, rule: Rule): Uint8Array {
  const { family, priority, from, to, incoming, outgoing, mark, table } = rule;
  const body = new Uint8Array(HEADER_LEN);
  body[0] = family;
  body[1] = to?.bits ?? 0;
  body[2] = from?.bits ?? 0;
  body[4] = typeof table !== 'number' ? 0 : table < 256 ? table : RT_TABLE_COMPAT;
  body[7] = table === null ? FR_ACT_UNREACHABLE : FR_ACT_TO_TBL;
  const writer = new MessageWriter(type, flags, body).attributeU32(FRA_PRIORITY, priority);
  if (from !== null) writer.attribute(FRA_SRC, from.address);
  if (to !== null) writer.attribute(FRA_DST, to.address);
  if (incoming !== null) writer.attributeName(FRA_IIFNAME, incoming);
  if (outgoing !== null) writer.attributeName(FRA_OIFNAME, outgoing);
  if (mark !== null) writer.attributeU32(FRA_FWMARK, mark[0]).attributeU32(FRA_FWMASK, mark[1]);
  if (table === 'vrf') writer.attributeU8(FRA_L3MDEV, 1);
  else if (table !== null) writer.attributeU32(FRA_TABLE, table);
  return writer.attributeU8(FRA_PROTOCOL, ROUTE_PROTOCOL).done();
}
