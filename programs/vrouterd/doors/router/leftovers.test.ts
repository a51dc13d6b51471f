import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '@vrouter/core/ip.ts';
import { parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import type { OldLink } from '@vrouter/drivers/linux/leftovers/leftovers.ts';
import type { OldMeaning, OldRule } from '@vrouter/drivers/linux/leftovers/rule.ts';
import { intentKey } from '@vrouter/intent/model/intents.ts';
import { parseFragment } from './fragments.ts';
import { adoptionsOf, type OldHost } from './leftovers.ts';
import { RouterState } from './state.ts';

const ip = (text: string): Uint8Array => {
  const parsed = parseIp(text);
  assert.ok(parsed.ok);
  return parsed.value;
};
const prefix = (text: string) => {
  const parsed = parseInterfaceAddress(text);
  assert.ok(parsed.ok);
  return parsed.value;
};
const link = (vlanId: number, ...addresses: readonly string[]): OldLink => ({
  name: `eth0.${vlanId}`,
  parent: 'eth0',
  vlanId,
  mtu: 1500,
  parentMtu: 1500,
  addresses: addresses.map(prefix),
});
let handle = 0;
const rule = (comment: string, meaning: OldMeaning | null): OldRule => ({
  chain: comment.startsWith('port') ? 'PREROUTING' : 'POSTROUTING',
  handle: ++handle,
  comment,
  meaning,
});
const masquerade = (id: number, sources: string): OldRule =>
  rule(`vlan-${id}`, { kind: 'masquerade', sources: prefix(sources) });
const published = (id: number, hostPort: number, to: string, port: number, said = hostPort): OldRule =>
  rule(`port-${said}-vlan-${id}`, { kind: 'published', protocol: 'tcp', hostPort, address: ip(to), port });
const nothing = new RouterState([]);
const host = (over: Partial<OldHost>): OldHost => ({ links: [], rules: [], names: [], ...over });

test('a VLAN with its way out, its ports and its names becomes what its clients would have said', () => {
  const { vlans, replaced, left } = adoptionsOf(
    nothing,
    host({
      links: [{ ...link(100, '172.18.0.1/16'), mtu: 1400 }],
      rules: [
        masquerade(100, '172.18.0.0/16'),
        masquerade(100, '172.18.0.0/16'),
        masquerade(100, '10.9.0.0/24'),
        published(100, 8080, '172.18.0.2', 80),
      ],
      names: [
        parseFragment(
          100,
          'listen-address=172.18.0.1\nhost-record=web,172.18.0.2\nhost-record=a b,172.18.0.3\nlog-queries\n',
        ),
      ],
    }),
  );
  const put = vlans[0]!.change.put.map(({ intent }) => intent);
  assert.deepEqual(put.map(intentKey).sort(), [
    'dnsName/vlan-100/web',
    'masquerade/default/10.9.0.0/24',
    'network/vlan-100',
    'publishedPort/default/*/tcp/8080',
  ]);
  const network = put.find((one) => one.kind === 'network');
  assert.deepEqual(
    [network?.interface, network?.subnets, network?.mtu, network?.nat],
    ['eth0.100', [{ prefix: '172.18.0.0/16', gateway: '172.18.0.1' }], 1400, true],
  );
  assert.equal(replaced.length, 4, 'copies of one rule go with it');
  assert.deepEqual(left.length, 2);
  assert.match(left.join('\n'), /log-queries.*[\s\S]*a b/u);
});

test('without a masquerade there was none', () => {
  const { vlans } = adoptionsOf(
    nothing,
    host({ links: [link(100, '172.18.0.1/16')], rules: [published(100, 80, '172.18.0.2', 80)] }),
  );
  const [network] = vlans[0]!.change.put;
  assert.ok(network?.intent.kind === 'network' && !network.intent.nat);
});

for (const [what, over, why] of [
  [
    'a VLAN that nobody shows to be the older router’s',
    { links: [link(100, '172.18.0.1/16')] },
    /eth0\.100: nothing shows/,
  ],
  ['no address', { links: [link(100)], rules: [masquerade(100, '172.18.0.0/16')] }, /eth0\.100: it has no address/],
  [
    'two addresses',
    { links: [link(100, '172.18.0.1/16', '10.0.0.1/8')], rules: [masquerade(100, '172.18.0.0/16')] },
    /several addresses: 172\.18\.0\.1\/16, 10\.0\.0\.1\/8/,
  ],
  ['a rule of nobody', { rules: [masquerade(101, '172.18.0.0/16')] }, /no VLAN 101/],
  ['a port of nobody', { rules: [published(101, 80, '172.18.0.2', 80)] }, /no VLAN 101/],
  ['a rule that says more', { rules: [rule('vlan-101', null)] }, /no masquerade of one subnet/],
  ['a range of targets', { rules: [rule('port-80-vlan-101', null)] }, /no single address/],
] as const)
  test(`left alone, and told: ${what}`, () => {
    const { vlans, replaced, left } = adoptionsOf(nothing, host(over));
    assert.deepEqual([vlans.length, replaced.length], [0, 0]);
    assert.match(left.join('\n'), why);
  });

test('ports that leave a doubt are left alone, beside those that leave none', () => {
  const rules = [
    masquerade(100, '172.18.0.0/16'),
    published(100, 80, '172.18.0.2', 80),
    published(100, 81, '172.18.0.2', 80),
    published(100, 81, '172.18.0.3', 80),
    published(100, 82, '10.0.0.2', 80),
    published(100, 83, '172.18.0.2', 80, 84),
  ];
  const { vlans, replaced, left } = adoptionsOf(nothing, host({ links: [link(100, '172.18.0.1/16')], rules }));
  assert.deepEqual(
    vlans[0]!.change.put.map(({ intent }) => intentKey(intent)),
    ['network/vlan-100', 'publishedPort/default/*/tcp/80'],
  );
  assert.deepEqual(
    replaced.map((one) => one.rule),
    rules.slice(0, 2),
  );
  assert.match(left.join('\n'), /port 81.*different targets[\s\S]*port 82.*not in VLAN 100[\s\S]*port 83.*port-84/u);
});

test('what is known already is as it was said since; rules that say the same go, others stay', () => {
  const links = [link(100, '172.18.0.1/16')];
  const rules = [masquerade(100, '172.18.0.0/16'), published(100, 80, '172.18.0.2', 80)];
  const first = adoptionsOf(nothing, host({ links, rules }));
  const state = new RouterState(first.vlans[0]!.change.put);
  const again = adoptionsOf(state, host({ links, rules: [...rules, published(100, 90, '172.18.0.2', 80)] }));
  assert.deepEqual([again.vlans.length, again.replaced.map((one) => one.rule)], [0, rules]);
  assert.match(again.left.join(), /port 90: VLAN 100 was known already/);
});

test('links of other people, with other names or numbers, are of no interest', () => {
  const links = [
    link(99, '10.0.0.1/8'),
    { ...link(100, '10.0.0.1/8'), name: 'lan' },
    { ...link(101, '10.0.0.1/8'), parent: 'eth1' },
  ];
  const rules = [99, 100, 101].map((id) => masquerade(id, '10.0.0.0/8'));
  assert.deepEqual(adoptionsOf(nothing, host({ links, rules })).vlans, []);
});
