/** What NAT does on this host, as `vrouterctl show nat` tells it. */
import type { NatReply } from '@vrouter/api/gateway/gateway.ts';
import type { NatRuleObject } from '@vrouter/intent/model/objects.ts';
import type { Daemon } from '../../daemon.ts';

/** Sessions in one answer: as many as the engine tells at once. */
const SESSIONS = 1000;

export async function natView(daemon: Daemon): Promise<NatReply> {
  const { told, rows } = await daemon.nat(SESSIONS);
  const rules: NatReply['rules'] = [];
  for (const { key, object, learned } of rows) {
    if (object.kind !== 'natRule') continue;
    const count = (name: string): number => Number(learned[name] ?? 0);
    rules.push({
      name: object.name,
      vrf: object.vrf,
      ...wordsOf(object),
      sessions: count('sessions'),
      packets: count('packets'),
      bytes: count('bytes'),
      source: daemon.desired.intentsOf(key)[0]?.source ?? '',
    });
  }
  rules.sort((a, b) => (a.name < b.name ? -1 : 1));
  const { total, hosts, mostOfHost, limits } = told;
  return { rules, total, hosts, mostOfHost, limits, sessions: [...told.sessions] };
}

function wordsOf({ match, to }: NatRuleObject): { readonly match: string; readonly to: string } {
  if (match.type === 'address')
    return { match: `${match.address} as a whole`, to: to.type === 'host' ? to.address : '' };
  const [where, what] =
    match.type === 'source'
      ? [`from ${match.prefix}`, match.leaving === null ? 'any other link' : match.leaving.join(', ')]
      : [`to ${match.address ?? '*'} ${match.protocol} ${portsText(match.ports)}`, ''];
  const target =
    to.type === 'egress'
      ? 'its address'
      : to.type === 'pool'
        ? `pool ${to.pool}`
        : to.type === 'host'
          ? to.address
          : `${to.address}:${to.port}`;
  return { match: what === '' ? where : `${where}, out of ${what}`, to: target };
}

function portsText([first, last]: readonly [number, number]): string {
  return first === last ? `${first}` : `${first}-${last}`;
}
