/**
 * NAT rules and pools by name, and what the translator is told of them. Rules are judged one by one; what follows from all of them (and
 * from links and addresses, which may change under them) is made anew once, when a list of actions is done: `settle`.
 */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatPrefix, type Prefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import type { Action, DumpRow, NatSessionRow, NatSessionsReply, NatSettingsFields } from '../control/messages.ts';
import type { HostRule } from '../nat/hosts.ts';
import type { MasqueradeRule, Pool } from '../nat/masquerade.ts';
import type { Nat } from '../nat/nat.ts';
import type { PublishedRange } from '../nat/published.ts';
import { MAX_LIFE_MS, MAX_SESSIONS, type NatSettings } from '../nat/settings.ts';
import { isEstablished, isTwoWay } from '../nat/tcp-state.ts';
import { type Forwarding, freeIndex, type Link, type Vrf } from '../state/forwarding.ts';
import { LinkNetworks } from './networks.ts';
import type { Routes } from './routes.ts';

type PoolSet = Extract<Action, { do: 'natPool.set' }>;
type MasqueradeSet = Extract<Action, { do: 'masquerade.set' }>;
type PublishSet = Extract<Action, { do: 'publish.set' }>;
type FloatingSet = Extract<Action, { do: 'floating.set' }>;
type SettingsRow = Extract<DumpRow, { is: 'natSettings' }>;
type RuleSet = MasqueradeSet | PublishSet | FloatingSet;
type PoolRow = Extract<DumpRow, { is: 'natPool' }>;
type RuleRow = Extract<DumpRow, { is: 'masquerade' | 'publish' | 'floating' }>;

interface PoolRecord extends Pool {
  readonly name: string;
  readonly texts: readonly string[];
}

interface RuleRecord {
  readonly index: number;
  readonly vrf: Vrf;
  readonly set: RuleSet;
  readonly links: readonly Link[];
}

/** Rules and pools that may be, each. */
const MAX_RULES = 65_536;
const MAX_POOL_ADDRESSES = 1024;

export class NatTable {
  readonly #forwarding: Forwarding;
  readonly #nat: Nat;
  readonly #routes: Routes;
  readonly #pools: Map<string, PoolRecord>;
  readonly #poolIndexes: (PoolRecord | null)[];
  readonly #rules: Map<string, RuleRecord>;
  readonly #ruleIndexes: (RuleRecord | null)[];
  /** Addresses that are ours because of us, by VRF. */
  #adopted: readonly { readonly vrf: Vrf; readonly address: Uint8Array }[];
  /** By link index: those that lie in its networks. */
  #onLink: readonly (readonly Prefix[])[];
  /** Rules that are gone or others since the last settling. */
  readonly #gone: Set<number>;
  #isStale: boolean;
  /** What holds when nobody says otherwise, and what somebody has said. */
  readonly #usual: NatSettings;
  #said: NatSettingsFields | null;

  constructor(forwarding: Forwarding, nat: Nat, routes: Routes) {
    this.#forwarding = forwarding;
    this.#nat = nat;
    this.#routes = routes;
    this.#pools = new Map();
    this.#poolIndexes = [];
    this.#rules = new Map();
    this.#ruleIndexes = [];
    this.#adopted = [];
    this.#onLink = [];
    this.#gone = new Set();
    this.#isStale = false;
    this.#usual = nat.sessions.settings;
    this.#said = null;
  }

