/**
 * Rules that the program iptables, as far as it speaks to nftables, has made in its table `nat` of IPv4: what matches and targets of x_tables
 * say is in structs of linux/netfilter (xt_comment.h, xt_tcpudp.h, nf_nat.h). Only what is understood to the last expression is told.
 */
import type { Prefix } from '@vrouter/core/prefix.ts';
import type { Message } from '../netlink/answers.ts';
import { Attributes } from '../netlink/attributes.ts';
import { ATTRIBUTE_HEADER_LEN, aligned } from '../netlink/message.ts';
import {
  NFGENMSG_LEN,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_IPV4,
  netfilterMessage,
  netfilterType,
} from '../netlink/netfilter.ts';
import { NftMessage, readData } from '../netlink/nftables/numbers.ts';
import { isOneTarget, portOf, type Target, targetOf, textOf } from './xtables.ts';

const TABLE = 'nat';
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_HANDLE = 3;
const NFTA_RULE_EXPRESSIONS = 4;
/** Of expressions: enum nft_payload_bases, nft_meta_keys, nft_cmp_ops. */
const NETWORK = 1;
const TRANSPORT = 2;
const L4PROTO = 16;
const EQUAL = 0;

/** What a rule does, of the two kinds that are looked for. */
export type OldMeaning =
  | { readonly kind: 'masquerade'; readonly sources: Prefix }
  | {
      readonly kind: 'published';
      readonly protocol: 'tcp' | 'udp';
      readonly hostPort: number;
      readonly address: Uint8Array;
      readonly port: number;
    };

export interface OldRule {
  readonly chain: string;
  /** Names it in its table for as long as it lives. */
  readonly handle: number;
  readonly comment: string;
  /** Null: it says more, or other things, than those two. */
  readonly meaning: OldMeaning | null;
}

/** For a dump. */
export function askOldRules(): Uint8Array {
  return message(NftMessage.getRule).attributeName(NFTA_RULE_TABLE, TABLE).done();
}

export function deleteOldRule({ chain, handle }: OldRule): Uint8Array {
  const writer = message(NftMessage.deleteRule).attributeName(NFTA_RULE_TABLE, TABLE);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(handle));
  return writer.attributeName(NFTA_RULE_CHAIN, chain).attribute(NFTA_RULE_HANDLE, bytes).done();
}

function message(type: number) {
  return netfilterMessage(netfilterType(NFNL_SUBSYS_NFTABLES, type), 0, NFPROTO_IPV4);
}

const rule = new Attributes(NFTA_RULE_EXPRESSIONS);

/** Null: it is no rule of that table, or nobody has written anything on it. */
export function parseOldRule({ view, type, body, end }: Message): OldRule | null {
  if (type !== netfilterType(NFNL_SUBSYS_NFTABLES, NftMessage.newRule) || end - body < NFGENMSG_LEN) return null;
  if (view.getUint8(body) !== NFPROTO_IPV4) return null;
  rule.read(view, body + NFGENMSG_LEN, end);
  const [chain, handle] = [rule.text(NFTA_RULE_CHAIN), rule.be64(NFTA_RULE_HANDLE)];
  if (rule.text(NFTA_RULE_TABLE) !== TABLE || chain === null || handle === null) return null;
  const from = rule.offsetOf(NFTA_RULE_EXPRESSIONS);
  const length = rule.lengthOf(NFTA_RULE_EXPRESSIONS);
  const said: Said = { comment: null, odd: false, protocol: null, port: null, sources: null, target: null };
  for (const [at, to] of elementsOf(view, from, length < 0 ? from : from + length)) hear(said, view, at, to);
  return said.comment === null ? null : { chain, handle, comment: said.comment, meaning: meaningOf(said) };
}

/** What the expressions of a rule have said so far. */
interface Said {
  comment: string | null;
  odd: boolean;
  protocol: number | null;
  port: number | null;
  sources: Prefix | null;
  target: Target | null;
  /** What lies in the register, to be compared next. */
  loaded?: { what: 'protocol' | 'port' | 'source'; bits: number } | undefined;
}

