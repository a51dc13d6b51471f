/** Any JSON as a change of what is said on this host: it is judged, never thrown at; what is accepted has no subnet of another's. */
import { intentChange } from '@vrouter/api/gateway/intents.ts';
import { prefixesOverlap } from '@vrouter/core/prefix.ts';
import { prefixOf } from '@vrouter/intent/compile/overlap.ts';
import type { SourcedIntent } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import { judge } from './judge.ts';

export const name = 'vrouterd/local-change';

const network = { kind: 'network', id: 'blue', attachment: 'bridged', interface: 'br-blue' };
const port = { kind: 'publishedPort', network: 'blue', protocol: 'tcp', hostPort: 80, address: '172.18.0.2', port: 80 };

export const seeds: readonly Uint8Array[] = [
  { put: [network, port], create: true },
  { put: [{ ...network, id: 'x', subnets: [{ prefix: '10.0.0.0/24' }, { prefix: 'fd00::/64', gateway: 'fd00::9' }] }] },
  {
    put: [{ kind: 'dnsName', network: 'theirs', name: 'web', addresses: ['10.4.0.2'] }],
    remove: ['network/own'],
    force: true,
  },
  { put: [{ ...network, id: 'own', subnets: [] }], remove: ['dnsName/own/db', 'network/theirs'] },
].map((json) => new TextEncoder().encode(JSON.stringify(json)));

const said: readonly SourcedIntent[] = (
  [
    ['file', { ...network, id: 'theirs', interface: 'br0', subnets: [{ prefix: '10.4.0.0/16', gateway: '10.4.0.1' }] }],
    ['cli', { ...network, id: 'own', interface: 'br1', subnets: [{ prefix: '10.5.0.0/16', gateway: '10.5.0.1' }] }],
    ['cli', { kind: 'dnsName', network: 'own', name: 'db', addresses: ['10.5.0.2'] }],
  ] as const
).map(([source, json]) => {
  const parsed = parseIntent(json);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return { source, intent: parsed.value };
});

export function fuzzOne(bytes: Uint8Array): void {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return;
  }
  const request = intentChange.safeParse(json);
  if (!request.success) return;
  const change = judge(request.data, { said, unreadable: [], host: () => [], listeners: () => [] });
  if (!change.ok) return;
  const theirs = prefixOf('10.4.0.0/16');
  for (const { intent } of change.value.put)
    if (intent.kind === 'network' && intent.subnets.some(({ prefix }) => prefixesOverlap(prefixOf(prefix), theirs)))
      throw new Error(`${JSON.stringify(intent)} was accepted`);
  if (change.value.remove.some((key) => key === 'network/theirs')) throw new Error('it is not ours to remove');
}
