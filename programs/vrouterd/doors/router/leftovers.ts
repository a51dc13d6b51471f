/**
 * What an older router left on this host, as what its clients would have said here. Taken is a VLAN that shows who made it (a rule or a file with
 * its number) and leaves no doubt what it is; everything else of that kind is left alone and told. Pure.
 */
import { formatIp } from '@vrouter/core/ip.ts';
import { formatPrefix } from '@vrouter/core/prefix.ts';
import type { OldLink } from '@vrouter/drivers/linux/leftovers/leftovers.ts';
import type { OldMeaning, OldRule } from '@vrouter/drivers/linux/leftovers/rule.ts';
import { type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import type { OldNames } from './fragments.ts';
import type { RouterChange, Said } from './intents.ts';
import { configureNames } from './names.ts';
import { addPort } from './ports.ts';
import { isInNetwork, RouterState } from './state.ts';
import { configureNat, createVlan } from './vlan.ts';
import { shown, VLAN_MAX, VLAN_MIN } from './words.ts';

export interface OldHost {
  readonly links: readonly OldLink[];
  readonly rules: readonly OldRule[];
  readonly names: readonly OldNames[];
}

/** One VLAN, with what leads into it. */
export interface Adoption {
  readonly vlanId: number;
  readonly change: RouterChange;
}

export interface Adoptions {
  readonly vlans: readonly Adoption[];
  /** Old rules, each with what stands for it from now on, or has stood before. */
  readonly replaced: readonly { readonly rule: OldRule; readonly by: IntentKey }[];
  /** What is left alone, and why. */
  readonly left: readonly string[];
}

type OldPort = Extract<OldMeaning, { kind: 'published' }>;

export function adoptionsOf(state: RouterState, host: OldHost): Adoptions {
  return new Adopting(state).all(host);
}

class Adopting {
  #state: RouterState;
  readonly #vlans = new Map<number, Said[]>();
  readonly #replaced: { rule: OldRule; by: IntentKey }[] = [];
  readonly #left: string[] = [];

  constructor(state: RouterState) {
    this.#state = state;
  }

  all({ links, rules, names }: OldHost): Adoptions {
    for (const link of links) this.#leave(this.#link(link, rules, names));
    for (const rule of rules) if (/^vlan-\d+$/.test(rule.comment)) this.#leave(this.#masquerade(rule));
    const ports = Map.groupBy(
      rules.filter(({ comment }) => /^port-\d+-vlan-\d+$/.test(comment)),
      ({ comment, meaning }) =>
        meaning?.kind === 'published' ? `${meaning.protocol} port ${meaning.hostPort}` : `${comment} (not understood)`,
    );
    for (const [what, same] of ports) this.#leave(this.#port(what, same));
    for (const one of names) this.#names(one);
    const vlans = [...this.#vlans].map(([vlanId, put]) => ({ vlanId, change: { put, remove: [] } }));
    return { vlans, replaced: this.#replaced, left: this.#left };
  }

  #link(
    { name, parent, vlanId, mtu, parentMtu, addresses }: OldLink,
    rules: readonly OldRule[],
    names: readonly OldNames[],
  ): string | null {
    if (name !== `${parent}.${vlanId}` || vlanId < VLAN_MIN || vlanId > VLAN_MAX || this.#state.vlans.has(vlanId))
      return null;
    const isTheirs =
      rules.some(({ comment }) => vlanOf(comment) === vlanId) || names.some((one) => one.vlanId === vlanId);
    if (!isTheirs) return told(name, 'nothing shows that the older router made it');
    const [address, ...more] = addresses;
    if (address === undefined) return told(name, 'it has no address');
    if (more.length > 0) return told(name, `it has several addresses: ${addresses.map(formatPrefix).join(', ')}`);
    const subnet = formatPrefix(address);
    const made = createVlan(
      this.#state,
      {
        vlanId,
        subnet,
        gateway: formatIp(address.address),
        networkName: '',
        mtu: mtu === parentMtu ? 0 : mtu,
        enableNat: false,
      },
      () => parent,
    );
    if (!made.ok) return told(name, made.error.message);
    this.#vlans.set(vlanId, []);
    this.#say(vlanId, made.value);
    return null;
  }

  #masquerade(rule: OldRule): string | null {
    const vlanId = vlanOf(rule.comment)!;
    const what = `the rule ${rule.comment} of ${rule.chain}`;
    if (rule.meaning?.kind !== 'masquerade') return told(what, 'it is no masquerade of one subnet alone');
    if (!this.#state.vlans.has(vlanId)) return told(what, `there is no VLAN ${vlanId}`);
    const change = configureNat(this.#state, { vlanId, sourceSubnet: formatPrefix(rule.meaning.sources) });
    if (!change.ok) return told(what, change.error.message);
    return this.#stand(vlanId, what, change.value, [rule]);
  }

  /** All rules of one port. */
  #port(what: string, rules: readonly OldRule[]): string | null {
    const [first] = rules.map(({ meaning }) => meaning).filter((meaning) => meaning?.kind === 'published');
    if (first === undefined) return told(what, 'it leads to no single address and port, or asks for more than a port');
    const others = rules.filter(({ comment, meaning }) => !sameTarget(first, meaning) || comment !== rules[0]!.comment);
    if (others.length > 0) return told(what, 'it is there several times, with different targets');
    const { hostPort, port, protocol } = first;
    const containerIp = formatIp(first.address);
    const vlanId = vlanOf(rules[0]!.comment)!;
    if (!rules[0]!.comment.startsWith(`port-${hostPort}-`))
      return told(what, `its comment is ${shown(rules[0]!.comment)}`);
    const vlan = this.#state.vlans.get(vlanId);
    if (vlan === undefined) return told(what, `there is no VLAN ${vlanId}`);
    if (!isInNetwork(vlan.intent, containerIp)) return told(what, `${containerIp} is not in VLAN ${vlanId}`);
    const change = addPort(this.#state, { containerIp, containerPort: port, hostPort, protocol, vlanId });
    if (!change.ok) return told(what, change.error.message);
    return this.#stand(vlanId, what, change.value, rules);
  }

  #names({ vlanId, hosts, odd }: OldNames): void {
    if (!this.#vlans.has(vlanId)) return;
    for (const line of odd) this.#leave(told(`a line of the names of VLAN ${vlanId}`, shown(line)));
    for (const [name, address] of hosts) {
      const change = configureNames(this.#state, { vlanId, domain: '', hosts: { [name]: address } });
      if (change.ok) this.#say(vlanId, change.value);
      else this.#leave(told(`the name ${shown(name)} of VLAN ${vlanId}`, change.error.message));
    }
  }

  /** What was known before is as its clients have said it since; old rules that say the same go all the same. */
  #stand(vlanId: number, what: string, { put, remove }: RouterChange, rules: readonly OldRule[]): string | null {
    const isNew = put.some(
      ({ intent }) => JSON.stringify(this.#state.get(intentKey(intent))?.intent) !== JSON.stringify(intent),
    );
    if (isNew && !this.#vlans.has(vlanId)) return told(what, `VLAN ${vlanId} was known already, without it`);
    if (isNew) this.#say(vlanId, { put, remove });
    for (const rule of rules) this.#replaced.push({ rule, by: intentKey(put[0]!.intent) });
    return null;
  }

  #say(vlanId: number, { put }: RouterChange): void {
    const said = this.#vlans.get(vlanId)!;
    const after = new Map(this.#state.all().map((one) => [intentKey(one.intent), one]));
    for (const one of put) {
      const key = intentKey(one.intent);
      const before = said.findIndex(({ intent }) => intentKey(intent) === key);
      if (before < 0) said.push(one);
      else said[before] = one;
      after.set(key, one);
    }
    this.#state = new RouterState([...after.values()]);
  }

  /** Null: it is taken, or of no interest. */
  #leave(what: string | null): void {
    if (what !== null) this.#left.push(what);
  }
}

const told = (what: string, why: string): string => `${what}: ${why}`;

/** `vlan-100`, `port-8080-vlan-100`; null: it says no VLAN. */
function vlanOf(comment: string): number | null {
  const match = /^(?:port-\d{1,5}-)?vlan-(\d{1,4})$/.exec(comment);
  return match === null ? null : Number(match[1]);
}

function sameTarget(a: OldPort, b: OldMeaning | null): boolean {
  return b?.kind === 'published' && a.port === b.port && formatIp(a.address) === formatIp(b.address);
}
