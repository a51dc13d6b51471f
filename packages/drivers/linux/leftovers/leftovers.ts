/**
 * What an older router for container networks left in the kernel: VLAN links, and rules of iptables' nat table with a comment. Read alone;
 * what is ours already is not told. Rules of the legacy iptables are not in nftables, and not seen.
 */
import type { Prefix } from '@vrouter/core/prefix.ts';
import { type Problem, ProblemError } from '@vrouter/core/problem.ts';
import type { MadeLinks } from '../links/made.ts';
import { markOf } from '../links/mark.ts';
import { askAddresses, parseAddress } from '../netlink/address.ts';
import type { Conversation } from '../netlink/conversation.ts';
import { askLinks, parseLink } from '../netlink/link.ts';
import { AF_INET, AF_INET6 } from '../netlink/message.ts';
import { beginBatch, endBatch } from '../netlink/nftables/batch.ts';
import { Errno, refusalProblem } from '../netlink/refusal.ts';
import { generationOf } from '../nftables/load.ts';
import { askOldRules, deleteOldRule, type OldRule, parseOldRule } from './rule.ts';

export interface OldLink {
  readonly name: string;
  readonly parent: string;
  readonly vlanId: number;
  readonly mtu: number;
  readonly parentMtu: number;
  /** Those that somebody gave it; link-local ones are left out. */
  readonly addresses: readonly Prefix[];
}

export interface Leftovers {
  readonly links: readonly OldLink[];
  readonly rules: readonly OldRule[];
}

const TRIES = 10;

export class LeftoverReader {
  readonly #routing: Conversation;
  readonly #netfilter: Conversation;
  readonly #made: MadeLinks;

  constructor(routing: Conversation, netfilter: Conversation, made: MadeLinks) {
    this.#routing = routing;
    this.#netfilter = netfilter;
    this.#made = made;
  }

  /** Throws ProblemError when the kernel does not say. */
  async read(): Promise<Leftovers> {
    const rows = await this.#routing.dump(askLinks(), 'links', parseLink);
    const byIndex = new Map(rows.map((row) => [row.index, row]));
    const addresses = new Map<number, Prefix[]>();
    for (const family of [AF_INET, AF_INET6])
      for (const { link, address, permanent } of await this.#routing.dump(
        askAddresses(family),
        'addresses',
        parseAddress,
      ))
        if (permanent && !isLinkLocal(address)) addresses.set(link, [...(addresses.get(link) ?? []), address]);
    const links = rows.flatMap((row): OldLink[] => {
      const parent = byIndex.get(row.parent);
      if (row.kind !== 'vlan' || row.vlanId === null || parent === undefined) return [];
      if (markOf(row) !== null || this.#made.markOf(row) !== null) return [];
      const { name, vlanId, mtu, index } = row;
      return [{ name, parent: parent.name, vlanId, mtu, parentMtu: parent.mtu, addresses: addresses.get(index) ?? [] }];
    });
    return { links, rules: await this.#rules() };
  }

  /** The VLAN link of that name may be taken from now on, when it is asked for. Throws ProblemError. */
  async offer(device: string): Promise<void> {
    const row = await this.#routing.get(askLinks(device), device, parseLink, [Errno.ENODEV]);
    if (row !== null) this.#made.offer(row);
  }

  /** It stays whose it was. */
  withdraw(device: string): void {
    this.#made.withdraw(device);
  }

  /** Takes away those of the rules that are still what they were, and no others. Null: done. */
  async remove(rules: readonly OldRule[]): Promise<Problem | null> {
    if (rules.length === 0) return null;
    const wanted = new Map(rules.map((rule) => [keyOf(rule), rule]));
    for (let tries = 0; tries < TRIES; tries++) {
      const generation = await generationOf(this.#netfilter);
      const there = (await this.#rules()).filter((rule) => wanted.has(keyOf(rule)));
      if (there.length === 0) return null;
      const refused = await this.#netfilter.transact(beginBatch(generation), there.map(deleteOldRule), endBatch());
      const first = refused.find(({ refusal }) => refusal.errno !== Errno.ERESTART);
      if (refused.length === 0) return null;
      // Otherwise somebody was faster, and a number may be another rule's by now.
      if (first !== undefined) return refusalProblem(first.refusal, 'nftables: an old rule of iptables');
    }
    return refusalProblem({ errno: Errno.ERESTART, text: '' }, 'nftables: an old rule of iptables');
  }

  async #rules(): Promise<OldRule[]> {
    try {
      return await this.#netfilter.dump(askOldRules(), 'nftables rules', parseOldRule);
    } catch (thrown) {
      // There is no such table.
      if (thrown instanceof ProblemError && /ENOENT/.test(thrown.message)) return [];
      throw thrown;
    }
  }
}

const keyOf = ({ chain, handle, comment, meaning }: OldRule): string =>
  JSON.stringify([chain, handle, comment, meaning]);

/** fe80::/10 */
const isLinkLocal = ({ address }: Prefix): boolean =>
  address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
