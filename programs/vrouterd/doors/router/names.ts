/** ConfigureDNS as a change of intents: names are added to those that a VLAN has, or get another address; none goes. Pure. */
import { parseDnsName, parseHostName } from '@vrouter/core/dns-name.ts';
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import type { RouterChange, Said } from './intents.ts';
import { networkId, type RouterState, said } from './state.ts';
import { readHostAddress, shown } from './words.ts';

/** RFC 1035 section 2.3.4. */
const NAME_MAX = 253;

export interface NamesRequest {
  readonly vlanId: number;
  /** '' leaves it as it was. */
  readonly domain: string;
  readonly hosts: { readonly [name: string]: string };
}

export function configureNames(state: RouterState, { vlanId, domain, hosts }: NamesRequest): Result<RouterChange> {
  const vlan = state.vlans.get(vlanId);
  if (vlan === undefined)
    return err(problem('intent.notFound', `there is no VLAN ${vlanId}: create it before its names`, 'vlan_id'));
  const below = domain === '' ? ok(vlan.intent.domain) : parseDnsName(domain, 'domain');
  if (!below.ok) return below;
  const names = new Map<string, string>();
  for (const [text, addressText] of Object.entries(hosts)) {
    const field = `hosts[${shown(text)}]`;
    const name = parseHostName(text, field);
    if (!name.ok) return name;
    if (below.value !== null && name.value.length + 1 + below.value.length > NAME_MAX)
      return err(problem('name.invalid', `with the domain it has more than ${NAME_MAX} characters`, field));
    const address = readHostAddress(addressText, field);
    if (!address.ok) return address;
    if ((names.get(name.value) ?? address.value) !== address.value)
      return err(problem('input.invalid', `${name.value} is there twice, with two addresses: say which`, field));
    names.set(name.value, address.value);
  }
  const put: Said[] = [{ note: vlan.note, intent: { ...vlan.intent, domain: below.value } }];
  for (const [name, address] of names) {
    const one = said({ kind: 'dnsName', network: networkId(vlanId), name, addresses: [address] }, { vlanId });
    if (!one.ok) return one;
    put.push(one.value);
  }
  return ok({ put, remove: [] });
}
