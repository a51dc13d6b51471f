/** What all parts of the plane share: conversations with the kernel, the table of its links, and the ledger. */
import { formatMac, parseMac } from '@vrouter/core/mac.ts';
import { type Problem, ProblemError, problem, toProblem } from '@vrouter/core/problem.ts';
import type { LinkObject } from '@vrouter/intent/model/objects.ts';
import type { Ledger } from './ledger.ts';
import { MadeLinks } from './links/made.ts';
import { ADOPTED, type Adopted } from './links/shape.ts';
import { LinkTable } from './links/table.ts';
import { askAddresses, parseAddress } from './netlink/address.ts';
import type { Conversation } from './netlink/conversation.ts';
import type { LinkRow } from './netlink/link.ts';
import { AF_INET, AF_INET6 } from './netlink/message.ts';
import { refusalProblem } from './netlink/refusal.ts';
import type { SwitchFiles } from './switches/switches.ts';

/** RFC 8200 section 5. */
const IPV6_MTU_MIN = 1280;

export class Kernel {
  readonly routing: Conversation;
  readonly links: LinkTable;
  readonly ledger: Ledger;
  readonly files: SwitchFiles;
  readonly made: MadeLinks;
  /** Names of links by the devices that were taken in. */
  readonly #adopted = new Map<string, string>();
  #silence: (link: string) => void = () => {};

  constructor(routing: Conversation, ledger: Ledger, files: SwitchFiles) {
    this.routing = routing;
    this.ledger = ledger;
    this.files = files;
    this.made = new MadeLinks(ledger, files.read('kernel/random/boot_id') ?? '');
    this.links = new LinkTable(routing, {
      adopted: (device) => this.#adopted.get(device) ?? null,
      made: (row) => this.made.markOf(row),
      offered: (row) => this.made.isOffered(row),
    });
    for (const [key, text] of ledger.entries(ADOPTED))
      this.#adopted.set((JSON.parse(text) as Adopted).device, key.slice(ADOPTED.length));
  }

  /** Does them in order, also after a failure; the first failure is the problem. `settled`: errnos that mean it is as wanted already. */
  async do(requests: readonly Uint8Array[], what: string, settled: readonly number[] = []): Promise<Problem | null> {
    for (const refusal of await this.routing.change(requests))
      if (refusal !== null && !settled.includes(refusal.errno)) return refusalProblem(refusal, what);
    return null;
  }

  /** One that the kernel takes its time for. */
  async doSlowly(request: Uint8Array, what: string, settled: readonly number[] = []): Promise<Problem | null> {
    const refusal = await this.routing.changeSlowly(request);
    return refusal === null || settled.includes(refusal.errno) ? null : refusalProblem(refusal, what);
  }

  /** Whatever comes of it. */
  async change(requests: readonly Uint8Array[]): Promise<void> {
    await this.routing.change(requests);
  }

  /** What we have done to this link takes routes and neighbours of it along, of which the kernel tells nothing; whoever watches looks at them. */
  goesInSilence(link: string): void {
    this.#silence(link);
  }

  onSilence(hear: (link: string) => void): void {
    this.#silence = hear;
  }

  /** Why a link can have no address of IPv6; null: it can. */
  noIpv6({ name, mtu }: LinkRow): Problem | null {
    const off = (file: string): boolean => (this.files.read(`net/ipv6/conf/${file}/disable_ipv6`) ?? '1') !== '0';
    if (!off(name)) return null;
    if (off('all') && off('default'))
      return problem('plane.failed', `this host has no IPv6: switch it on, or ask for no IPv6 on ${name}`);
    if (mtu < IPV6_MTU_MIN)
      return problem('plane.failed', `${name} has an MTU of ${mtu}, and IPv6 needs ${IPV6_MTU_MIN} or more`, 'mtu');
    return problem('plane.failed', `IPv6 is off on ${name}: sysctl net.ipv6.conf.${name}.disable_ipv6`);
  }

  /** Whether an address is the host's own, on whichever of its links; all of 127.0.0.0/8 is. */
  async ownAddresses(): Promise<(address: Uint8Array) => boolean> {
    const own = new Set<string>();
    for (const family of [AF_INET, AF_INET6])
      for (const { address } of await this.routing.dump(askAddresses(family), 'addresses', parseAddress))
        own.add(address.address.toHex());
    return (address) => own.has(address.toHex()) || (address.length === 4 && address[0] === 127);
  }

  /** Takes in an interface of the host, and remembers how it was. */
  adopt(link: string, row: LinkRow): void {
    if (this.ledger.get(`${ADOPTED}${link}`) === null) {
      const { name: device, mtu, up, master } = row;
      const before: Adopted = { device, mtu, up, master, mac: null };
      this.ledger.set(`${ADOPTED}${link}`, JSON.stringify(before));
    }
    this.#adopted.set(row.name, link);
  }

  /** The MAC address that the device is to have: of an object that names none, what it had before us. Undefined: the one that it has. */
  adoptedMac(object: LinkObject, row: LinkRow): Uint8Array | undefined {
    const key = `${ADOPTED}${object.name}`;
    const before = JSON.parse(this.ledger.get(key)!) as Adopted;
    const wanted = object.mac ?? before.mac;
    const mac = object.mac == null ? null : (before.mac ?? formatMac(row.mac));
    if (mac !== before.mac) this.ledger.set(key, JSON.stringify({ ...before, mac }));
    const parsed = wanted === null ? null : parseMac(wanted);
    return parsed?.ok === true ? parsed.value : undefined;
  }

  /** Whether the kernel's link still carries our mark, or has just been made by us. */
  async isOurs(row: LinkRow): Promise<boolean> {
    const now = await this.links.look(row.name);
    return now !== null && now.index === row.index && this.links.nameOf(now) !== null;
  }

  release(link: string): void {
    this.ledger.delete(`${ADOPTED}${link}`);
    for (const [device, of] of this.#adopted) if (of === link) this.#adopted.delete(device);
  }

  /** IPv6 addresses of the device stay when it is down for a moment, as those of IPv4 do. */
  keepAddresses(device: string): void {
    const path = `net/ipv6/conf/${device}/keep_addr_on_down`;
    if (this.files.read(path) === '0') this.files.write(path, '1');
  }

  problemOf(thrown: unknown): Problem {
    return thrown instanceof ProblemError ? thrown.problem : toProblem(thrown);
  }
}
