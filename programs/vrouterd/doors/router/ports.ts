/** AddPortMapping and RemovePortMapping as changes of intents. Pure. */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { intentKey, type NetworkIntent, type PublishedPortIntent } from '@vrouter/intent/model/intents.ts';
import type { RouterChange } from './intents.ts';
import { isInPrefix, prefixOf, type RouterState, type SaidAs, said } from './state.ts';
import { readHostAddress, readPort, readProtocol } from './words.ts';

export interface PortRequest {
  readonly containerIp: string;
  readonly containerPort: number;
  readonly hostPort: number;
  readonly protocol: string;
  readonly vlanId: number;
}

/** A port leads to one place. Saying the same again changes nothing; saying another is refused, and names the one that is there. */
export function addPort(state: RouterState, request: PortRequest): Result<RouterChange> {
  const protocol = readProtocol(request.protocol);
  if (!protocol.ok) return protocol;
  const hostPort = readPort(request.hostPort, 'host_port');
  if (!hostPort.ok) return hostPort;
  const port = readPort(request.containerPort, 'container_port');
  if (!port.ok) return port;
  const address = readHostAddress(request.containerIp, 'container_ip');
  if (!address.ok) return address;
  const named = state.vlans.get(request.vlanId);
  const vlan = named ?? state.vlanOfAddress(address.value);
  const wrong = placeProblem(address.value, vlan);
  if (wrong !== null) return err(wrong);
  const mapping = said(
    {
      kind: 'publishedPort',
      hostPort: hostPort.value,
      protocol: protocol.value,
      address: address.value,
      port: port.value,
      ...(vlan === undefined ? {} : { network: vlan.intent.id }),
    },
    { vlanId: request.vlanId },
  );
  if (!mapping.ok) return mapping;
  const there = state.get(intentKey(mapping.value.intent));
  if (there === undefined) return ok({ put: [mapping.value], remove: [] });
  const { address: toAddress, port: toPort } = there.intent as PublishedPortIntent;
  if (toAddress === address.value && toPort === port.value) return ok({ put: [there], remove: [] });
  const target = isIpv6(toAddress) ? `[${toAddress}]:${toPort}` : `${toAddress}:${toPort}`;
  return err(
    problem(
      'intent.exists',
      `${protocol.value} port ${hostPort.value} leads to ${target} already: remove that mapping, or choose another port`,
      'host_port',
    ),
  );
}

/** Nothing where there is none. */
export function removePort(
  state: RouterState,
  request: Pick<PortRequest, 'hostPort' | 'protocol'>,
): Result<RouterChange> {
  const protocol = readProtocol(request.protocol);
  if (!protocol.ok) return protocol;
  const gone = state.ports.filter(
    ({ intent }) => intent.hostPort === request.hostPort && intent.protocol === protocol.value,
  );
  return ok({ put: [], remove: gone.map(({ key }) => key) });
}

/** Why no container can be there. A VLAN that nobody knows may be made later: what is to be in it is taken as it is. */
function placeProblem(address: string, vlan: SaidAs<NetworkIntent> | undefined): Problem | null {
  const wrong = (sentence: string): Problem => problem('address.invalid', `${address} ${sentence}`, 'container_ip');
  if (vlan === undefined) return isIpv6(address) ? wrong('is in no VLAN of this router') : null;
  const { vlanId, subnets } = vlan.intent;
  const subnet = subnets.find(({ prefix }) => isInPrefix(prefix, address));
  if (subnet === undefined)
    return wrong(`cannot be in VLAN ${vlanId}, whose subnet is ${subnets.map(({ prefix }) => prefix).join(', ')}`);
  if (address === subnet.gateway) return wrong(`is the gateway of VLAN ${vlanId}, not a container of it`);
  const special = specialAddress(subnet.prefix, address);
  return special === null ? null : wrong(`is the ${special} of ${subnet.prefix}, not a container in it`);
}

/** RFC 4632 section 3.1, RFC 3021 (31 bits have neither), RFC 4291 section 2.6.1 (of IPv6 the first is every router's). */
function specialAddress(prefix: string, address: string): 'network address' | 'broadcast address' | null {
  const { address: base, bits } = prefixOf(prefix);
  const parsed = parseIp(address);
  if (!parsed.ok || bits >= base.length * 8 - 1) return null;
  if (formatIp(base) === address) return 'network address';
  const last = parsed.value.map((byte, i) => byte | (0xff >>> Math.min(8, Math.max(0, bits - 8 * i))));
  return base.length === 4 && formatIp(last) === address ? 'broadcast address' : null;
}

const isIpv6 = (text: string): boolean => text.includes(':');
