/**
 * Translation, isolation and the traits of links: nftables' part of the plane. Objects name links by their own names, and the table by those
 * of devices, which are others for TAPs and for interfaces of the host that were taken in.
 */
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import type {
  IsolationObject,
  NatRuleObject,
  ObjectKey,
  Observed,
  PlaneObject,
} from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { NatSession, NatSessions } from '../contract/counters.ts';
import type { Applied } from '../contract/driver.ts';
import type { Kernel } from './kernel.ts';
import type { LinkTraits, TraitKeeper } from './links/links.ts';
import type { LinkTable } from './links/table.ts';
import type { FirewallObject } from './nftables/cells.ts';
import type { Firewall, FirewallStep } from './nftables/firewall.ts';
import type { IsOwn, Session, SessionEnd } from './nftables/sessions.ts';
import { type Part, toldOf } from './part.ts';
import type { SwitchFiles } from './switches/switches.ts';

const PROTOCOLS: { readonly [number: number]: string } = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6', 132: 'sctp' };

export class Filtering implements Part, TraitKeeper {
  readonly kinds = ['isolation', 'natPool', 'natRule'] as const;
  readonly #firewall: Firewall;
  readonly #links: LinkTable;
  readonly #own: () => Promise<IsOwn>;

  constructor(firewall: Firewall, kernel: Pick<Kernel, 'links' | 'ownAddresses'>) {
    this.#firewall = firewall;
    this.#links = kernel.links;
    this.#own = () => kernel.ownAddresses();
  }

