/**
 * Base chains of other people's tables that drop what they do not accept, where packets are forwarded: to accept is everybody's own say, so
 * what we let through is lost there. Whether they mean a link of ours is not known for certain; a rule that names it is taken for yes.
 */
import type { Message } from '../netlink/answers.ts';
import { Attributes } from '../netlink/attributes.ts';
import type { Conversation } from '../netlink/conversation.ts';
import { ATTRIBUTE_HEADER_LEN, aligned } from '../netlink/message.ts';
import {
  NFGENMSG_LEN,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO_INET,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFPROTO_UNSPEC,
  netfilterMessage,
  netfilterType,
} from '../netlink/netfilter.ts';
import { Hook, NftMessage, readData } from '../netlink/nftables/numbers.ts';
import { generationOf } from '../nftables/load.ts';
import { TABLE } from '../nftables/shape.ts';

/** Attributes of chains (NFTA_CHAIN_*) and rules (NFTA_RULE_*). */
const CHAIN_TABLE = 1;
const CHAIN_NAME = 3;
const CHAIN_HOOK = 4;
const CHAIN_POLICY = 5;
const RULE_TABLE = 1;
const RULE_EXPRESSIONS = 4;
const HOOK_NUMBER = 1;
const DROP = 0;
/** Of `meta`: iifname, oifname. */
const LINK_KEYS: readonly number[] = [6, 7];
const FAMILIES: { readonly [family: number]: string } = {
  [NFPROTO_INET]: 'inet',
  [NFPROTO_IPV4]: 'ip',
  [NFPROTO_IPV6]: 'ip6',
};

export interface DroppingChain {
  readonly family: number;
  readonly table: string;
  readonly name: string;
}

/** Names of links in rules; what ends with `*` is the beginning of some. */
interface Named {
  readonly names: Set<string>;
  /** There are sets of them, which are not read. */
  sets: boolean;
}

export interface Dropped {
  /** `ip filter FORWARD` */
  readonly chain: string;
  readonly device: string;
}

export interface Device {
  readonly name: string;
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
}

export class ForwardDrops {
  readonly #kernel: Conversation;
  #generation: number | null = null;
  #chains: readonly (DroppingChain & { readonly named: Named })[] = [];

  constructor(kernel: Conversation) {
    this.#kernel = kernel;
  }

  /** Which of them lose what they forward, and where. Costs one question while nobody changes any rules. Throws ProblemError. */
  async look(devices: readonly Device[]): Promise<readonly Dropped[]> {
    const generation = await generationOf(this.#kernel);
    if (generation !== this.#generation) {
      this.#chains = await this.#read();
      this.#generation = generation;
    }
    return this.#chains.flatMap(({ family, table, name, named }) =>
      devices
        .filter((one) => concerns(family, one) && !named.sets && !isNamed(named, one.name))
        .map((one) => ({ chain: `${FAMILIES[family]} ${table} ${name}`, device: one.name })),
    );
  }

  async #read() {
    const ask = netfilterMessage(netfilterType(NFNL_SUBSYS_NFTABLES, NftMessage.getChain), 0, NFPROTO_UNSPEC).done();
    const chains = await this.#kernel.dump(ask, 'nftables chains', parseDroppingChain);
    const found: (DroppingChain & { readonly named: Named })[] = [];
    for (const chain of chains) {
      const type = netfilterType(NFNL_SUBSYS_NFTABLES, NftMessage.getRule);
      const rules = netfilterMessage(type, 0, chain.family).attributeName(RULE_TABLE, chain.table).done();
      const named: Named = { names: new Set(), sets: false };
      await this.#kernel.dump(rules, 'nftables rules', (message) => readNames(message, named));
      found.push({ ...chain, named });
    }
    return found;
  }
}

function concerns(family: number, { hasIpv4, hasIpv6 }: Device): boolean {
  return family === NFPROTO_INET || (family === NFPROTO_IPV4 ? hasIpv4 : hasIpv6);
}

function isNamed({ names }: Named, device: string): boolean {
  for (const name of names)
    if (name.endsWith('*') ? device.startsWith(name.slice(0, -1)) : name === device) return true;
  return false;
}

const chain = new Attributes(CHAIN_POLICY);
const hook = new Attributes(HOOK_NUMBER);

/** Null: of ours, of another hook, or one that accepts. */
export function parseDroppingChain({ view, type, body, end }: Message): DroppingChain | null {
  if (type !== netfilterType(NFNL_SUBSYS_NFTABLES, NftMessage.newChain) || end - body < NFGENMSG_LEN) return null;
  const family = view.getUint8(body);
  chain.read(view, body + NFGENMSG_LEN, end);
  const [table, name, policy] = [chain.text(CHAIN_TABLE), chain.text(CHAIN_NAME), chain.be32(CHAIN_POLICY)];
  if (!(family in FAMILIES) || table === null || name === null || !chain.has(CHAIN_HOOK) || policy !== DROP)
    return null;
  const isForward = hook.readNested(chain, CHAIN_HOOK).be32(HOOK_NUMBER) === Hook.forward;
  return isForward && !(family === NFPROTO_INET && table === TABLE) ? { family, table, name } : null;
}

const rule = new Attributes(RULE_EXPRESSIONS);
const element = new Attributes(2);
const inner = new Attributes(3);

/** Adds the links that a rule names. */
export function readNames({ view, type, body, end }: Message, into: { names: Set<string>; sets: boolean }): null {
  if (type !== netfilterType(NFNL_SUBSYS_NFTABLES, NftMessage.newRule) || end - body < NFGENMSG_LEN) return null;
  rule.read(view, body + NFGENMSG_LEN, end);
  const from = rule.offsetOf(RULE_EXPRESSIONS);
  const to = from + Math.max(0, rule.lengthOf(RULE_EXPRESSIONS));
  let isLink = false;
  for (let at = from; at + ATTRIBUTE_HEADER_LEN <= to; ) {
    const length = view.getUint16(at, true);
    if (length < ATTRIBUTE_HEADER_LEN || at + length > to) break;
    element.read(view, at + ATTRIBUTE_HEADER_LEN, at + length);
    inner.readNested(element, 2);
    const what = element.text(1);
    if (isLink && what === 'cmp') {
      const data = readData(inner, 3);
      if (data instanceof Uint8Array) into.names.add(nameOf(data));
    } else if (isLink && what === 'lookup') into.sets = true;
    isLink = what === 'meta' && LINK_KEYS.includes(inner.be32(2) ?? 0);
    at += aligned(length);
  }
  return null;
}

/** A whole name ends with a zero byte; without one it is the beginning of some. */
function nameOf(data: Uint8Array): string {
  const end = data.indexOf(0);
  const text = new TextDecoder().decode(end < 0 ? data : data.subarray(0, end));
  return end < 0 ? `${text}*` : text;
}
