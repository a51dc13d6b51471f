/** AddPortMapping and RemovePortMapping as changes of intents. Pure. */
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { intentKey, type NetworkIntent, type PublishedPortIntent } from '@vrouter/intent/model/intents.ts';
import type { RouterChange } from './intents.ts';
import { type RouterState, type SaidAs, said } from './state.ts';
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
  if (isIpv6(address.value) !== hasIpv6(vlan))
    return err(
      problem(
        'address.invalid',
        vlan === undefined
          ? `${address.value} is in no VLAN of this router`
          : `${address.value} cannot be in VLAN ${vlan.intent.vlanId}, whose subnet is ${vlan.intent.subnets[0]?.prefix}`,
        'container_ip',
      ),
    );
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

function hasIpv6(vlan: SaidAs<NetworkIntent> | undefined): boolean {
  return vlan?.intent.subnets.some(({ prefix }) => isIpv6(prefix)) ?? false;
}

const isIpv6 = (text: string): boolean => text.includes(':');
