import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { NetworkIntent, Subnet } from '../model/intents.ts';
import type { LinkObject, NatRuleObject, PlaneObject, SysctlObject } from '../model/objects.ts';
import { interfaceNameResource } from '../model/relations.ts';
import { IPV6_MTU_MIN, PORT_MTU } from '../validate/intent.ts';
import { type CompileContext, type Compiled, pending } from './context.ts';
import { forwarding } from './forwarding.ts';
import { nameTaken } from './missing.ts';
import { hostOverlap, overlapProblem } from './overlap.ts';
import { DEFAULT_VRF } from './vrf.ts';

/**
 * The gateway's link in the network with an address and a route of each subnet, kept apart from everything else; the way out, and who
 * answers names. All networks of this kind share the default VRF with the host, so their subnets are claimed, and may be nothing that the host has.
 */
export function compileNetwork(intent: NetworkIntent, context: CompileContext): Compiled {
  const taken = takenOf(intent, context);
  if (taken !== null) return pending(taken);
  const { id, interface: link, subnets, internal, nat, dns, domain } = intent;
  const device = linkOf(intent, context);
  const gateways = subnets.map(({ gateway }) => gateway).sort();
  const ipv6 = subnets.findIndex(({ prefix }) => prefix.includes(':'));
  if (ipv6 >= 0 && device.mtu < IPV6_MTU_MIN) return pending(tooSmallForIpv6(subnets[ipv6]!, device.mtu));
  const objects: PlaneObject[] = [{ kind: 'isolation', link, internal, gateways }, device];
  for (const { prefix, gateway } of subnets) {
    objects.push({ kind: 'address', link, address: `${gateway}/${prefix.split('/')[1]}` });
    objects.push({ kind: 'route', vrf: DEFAULT_VRF, prefix, via: { type: 'link', link, nextHop: null } });
    if (nat && !internal) objects.push(masqueradeOf(prefix));
  }
  objects.push(...switchesOf(link, subnets));
  if (dns)
    objects.push({
      kind: 'dnsZone',
      name: id,
      link,
      listen: gateways,
      domain,
      upstreams: internal ? [] : intent.dnsServers,
    });
  return { objects, problems: [], usable: true };
}

function tooSmallForIpv6({ prefix }: Subnet, mtu: number): Problem {
  const what = `the IPv6 subnet ${prefix} needs an MTU of ${IPV6_MTU_MIN} or more, and this network has ${mtu}`;
  return problem('input.invalid', what, 'mtu');
}

/** The rule that a `masquerade` intent of the prefix comes to: who says both has one. */
function masqueradeOf(prefix: string): NatRuleObject {
  const match = { type: 'source', prefix, leaving: null } as const;
  const name = `masquerade/${DEFAULT_VRF}/${prefix}`;
  return { kind: 'natRule', name, vrf: DEFAULT_VRF, match, to: { type: 'egress' }, hairpin: true };
}

function takenOf({ interface: link, parent, vlanId, subnets }: NetworkIntent, context: CompileContext): Problem | null {
  const elder = context.claim(interfaceNameResource(link));
  if (elder !== null) return { ...nameTaken(link, elder), field: 'interface' };
  const holder = parent === null ? null : context.claim(`device/${parent}/${vlanId}`);
  if (holder !== null)
    return problem('intent.conflict', `VLAN ${vlanId} of ${parent} is ${holder}'s; choose another`, 'vlanId');
  for (const [i, { prefix }] of subnets.entries()) {
    const other = context.claimSubnet(prefix);
    if (other !== null) return overlapProblem(prefix, [other], `subnets[${i}].prefix`);
  }
  return hostOverlap(link, subnets, context.hostNetworks?.() ?? []);
}

function linkOf(intent: NetworkIntent, context: CompileContext): LinkObject {
  const { interface: name, parent, vlanId } = intent;
  const mtu = intent.mtu ?? (parent === null ? null : context.deviceMtu?.(parent)) ?? PORT_MTU;
  const common = {
    kind: 'link',
    name,
    vrf: DEFAULT_VRF,
    mtu,
    adminUp: true,
    mssClamp: false,
    sourceCheck: 'off',
  } as const;
  if (parent === null) return { ...common, type: 'bridge', mac: null };
  return { ...common, type: 'port', device: parent, mac: null, vlanId };
}

/** Forwarding, and what lets the host itself and its loopback addresses reach published ports. Router advertisements are no gateway's to obey. */
function switchesOf(link: string, subnets: readonly Subnet[]): SysctlObject[] {
  const families = new Set(subnets.map(({ prefix }) => (prefix.includes(':') ? 6 : 4)));
  const made: SysctlObject[] = [...forwarding];
  if (families.has(4)) made.push({ kind: 'sysctl', name: 'net.ipv4.conf.%.route_localnet', link, value: '1' });
  // Also without a subnet of IPv6: a container that advertises itself is no router of the host's.
  made.push({ kind: 'sysctl', name: 'net.ipv6.conf.%.accept_ra', link, value: '0' });
  return made;
}

/** Why an address cannot be the gateway of a prefix; null: it can. Both are canonical. */
export function gatewayProblem({ prefix, gateway }: Subnet, field: string): Problem | null {
  const network = parsePrefix(prefix);
  const address = parseIp(gateway);
  if (!network.ok || !address.ok) return null;
  const bytes = address.value;
  const { address: base, bits } = network.value;
  const wrong = (why: string): Problem =>
    problem('address.invalid', `${formatIp(bytes)} cannot be the gateway of ${prefix}: ${why}`, field);
  if (bytes.length !== base.length) return wrong('it is of the other address family');
  const hostBits = bytes.map((byte, i) => byte & hostMask(bits, i));
  if (bytes.some((byte, i) => (byte & ~hostMask(bits, i) & 0xff) !== base[i])) return wrong('it is not in it');
  if (bits >= bytes.length * 8 - 1) return null;
  if (hostBits.every((byte) => byte === 0)) return wrong('it is the network itself');
  if (bytes.length === 4 && hostBits.every((byte, i) => byte === hostMask(bits, i)))
    return wrong('it is the broadcast address');
  return null;
}

function hostMask(bits: number, index: number): number {
  return 0xff >> Math.min(8, Math.max(0, bits - 8 * index));
}
