/** CreateVLAN, DeleteVLAN, ConfigureNAT and RemoveNAT as changes of intents. Pure: what is not good changes nothing. */
import { parseInterfaceName, parseName } from '@vrouter/core/names.ts';
import { containsPrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { overlapProblem } from '@vrouter/intent/compile/overlap.ts';
import { type IntentKey, intentKey, type NetworkIntent } from '@vrouter/intent/model/intents.ts';
import type { RouterChange } from './intents.ts';
import { isInNetwork, networkId, prefixOf, type RouterState, type SaidAs, said } from './state.ts';
import { readGateway, readMtu, readSources, readSubnet, readVlanId } from './words.ts';

export interface VlanRequest {
  readonly vlanId: number;
  readonly subnet: string;
  readonly gateway: string;
  readonly networkName: string;
  readonly mtu: number;
  /** Undefined: the client did not say, and it is on. */
  readonly enableNat?: boolean | undefined;
}

export interface NatRequest {
  readonly vlanId: number;
  readonly sourceSubnet: string;
}

/**
 * `parent` tells the interface that a new VLAN is one of, or null; an old one stays where it is. A VLAN that is there becomes what is said now, and
 * keeps its domain, names and ports, except those whose addresses have gone with its subnet.
 */
export function createVlan(
  state: RouterState,
  request: VlanRequest,
  parent: () => string | null,
): Result<RouterChange & { readonly network: NetworkIntent }> {
  const vlanId = readVlanId(request.vlanId);
  if (!vlanId.ok) return vlanId;
  const prefix = readSubnet(request.subnet, 'subnet');
  if (!prefix.ok) return prefix;
  const gateway = readGateway(request.gateway, prefix.value);
  if (!gateway.ok) return gateway;
  const mtu = readMtu(request.mtu, prefix.value);
  if (!mtu.ok) return mtu;
  const overlap = overlapOf(state, vlanId.value, prefix.value);
  if (overlap !== null) return err(overlap);
  const before = state.vlans.get(vlanId.value);
  const place = before === undefined ? placeOf(vlanId.value, parent()) : ok(before.intent);
  if (!place.ok) return place;
  const intent = said(
    {
      kind: 'network',
      id: networkId(vlanId.value),
      // For people alone; what is no name of ours is left out rather than refused.
      name: parseName(request.networkName).ok ? request.networkName : '',
      attachment: 'vlan',
      interface: place.value.interface,
      parent: place.value.parent,
      vlanId: vlanId.value,
      subnets: [{ prefix: prefix.value, gateway: gateway.value }],
      mtu: mtu.value,
      nat: request.enableNat ?? true,
      domain: before?.intent.domain ?? null,
    },
    { vlanId: vlanId.value, subnet: request.subnet, gateway: request.gateway },
  );
  if (!intent.ok) return intent;
  const network = intent.value.intent as NetworkIntent;
  return ok({ network, put: [intent.value], remove: before === undefined ? [] : lostWith(state, before, network) });
}

/** What a subnet that is no more takes along: names and ports of the VLAN that led into it. */
function lostWith(state: RouterState, before: SaidAs<NetworkIntent>, after: NetworkIntent): IntentKey[] {
  const isLost = (address: string): boolean => isInNetwork(before.intent, address) && !isInNetwork(after, address);
  const names = state.names.filter(
    ({ intent }) => intent.network === after.id && intent.addresses.some((address) => isLost(address)),
  );
  const ports = state.ports.filter(({ intent }) => intent.network === after.id && isLost(intent.address));
  return [...names, ...ports].map(({ key }) => key);
}

/** With other VLANs. Networks that others say, and the host's own, are looked at where all of them are known: when it is said. */
function overlapOf(state: RouterState, vlanId: number, prefix: string): Problem | null {
  const taken = [...state.vlans].flatMap(([other, { intent }]) =>
    other === vlanId ? [] : intent.subnets.map((subnet) => ({ prefix: prefixOf(subnet.prefix), by: `VLAN ${other}` })),
  );
  return overlapProblem(prefix, taken, 'subnet');
}

function placeOf(vlanId: number, parent: string | null): Result<Pick<NetworkIntent, 'interface' | 'parent'>> {
  if (parent === null)
    return err(
      problem(
        'interface.notFound',
        'no interface of this host has a default route: name the parent of VLANs in the configuration (--parent)',
      ),
    );
  const name = `${parent}.${vlanId}`;
  const parsed = parseInterfaceName(name);
  if (parsed.ok) return ok({ interface: name, parent });
  return err(
    problem(
      'name.invalid',
      `the interface would be ${name}, which is longer than 15 characters: name a parent with a shorter name`,
    ),
  );
}

/** Everything that was made for the VLAN or leads into it. Nothing where there is none. */
export function deleteVlan(state: RouterState, vlanId: number): RouterChange {
  const vlan = state.vlans.get(vlanId);
  const isInside = (text: string): boolean => vlan !== undefined && isInNetwork(vlan.intent, text);
  const names = state.names.filter(({ intent }) => intent.network === networkId(vlanId));
  const ports = state.ports.filter(
    ({ intent, note }) => intent.network === networkId(vlanId) || note.vlanId === vlanId || isInside(intent.address),
  );
  const nat = state.masquerades.filter(({ intent, note }) => note.vlanId === vlanId || isInside(intent.prefix));
  const gone = [...names, ...ports, ...nat, ...(vlan === undefined ? [] : [vlan])];
  return { put: [], remove: gone.map(({ key }) => key) };
}

/** Of its own subnet, a VLAN has the way out; of others, and of a VLAN that is not known, it is a rule of its own. */
export function configureNat(state: RouterState, { vlanId, sourceSubnet }: NatRequest): Result<RouterChange> {
  const prefix = readSources(sourceSubnet, 'source_subnet');
  if (!prefix.ok) return prefix;
  const own = ownSubnet(state, vlanId, prefix.value);
  if (own !== null) return ok({ put: [{ note: own.note, intent: { ...own.intent, nat: true } }], remove: [] });
  const rule = said({ kind: 'masquerade', prefix: prefix.value }, { vlanId });
  if (!rule.ok) return rule;
  return ok({ put: [state.get(intentKey(rule.value.intent)) ?? rule.value], remove: [] });
}

export function removeNat(state: RouterState, { vlanId, sourceSubnet }: NatRequest): Result<RouterChange> {
  const prefix = readSources(sourceSubnet, 'source_subnet');
  if (!prefix.ok) return prefix;
  const own = ownSubnet(state, vlanId, prefix.value);
  const rules = state.masquerades.filter(
    ({ intent, note }) => intent.prefix === prefix.value && note.vlanId === vlanId,
  );
  return ok({
    put: own === null ? [] : [{ note: own.note, intent: { ...own.intent, nat: false } }],
    remove: rules.map(({ key }) => key),
  });
}

/** Whether sources of the VLAN's subnets leave under another address, by whichever rule. */
export function hasNat(state: RouterState, { nat, subnets }: NetworkIntent): boolean {
  return (
    nat ||
    state.masquerades.some(({ intent }) =>
      subnets.some(({ prefix }) => containsPrefix(prefixOf(intent.prefix), prefixOf(prefix))),
    )
  );
}

function ownSubnet(state: RouterState, vlanId: number, prefix: string): SaidAs<NetworkIntent> | null {
  const vlan = state.vlans.get(vlanId);
  return vlan?.intent.subnets.some((subnet) => subnet.prefix === prefix) ? vlan : null;
}