  setSettings({ do: _, ...said }: { readonly do: 'natSettings.set' } & NatSettingsFields): Problem | null {
    for (const [name, value] of Object.entries(said)) {
      const most = name.endsWith('Seconds') ? MAX_LIFE_MS / 1000 : MAX_SESSIONS;
      if (!Number.isInteger(value) || value < 1 || value > most)
        return problem('input.invalid', `${name} is a whole number from 1 to ${most}`, name);
    }
    this.#said = said;
    this.#nat.limit({
      ...this.#usual,
      maxSessions: said.sessions,
      maxPerHost: said.sessionsPerHost,
      udpMs: 1000 * said.udpSeconds,
      udpOneWayMs: 1000 * said.udpOneWaySeconds,
      tcpEstablishedMs: 1000 * said.tcpEstablishedSeconds,
      tcpTransitoryMs: 1000 * said.tcpTransitorySeconds,
      icmpMs: 1000 * said.icmpSeconds,
    });
    return null;
  }

  removeSettings(): null {
    this.#said = null;
    this.#nat.limit(this.#usual);
    return null;
  }

  settingsRow(): SettingsRow | null {
    return this.#said === null ? null : { is: 'natSettings', ...this.#said };
  }

  /** Links or addresses have changed. */
  touch(): void {
    if (this.#rules.size > 0) this.#isStale = true;
  }

  setPool(action: PoolSet): Problem | null {
    const bad = badPorts(action.firstPort, action.lastPort);
    if (bad !== null) return bad;
    if (action.addresses.length === 0 || action.addresses.length > MAX_POOL_ADDRESSES)
      return problem('input.invalid', `a pool has 1 to ${MAX_POOL_ADDRESSES} addresses`, 'addresses');
    const addresses: number[] = [];
    for (const [i, text] of action.addresses.entries()) {
      const address = ownAddress(text, `addresses[${i}]`);
      if (typeof address !== 'number') return address;
      addresses.push(address);
    }
    const sorted = [...new Set(addresses)].sort((a, b) => (a >>> 0) - (b >>> 0));
    const texts = sorted.map(formatAddress).sort();
    const before = this.#pools.get(action.name);
    const { firstPort, lastPort } = action;
    if (
      before !== undefined &&
      before.texts.join() === texts.join() &&
      before.firstPort === firstPort &&
      before.lastPort === lastPort
    )
      return null;
    const index = before?.index ?? freeIndex(this.#poolIndexes);
    const pool = { name: action.name, index, texts, addresses: Int32Array.from(sorted), firstPort, lastPort };
    this.#pools.set(action.name, pool);
    this.#poolIndexes[index] = pool;
    if (before === undefined) this.#nat.exhausted[index] = 0;
    this.#isStale = true;
    return null;
  }

  removePool(name: string): Problem | null {
    const pool = this.#pools.get(name);
    if (pool === undefined) return null;
    const user = [...this.#rules.values()].find(({ set }) => set.do === 'masquerade.set' && set.pool === name);
    if (user !== undefined)
      return problem('object.dependency', `NAT rule ${user.set.name} uses pool ${name}; remove it first`, 'name');
    this.#pools.delete(name);
    this.#poolIndexes[pool.index] = null;
    return null;
  }

  setMasquerade(action: MasqueradeSet, vrf: Vrf, links: readonly Link[]): Problem | null {
    const prefix = parsePrefix(action.prefix, 'prefix');
    if (!prefix.ok) return prefix.error;
    if (prefix.value.address.length !== 4)
      return problem('input.invalid', 'only IPv4 is translated; give an IPv4 prefix', 'prefix');
    if (action.pool !== null && !this.#pools.has(action.pool))
      return problem('object.dependency', `there is no NAT pool ${action.pool}; make it first`, 'pool');
    const leaving = action.leaving === null ? null : [...new Set(action.leaving)].sort();
    return this.#setRule({ ...action, prefix: formatPrefix(prefix.value), leaving }, vrf, links);
  }

  setPublish(action: PublishSet, vrf: Vrf): Problem | null {
    const bad = badPorts(action.firstPort, action.lastPort);
    if (bad !== null) return bad;
    if (!isPort(action.toPort) || action.toPort + action.lastPort - action.firstPort > 0xffff)
      return problem('input.invalid', 'toPort, and all ports that follow from it, lie from 1 to 65535', 'toPort');
    const address = action.address === null ? 0 : ownAddress(action.address, 'address');
    if (typeof address !== 'number') return address;
    const to = ownAddress(action.toAddress, 'toAddress');
    if (typeof to !== 'number') return to;
    const text = address === 0 ? null : formatAddress(address);
    for (const { set, vrf: other } of this.#rules.values())
      if (
        set.do === 'publish.set' &&
        set.name !== action.name &&
        other === vrf &&
        overlaps(set, { ...action, address: text })
      )
        return problem('object.exists', `NAT rule ${set.name} publishes some of these ports`, 'firstPort');
    return this.#setRule({ ...action, address: text, toAddress: formatAddress(to) }, vrf, []);
  }

  setFloating(action: FloatingSet, vrf: Vrf): Problem | null {
    const address = ownAddress(action.address, 'address');
    if (typeof address !== 'number') return address;
    const to = ownAddress(action.toAddress, 'toAddress');
    if (typeof to !== 'number') return to;
    const set = { ...action, address: formatAddress(address), toAddress: formatAddress(to) };
    for (const { set: other, vrf: where } of this.#rules.values()) {
      if (other.do !== 'floating.set' || other.name === set.name || where !== vrf) continue;
      // Who is both has no way to tell in from out.
      for (const field of ['address', 'toAddress'] as const)
        if (other.address === set[field] || other.toAddress === set[field])
          return problem('object.exists', `NAT rule ${other.name} has ${set[field]} already`, field);
    }
    if (address === to) return problem('input.invalid', 'an address does not stand for itself', 'toAddress');
    return this.#setRule(set, vrf, []);
  }

  removeRule(name: string): Problem | null {
    const rule = this.#rules.get(name);
    if (rule === undefined) return null;
    this.#rules.delete(name);
    // Its number is free again when its sessions have ended.
    this.#gone.add(rule.index);
    this.#isStale = true;
    return null;
  }

  /** How many rules stand on a link, or on a VRF. */
  rulesOn(what: Link | Vrf): number {
    let count = 0;
    for (const rule of this.#rules.values()) if (rule.vrf === what || rule.links.includes(what as Link)) count++;
    return count;
  }

  /** Tells the translator how things are, if they are others than before; whether they were. */
  settle(): boolean {
    if (!this.#isStale) return false;
    this.#isStale = false;
    const { links } = this.#forwarding;
    const addresses = new Int32Array(links.length);
    const vrfs = new Int32Array(links.length);
    links.forEach((link, i) => {
      if (link === null) return;
      addresses[i] = this.#routes.firstAddress4(link);
      vrfs[i] = link.vrf;
    });
    const networks = new LinkNetworks(this.#forwarding, this.#routes);
    const masquerade: MasqueradeRule[] = [];
    const published: PublishedRange[] = [];
    const hosts: HostRule[] = [];
    for (const rule of this.#rules.values()) {
      if (rule.set.do === 'masquerade.set') masquerade.push(this.#masquerade(rule, rule.set, links.length));
      else if (rule.set.do === 'publish.set') published.push(publishedRange(rule, rule.set, networks));
      else hosts.push(hostRule(rule, rule.set));
    }
    this.#adopt(masquerade, hosts, published, vrfs);
    this.#onLink = networks.answering(this.#adopted);
    this.#nat.configure(masquerade, published, addresses, vrfs, this.#gone, hosts);
    for (const index of this.#gone) {
      const rule = this.#ruleIndexes[index]!;
      if (rule !== null && this.#rules.get(rule.set.name) !== rule) this.#ruleIndexes[index] = null;
    }
    this.#gone.clear();
    this.#forwarding.natIn = this.#rules.size > 0;
    const all = published.length > 0 || hosts.length > 0 || masquerade.some((rule) => rule.leaving === null);
    const out = new Uint8Array(links.length).fill(all ? 1 : 0);
    for (const { leaving } of masquerade)
      leaving?.forEach((yes, link) => {
        if (yes === 1) out[link] = 1;
      });
    this.#forwarding.natOut = out;
    return true;
  }

  /** Outside addresses of a link's VRF, as of the last settling, that lie in its networks and are none of its own: each as a /32. */
  addressesOn(link: Link): readonly Prefix[] {
    return this.#onLink[link.index] ?? [];
  }

  *rows(): Iterable<SettingsRow | PoolRow | RuleRow> {
    const settings = this.settingsRow();
    if (settings !== null) yield settings;
    for (const pool of this.#pools.values()) yield this.#poolRow(pool);
    for (const rule of this.#rules.values()) yield this.#ruleRow(rule);
  }

  poolRow(name: string): PoolRow | null {
    const pool = this.#pools.get(name);
    return pool === undefined ? null : this.#poolRow(pool);
  }

  ruleRow(name: string): RuleRow | null {
    const rule = this.#rules.get(name);
    return rule === undefined ? null : this.#ruleRow(rule);
  }

  /** Live sessions, at most `limit` of them, and how many there are; `now` is in milliseconds. */
  sessions(limit: number, now: number): NatSessionsReply {
    const s = this.#nat.sessions;
    this.#nat.advance(now);
    const rows: NatSessionRow[] = [];
    for (let i = 0; i < s.rows && rows.length < limit; i++) {
      if (s.protocol[i] === 0) continue;
      const protocol = protocolNames[s.protocol[i]!]!;
      const seen = s.seen[i]!;
      rows.push({
        rule: this.#ruleIndexes[s.rule[i]!]?.set.name ?? '',
        protocol,
        inside: `${formatAddress(s.insideIp[i]!)}:${s.insidePort[i]!}`,
        outside: `${formatAddress(s.outsideIp[i]!)}:${s.outsidePort[i]!}`,
        remote:
          protocol === 'icmp' ? formatAddress(s.remoteIp[i]!) : `${formatAddress(s.remoteIp[i]!)}:${s.remotePort[i]!}`,
        state: (protocol === 'tcp' ? isEstablished(seen) : isTwoWay(seen)) ? 'established' : 'transitory',
        expiresInSeconds: s.deadline[i]! - s.tick,
      });
    }
    const { count: hosts, most: mostOfHost } = s.hosts();
    return {
      total: s.count,
      hosts,
      mostOfHost,
      limits: limitsOf(s.settings),
      bytes: s.byteLength + this.#nat.direct.byteLength,
      sessions: rows,
    };
  }

  #setRule(set: RuleSet, vrf: Vrf, links: readonly Link[]): Problem | null {
    const before = this.#rules.get(set.name);
    if (before !== undefined && before.vrf === vrf && JSON.stringify(before.set) === JSON.stringify(set)) return null;
    if (before === undefined && this.#rules.size >= MAX_RULES)
      return problem('input.invalid', `there are ${MAX_RULES} NAT rules already`, 'name');
    const index = before?.index ?? freeIndex(this.#ruleIndexes);
    const rule = { index, vrf, set, links };
    this.#rules.set(set.name, rule);
    this.#ruleIndexes[index] = rule;
    if (before === undefined) {
      this.#nat.packets[index] = 0;
      this.#nat.bytes[index] = 0;
      this.#nat.sessions.ofRule[index] = 0;
    } else this.#gone.add(index);
    this.#isStale = true;
    return null;
  }

  #masquerade(rule: RuleRecord, set: MasqueradeSet, links: number): MasqueradeRule {
    const prefix = parsePrefix(set.prefix);
    if (!prefix.ok) throw new Error(`${set.prefix} was checked`);
    const { bits } = prefix.value;
    const mask = bits === 0 ? 0 : -1 << (32 - bits);
    let leaving: Uint8Array | null = null;
    if (set.leaving !== null) {
      leaving = new Uint8Array(links);
      for (const link of rule.links) leaving[link.index] = 1;
    }
    const pool = set.pool === null ? null : this.#pools.get(set.pool)!;
    const network = wordOf(prefix.value.address) & mask;
    return { rule: rule.index, vrf: rule.vrf.index, network, bits, mask, leaving, pool, hairpin: set.hairpin };
  }

  /** Pool addresses are ours in the VRFs that their rules lead to, others in those of their rules: packets to them come to us. */
  #adopt(
    rules: readonly MasqueradeRule[],
    hosts: readonly HostRule[],
    published: readonly PublishedRange[],
    linkVrfs: Int32Array,
  ): void {
    const wanted = new Map<string, { vrf: Vrf; address: Uint8Array }>();
    const want = (vrf: number, ip: number): void => {
      wanted.set(`${vrf} ${ip}`, { vrf: this.#forwarding.vrfs[vrf]!, address: bytesOf(ip) });
    };
    for (const { vrf, outside } of hosts) want(vrf, outside);
    // Where an inside host is, it stays: a port of that host under another number is nobody's address.
    const inside = new Set(published.map(({ vrf, toAddress }) => `${vrf} ${toAddress}`));
    for (const { vrf, inside: ip } of hosts) inside.add(`${vrf} ${ip}`);
    for (const { vrf, address } of published) if (address !== 0 && !inside.has(`${vrf} ${address}`)) want(vrf, address);
    for (const { vrf, leaving, pool } of rules) {
      const vrfs = leaving === null ? [vrf] : [...leaving].flatMap((yes, link) => (yes === 1 ? [linkVrfs[link]!] : []));
      for (const index of pool === null ? [] : vrfs) for (const ip of pool!.addresses) want(index, ip);
    }
    const before = this.#adopted;
    this.#adopted = [...wanted.values()];
    for (const { vrf, address } of this.#adopted) this.#routes.adoptHost(vrf, address);
    for (const { vrf, address } of before) this.#routes.disownHost(vrf, address);
  }

  #poolRow(pool: PoolRecord): PoolRow {
    let sessions = 0;
    for (const { index, set } of this.#rules.values())
      if (set.do === 'masquerade.set' && set.pool === pool.name) sessions += this.#nat.sessions.ofRule[index]!;
    const { name, texts, firstPort, lastPort, index } = pool;
    const exhausted = this.#nat.exhausted[index]!;
    return { is: 'natPool', name, addresses: texts, firstPort, lastPort, sessions, exhausted };
  }

  #ruleRow(rule: RuleRecord): RuleRow {
    const { index, set } = rule;
    const counts = {
      packets: this.#nat.packets[index]!,
      bytes: this.#nat.bytes[index]!,
      sessions: this.#nat.sessions.ofRule[index]!,
    };
    const { do: verb, ...fields } = set;
    // Typed apart, since a spread of a union is no union.
    switch (verb) {
      case 'masquerade.set':
        return { is: 'masquerade', ...(fields as Omit<MasqueradeSet, 'do'>), ...counts };
      case 'publish.set':
        return { is: 'publish', ...(fields as Omit<PublishSet, 'do'>), ...counts };
      case 'floating.set':
        return { is: 'floating', ...(fields as Omit<FloatingSet, 'do'>), ...counts };
    }
  }
}

/** As the control protocol tells them. */
export function limitsOf(settings: NatSettings): NatSettingsFields {
  return {
    sessions: settings.maxSessions,
    sessionsPerHost: settings.maxPerHost,
    udpSeconds: settings.udpMs / 1000,
    udpOneWaySeconds: settings.udpOneWayMs / 1000,
    tcpEstablishedSeconds: settings.tcpEstablishedMs / 1000,
    tcpTransitorySeconds: settings.tcpTransitoryMs / 1000,
    icmpSeconds: settings.icmpMs / 1000,
  };
}

const protocolNames: { readonly [number: number]: NatSessionRow['protocol'] } = {
  [IpProtocol.icmp]: 'icmp',
  [IpProtocol.tcp]: 'tcp',
  [IpProtocol.udp]: 'udp',
};

function publishedRange(rule: RuleRecord, set: PublishSet, networks: LinkNetworks): PublishedRange {
  const address = set.address === null ? 0 : wordOfText(set.address);
  return {
    rule: rule.index,
    protocol: IpProtocol[set.protocol],
    vrf: rule.vrf.index,
    address,
    firstPort: set.firstPort,
    lastPort: set.lastPort,
    toAddress: wordOfText(set.toAddress),
    toPort: set.toPort,
    hairpin: set.hairpin,
    reachedBy: address === 0 ? null : networks.linksWith(rule.vrf.index, address),
  };
}

function hostRule(rule: RuleRecord, set: FloatingSet): HostRule {
  const vrf = rule.vrf.index;
  return { rule: rule.index, vrf, outside: wordOfText(set.address), inside: wordOfText(set.toAddress) };
}

/** Whether two rules publish a port twice. A rule for every address stands behind one for its own, so these two may overlap. */
function overlaps(a: PublishSet, b: PublishSet): boolean {
  return a.protocol === b.protocol && a.address === b.address && a.firstPort <= b.lastPort && b.firstPort <= a.lastPort;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 0xffff;
}

function badPorts(first: number, last: number): Problem | null {
  if (isPort(first) && isPort(last) && first <= last) return null;
  return problem('input.invalid', 'firstPort and lastPort lie from 1 to 65535, and in this order', 'firstPort');
}

/** A unicast IPv4 address as a word. */
function ownAddress(text: string, field: string): number | Problem {
  const parsed = parseIp(text, field);
  if (!parsed.ok) return parsed.error;
  const first = parsed.value[0]!;
  if (parsed.value.length !== 4 || first === 0 || first === 127 || first >= 224)
    return problem('address.invalid', 'only unicast IPv4 addresses are translated', field);
  return wordOf(parsed.value);
}

function wordOf(bytes: Uint8Array): number {
  return (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!;
}

function wordOfText(text: string): number {
  const parsed = parseIp(text);
  if (!parsed.ok) throw new Error(`${text} was checked`);
  return wordOf(parsed.value);
}

function bytesOf(word: number): Uint8Array {
  return Uint8Array.of(word >>> 24, word >>> 16, word >>> 8, word);
}

function formatAddress(word: number): string {
  return formatIp(bytesOf(word));
}