function* elementsOf(view: DataView, from: number, to: number): Generator<readonly [number, number]> {
  for (let at = from; at + ATTRIBUTE_HEADER_LEN <= to; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_LEN || at + length > to) return;
    yield [at + ATTRIBUTE_HEADER_LEN, at + length];
    at += aligned(length);
  }
}

const element = new Attributes(2);
const inner = new Attributes(5);

function hear(said: Said, view: DataView, from: number, to: number): void {
  element.read(view, from, to);
  inner.readNested(element, 2);
  switch (element.text(1)) {
    case 'counter':
      return;
    case 'payload':
      said.loaded = loadedBy(inner.be32(2), inner.be32(3), inner.be32(4) ?? 0);
      break;
    case 'meta':
      said.loaded = inner.be32(2) === L4PROTO ? { what: 'protocol', bits: 8 } : undefined;
      break;
    case 'bitwise':
      if (said.loaded !== undefined) said.loaded.bits = maskBits(readData(inner, 4), readData(inner, 5));
      break;
    case 'cmp':
      compare(said, inner.be32(2) === EQUAL ? readData(inner, 3) : null);
      return;
    case 'match':
      match(said, inner.text(1), inner.bytes(3));
      return;
    case 'target':
      if (said.target !== null) said.odd = true;
      said.target = targetOf(inner.text(1), inner.be32(2), inner.bytes(3));
      return;
    default:
      said.odd = true;
      return;
  }
  if (said.loaded === undefined) said.odd = true;
}

function loadedBy(base: number | null, offset: number | null, length: number): Said['loaded'] {
  if (base === NETWORK && offset === 12 && length >= 1 && length <= 4) return { what: 'source', bits: length * 8 };
  if (base === TRANSPORT && offset === 2 && length === 2) return { what: 'port', bits: 16 };
  return undefined;
}

/** -1: this is no mask of a prefix. */
function maskBits(mask: unknown, xor: unknown): number {
  if (!(mask instanceof Uint8Array) || !(xor instanceof Uint8Array) || xor.some((byte) => byte !== 0)) return -1;
  const text = [...mask].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return /^1+0*$/.test(text) ? text.lastIndexOf('1') + 1 : -1;
}

function compare(said: Said, value: unknown): void {
  const { loaded } = said;
  said.loaded = undefined;
  if (!(value instanceof Uint8Array) || loaded === undefined || loaded.bits < 0) {
    said.odd = true;
    return;
  }
  const [first = 0, second = 0] = value;
  if (loaded.what === 'protocol' && said.protocol === null) said.protocol = first;
  else if (loaded.what === 'port' && said.port === null) said.port = (first << 8) | second;
  else if (loaded.what === 'source' && said.sources === null)
    said.sources = { address: Uint8Array.from({ length: 4 }, (_, i) => value[i] ?? 0), bits: loaded.bits };
  else said.odd = true;
}

function match(said: Said, name: string | null, info: Uint8Array | null): void {
  if (name === 'comment' && info !== null && said.comment === null) {
    said.comment = textOf(info);
    return;
  }
  const port = name === 'tcp' || name === 'udp' ? portOf(name, info) : null;
  if (port === null || said.port !== null) said.odd = true;
  else said.port = port;
}

function meaningOf({ odd, protocol, port, sources, target }: Said): OldMeaning | null {
  if (odd || target === null) return null;
  if (target.name === 'MASQUERADE')
    return sources !== null && protocol === null && port === null ? { kind: 'masquerade', sources } : null;
  if (sources !== null || port === null || (protocol !== 6 && protocol !== 17) || !isOneTarget(target)) return null;
  const { address, port: to } = target.first;
  return { kind: 'published', protocol: protocol === 6 ? 'tcp' : 'udp', hostPort: port, address, port: to };
}
