/** Networks with their links, names and ports, as `/v1/networks` tells them. */
import type { NetworkRow } from '@vrouter/api/gateway/networks.ts';
import type {
  DnsNameIntent,
  IntentSource,
  NetworkIntent,
  PublishedPortIntent,
  SourcedIntent,
} from '@vrouter/intent/model/intents.ts';
import type { Daemon } from '../../../daemon.ts';
import { type Sees, troublesBy } from './rows.ts';

type Of<I> = { readonly source: IntentSource; readonly intent: I };

/** Those of `id` alone, if one is named; of two sources that say the same network, the elder's, with what is wrong with either. */
export async function networkRows(daemon: Sees & Pick<Daemon, 'links'>, id?: string): Promise<NetworkRow[]> {
  const networks = new Map<string, Of<NetworkIntent>>();
  const others: Of<NetworkIntent>[] = [];
  const names: Of<DnsNameIntent>[] = [];
  const ports: Of<PublishedPortIntent>[] = [];
  for (const { source, intent } of daemon.desired.intents()) {
    if (intent.kind === 'network') {
      if (networks.has(intent.id)) others.push({ source, intent });
      else if (id === undefined || intent.id === id) networks.set(intent.id, { source, intent });
    } else if (intent.kind === 'dnsName') names.push({ source, intent });
    else if (intent.kind === 'publishedPort') ports.push({ source, intent });
  }
  if (networks.size === 0) return [];
  const fresh = await daemon.links();
  const links = new Map(fresh?.map(({ object, learned }) => [object.name, { object, learned }]));
  const troubles = troublesBy(daemon);
  const rows = [...networks.values()].map(({ source, intent }): NetworkRow => {
    const { kind: _, subnets, dnsServers, mtu: __, ...rest } = intent;
    const link = links.get(intent.interface);
    const mac = link?.learned.mac ?? link?.object.mac;
    const its = {
      names: names.filter((one) => one.intent.network === intent.id),
      ports: ports.filter((one) => one.intent.network === intent.id),
    };
    const same = others.filter((one) => one.intent.id === intent.id);
    const all: readonly SourcedIntent[] = [{ source, intent }, ...same, ...its.names, ...its.ports];
    return {
      ...rest,
      source,
      state: fresh === null ? 'unknown' : link?.learned.operUp === true ? 'up' : 'down',
      mac: typeof mac === 'string' ? mac : null,
      mtu: link?.object.mtu ?? null,
      subnets: [...subnets],
      dnsServers: dnsServers === null ? null : [...dnsServers],
      names: its.names.map(({ source: who, intent: { name, addresses, aliases } }) => ({
        name,
        addresses: [...addresses],
        aliases: [...aliases],
        source: who,
      })),
      ports: its.ports.map(({ source: who, intent: { kind: ___, vrf: ____, network: _____, ...port } }) => ({
        ...port,
        source: who,
      })),
      problems: all.flatMap((one) => troubles(one.source, one.intent)),
    };
  });
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}