  async observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]> {
    const keys = scope === 'all' ? [] : scope.map((key) => this.#keyInside(key));
    if (scope !== 'all' && keys.length === 0) return [];
    const rows = scope === 'all' ? (await this.#firewall.observe()).objects : await this.#firewall.observeKeys(keys);
    return rows.map((row) => this.#named(row)).filter(({ object }) => !this.#isForeign(object));
  }

  async apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    const asked: FirewallStep[] = [];
    const problems: (Problem | null)[] = steps.map((step) =>
      step.op === 'delete' ? null : this.#missing(step.object),
    );
    const indices: number[] = [];
    for (const [index, step] of steps.entries()) {
      if (problems[index] !== null) continue;
      const object = this.#inside(step.op === 'delete' ? step.before : step.object);
      asked.push(step.op === 'delete' ? { op: 'delete', object } : { op: 'set', object });
      indices.push(index);
    }
    // What was put upon somebody else's link before that was known.
    for (const step of steps)
      if (step.op !== 'delete' && this.#isForeign(step.object)) asked.push({ op: 'delete', object: step.object });
    const answers = await this.#firewall.apply(asked);
    for (const [n, index] of indices.entries()) problems[index] = answers[n] ?? null;
    const done = steps.filter((_, index) => problems[index] === null);
    await this.#firewall.cut(done.flatMap(endedBy));
    await this.#firewall.cutEarlier(
      done.flatMap((step) => (step.op !== 'delete' && step.object.kind === 'natRule' ? [step.object] : [])),
      () => this.#own(),
    );
    return toldOf(this, steps, problems);
  }

  async setTraits(device: string, traits: LinkTraits | null): Promise<Problem | null> {
    const [failed] = await this.#firewall.apply([{ op: 'link', name: device, traits }]);
    return failed ?? null;
  }

  traits(devices: readonly string[]): Promise<ReadonlyMap<string, LinkTraits>> {
    return this.#firewall.observeLinks(devices);
  }

  /** What was asked of a device is asked of it by its other name, unless that is another link's of ours. */
  async renamed(from: string, to: string): Promise<void> {
    const holder = this.#links.device(from);
    if (holder !== undefined && this.#links.nameOf(holder) !== null) return;
    const steps: FirewallStep[] = [];
    const traits = (await this.#firewall.observeLinks([from])).get(from);
    if (traits !== undefined) steps.push({ op: 'link', name: from, traits: null }, { op: 'link', name: to, traits });
    for (const { object } of await this.#firewall.observeKeys([`isolation/${from}` as ObjectKey]))
      if (object.kind === 'isolation')
        steps.push({ op: 'delete', object }, { op: 'set', object: { ...object, link: to } });
    const failed = (await this.#firewall.apply(steps)).find((one) => one !== null);
    if (failed != null) throw new ProblemError(failed);
  }

  /** The link is somebody else's: nothing is done to it. */
  #isForeign(object: PlaneObject): object is IsolationObject {
    return (
      object.kind === 'isolation' && this.#links.of(object.link) === undefined && this.#links.isForeign(object.link)
    );
  }

  /** What an object needs of other parts and is not there. */
  #missing(object: PlaneObject): Problem | null {
    if (this.#isForeign(object))
      return problem('object.dependency', `the interface ${object.link} of this host is not ours`, 'link');
    if (object.kind !== 'natRule') return null;
    if (object.vrf !== 'default' && this.#links.of(object.vrf)?.kind !== 'vrf')
      return problem('object.dependency', `the VRF ${object.vrf} is not there`, 'vrf');
    const leaving = object.match.type === 'source' ? (object.match.leaving ?? []) : [];
    const link = leaving.find((name) => this.#links.of(name) === undefined);
    return link === undefined ? null : problem('object.dependency', `the link ${link} is not there`, 'match');
  }

  /** With the names of devices. */
  #inside(object: PlaneObject): FirewallObject {
    switch (object.kind) {
      case 'natRule':
        return leavingAs(object, (link) => this.#links.of(link)?.name ?? link);
      case 'isolation':
        return { ...object, link: this.#links.of(object.link)?.name ?? object.link };
      case 'natPool':
        return object;
      default:
        throw new TypeError(`${object.kind} is not of the packet filter`);
    }
  }

  #keyInside(key: ObjectKey): ObjectKey {
    if (!key.startsWith('isolation/')) return key;
    const link = key.slice('isolation/'.length);
    return `isolation/${this.#links.of(link)?.name ?? link}` as ObjectKey;
  }

  /** With the names of links. */
  #named(row: Observed<FirewallObject>): Observed {
    const { object } = row;
    const nameOf = (device: string): string => {
      const link = this.#links.device(device);
      return link === undefined ? device : (this.#links.nameOf(link) ?? device);
    };
    if (object.kind === 'natRule') return { ...row, object: leavingAs(object, nameOf) };
    if (object.kind !== 'isolation') return row;
    const link = nameOf(object.link);
    return { ...row, key: `isolation/${link}` as ObjectKey, object: { ...object, link } };
  }
}

/** What leads nobody in any more after a step: its flows end with it, and nothing else. */
function endedBy(step: Step): NatRuleObject[] {
  const before = step.op === 'create' ? null : step.before;
  if (before?.kind !== 'natRule') return [];
  // Whose sources are translated in another way now keep the way that they have for as long as they talk.
  return before.match.type === 'source' && step.op !== 'delete' ? [] : [before];
}

function leavingAs(rule: NatRuleObject, nameOf: (name: string) => string): NatRuleObject {
  const { match } = rule;
  if (match.type !== 'source' || match.leaving === null) return rule;
  return { ...rule, match: { ...match, leaving: match.leaving.map(nameOf).sort() } };
}

/** Flows that are translated, by whoever's rules, as the daemon's doors tell them. */
export async function sessionsOf(firewall: Firewall, files: SwitchFiles, limit: number): Promise<NatSessions> {
  // All of them are counted, some are told.
  const all = await firewall.sessions(Number.MAX_SAFE_INTEGER);
  const hosts = new Map<string, number>();
  for (const { from } of all) hosts.set(from.address, (hosts.get(from.address) ?? 0) + 1);
  return {
    total: all.length,
    hosts: hosts.size,
    mostOfHost: Math.max(0, ...hosts.values()),
    limits: limitsOf(files),
    sessions: all.slice(0, limit).map(sessionOf),
  };
}

function sessionOf(session: Session): NatSession {
  const end = ({ address, port }: SessionEnd): string =>
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const { from, to, fromBecomes, toBecomes } = session;
  const isInbound = end(to) !== end(toBecomes);
  return {
    rule: '',
    protocol: PROTOCOLS[session.protocol] ?? String(session.protocol),
    inside: end(isInbound ? toBecomes : from),
    outside: end(isInbound ? to : fromBecomes),
    remote: end(isInbound ? from : to),
    state: '',
    expiresInSeconds: session.expiresSeconds,
  };
}

/** Those of the host's connection tracking, which holds all flows of all programs (nf_conntrack-sysctl). */
function limitsOf(files: SwitchFiles): NatSessions['limits'] {
  const number = (name: string): number => Number(files.read(`net/netfilter/nf_conntrack_${name}`) ?? 0);
  return {
    sessions: number('max'),
    sessionsPerHost: number('max'),
    udpSeconds: number('udp_timeout_stream'),
    udpOneWaySeconds: number('udp_timeout'),
    tcpEstablishedSeconds: number('tcp_timeout_established'),
    tcpTransitorySeconds: number('tcp_timeout_time_wait'),
    icmpSeconds: number('icmp_timeout'),
  };
}
