import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Desired } from '../index/desired.ts';
import { type ObjectKind, objectKey, objectKinds } from '../model/objects.ts';
import { testOutside } from '../testing/outside.ts';
import { parseIntent } from '../validate/intent.ts';
import { type HostNetwork, prefixOf } from './overlap.ts';

const kinds = Object.keys(objectKinds) as ObjectKind[];
const vlan = {
  kind: 'network',
  id: 'vlan-100',
  attachment: 'vlan',
  interface: 'eth0.100',
  parent: 'eth0',
  vlanId: 100,
  subnets: [
    { prefix: 'fd18::/64', gateway: 'fd18::1' },
    { prefix: '172.18.0.0/16', gateway: '172.18.0.1' },
  ],
};
const bridge = {
  kind: 'network',
  id: 'blue',
  attachment: 'bridged',
  interface: 'br-blue',
  subnets: [{ prefix: '10.9.0.0/24', gateway: '10.9.0.1' }],
};

function say(desired: Desired, ...intents: readonly object[]): Desired {
  for (const json of intents) {
    const parsed = parseIntent(json);
    assert.ok(parsed.ok, parsed.ok ? '' : parsed.error.message);
    desired.put('file', parsed.value);
  }
  return desired;
}
const keysOf = (desired: Desired): string[] => [...desired.all()].map(objectKey).sort();

test('a VLAN of two families: link, addresses, routes, the way out, names, isolation and switches', () => {
  const desired = say(new Desired({ ...testOutside(), deviceMtu: () => 1400 }, kinds), vlan);
  assert.deepEqual(keysOf(desired), [
    'address/eth0.100/172.18.0.1/16',
    'address/eth0.100/fd18::1/64',
    'dnsZone/vlan-100',
    'isolation/eth0.100',
    'link/eth0.100',
    'natRule/masquerade/default/172.18.0.0/16',
    'natRule/masquerade/default/fd18::/64',
    'route/default/172.18.0.0/16',
    'route/default/fd18::/64',
    'sysctl/*/net.ipv4.ip_forward',
    'sysctl/*/net.ipv6.conf.all.forwarding',
    'sysctl/eth0.100/net.ipv4.conf.%.route_localnet',
    'sysctl/eth0.100/net.ipv6.conf.%.accept_ra',
  ]);
  const link = [...desired.all()].find((object) => object.kind === 'link');
  assert.ok(link?.kind === 'link');
  assert.deepEqual([link.type, link.device, link.vlanId, link.mtu], ['port', 'eth0', 100, 1400]);
});

test('internal: no way out, nobody is asked for other names; the host’s resolvers otherwise', () => {
  const zone = (over: object): unknown =>
    [...say(new Desired(testOutside(), kinds), { ...bridge, ...over }).all()].find(({ kind }) => kind === 'dnsZone');
  assert.deepEqual((zone({ internal: true }) as { upstreams: unknown }).upstreams, []);
  assert.deepEqual((zone({}) as { upstreams: unknown }).upstreams, null);
  assert.deepEqual((zone({ dnsServers: ['192.0.2.1'] }) as { upstreams: unknown }).upstreams, ['192.0.2.1']);
  assert.equal(zone({ dns: false }), undefined);
  const keys = keysOf(say(new Desired(testOutside(), kinds), { ...bridge, internal: true }));
  assert.deepEqual(
    keys.filter((key) => key.startsWith('nat')),
    [],
  );
});

test('a subnet of IPv6 needs the MTU of IPv6, one of IPv4 does not', () => {
  const ofBoth = { ...vlan, mtu: 1279 };
  const [refused] = say(new Desired(testOutside(), kinds), ofBoth).problems();
  assert.ok(refused !== undefined);
  assert.equal(refused.problem.field, 'mtu');
  assert.match(refused.problem.message, /IPv6 subnet fd18::\/64 needs an MTU of 1280/);
  assert.equal(say(new Desired({ ...testOutside(), deviceMtu: () => 1000 }, kinds), vlan).problems().length, 1);
  assert.deepEqual(say(new Desired(testOutside(), kinds), { ...bridge, mtu: 576 }).problems(), []);
});

test('switches of two networks are shared, and go with the last; planes without them do not complain', () => {
  const desired = say(new Desired(testOutside(), kinds), vlan, bridge);
  assert.deepEqual(desired.problems(), []);
  desired.remove('file', 'network/vlan-100' as never);
  assert.ok(keysOf(desired).includes('sysctl/*/net.ipv4.ip_forward'));
  desired.remove('file', 'network/blue' as never);
  assert.deepEqual(keysOf(desired), []);
  const without = say(
    new Desired(
      testOutside(),
      kinds.filter((kind) => kind !== 'sysctl'),
    ),
    vlan,
  );
  assert.deepEqual(without.problems(), []);
});

test('a network and a masquerade of the same prefix are one rule', () => {
  const desired = say(new Desired(testOutside(), kinds), bridge, { kind: 'masquerade', prefix: '10.9.0.0/24' });
  assert.deepEqual(desired.problems(), []);
  desired.remove('file', 'network/blue' as never);
  assert.deepEqual(keysOf(desired), ['natRule/masquerade/default/10.9.0.0/24']);
});

test('VLANs, interfaces and subnets are one network’s alone', () => {
  const clash = (over: object): unknown => {
    const desired = say(new Desired(testOutside(), kinds), vlan, {
      ...vlan,
      id: 'other',
      interface: 'other0',
      vlanId: 101,
      subnets: [{ prefix: '10.1.0.0/24', gateway: '10.1.0.1' }],
      ...over,
    });
    return desired.problems().map(({ problem: { code, field } }) => [code, field])[0];
  };
  assert.equal(clash({}), undefined);
  assert.deepEqual(clash({ interface: 'eth0.100' }), ['intent.conflict', 'interface']);
  assert.deepEqual(clash({ vlanId: 100 }), ['intent.conflict', 'vlanId']);
  assert.deepEqual(clash({ subnets: vlan.subnets.slice(0, 1) }), ['network.overlap', 'subnets[0].prefix']);
});

const subnet = (id: string, ...prefixes: string[]) => ({
  ...bridge,
  id,
  interface: `br-${id}`,
  subnets: prefixes.map((prefix) => ({
    prefix,
    gateway: prefix.replace(/(:|0)\/.*/, (_, end) => (end === '0' ? '1' : ':1')),
  })),
});
const overlapping = (desired: Desired): string[] =>
  desired.problems().map(({ source, key, problem: { code, message } }) => `${source} ${key} ${code}: ${message}`);

test('of networks that overlap, whoever says them, the first has its subnet, and nothing of the other is made', () => {
  for (const [elder, younger] of [
    [['172.18.0.0/16'], '172.18.4.0/24'],
    [['172.18.4.0/24'], '172.18.0.0/16'],
    [['172.18.0.0/16'], '172.18.0.0/16'],
    [['10.1.0.0/24', 'fd18::/48'], 'fd18:0:0:7::/64'],
  ] as const) {
    const desired = say(new Desired(testOutside(), kinds), subnet('elder', ...elder));
    const before = keysOf(desired);
    const parsed = parseIntent(subnet('younger', younger, '10.77.0.0/24'));
    assert.ok(parsed.ok);
    const wrong = desired.preview('router', parsed.value).map(({ problem }) => problem.code);
    assert.deepEqual(wrong, ['network.overlap'], younger);
    desired.put('cli', parsed.value);
    assert.deepEqual(keysOf(desired), before);
    const [told, ...more] = overlapping(desired);
    assert.match(told!, /^cli network\/younger network\.overlap: .* of file network\/elder: choose another subnet$/);
    assert.deepEqual(more, []);
    // The elder may be said anew, and keeps its subnet; when it goes the other is made.
    say(desired, { ...subnet('elder', ...elder), mtu: 1400 });
    assert.equal(overlapping(desired).length, 1);
    desired.remove('file', 'network/elder' as never);
    assert.deepEqual(overlapping(desired), []);
    assert.ok(keysOf(desired).includes('link/br-younger'));
  }
});

test('an elder that moves into a younger one’s subnet takes it; neighbours are nobody’s trouble', () => {
  const desired = say(new Desired(testOutside(), kinds), subnet('a', '10.1.0.0/24'), subnet('b', '10.2.0.0/24'));
  say(desired, subnet('c', '10.2.1.0/24'), subnet('d', '10.0.0.0/16'), subnet('e', 'fd18::/64', '10.3.0.0/16'));
  assert.deepEqual(overlapping(desired), []);
  say(desired, subnet('a', '10.2.0.0/16'));
  assert.deepEqual(
    overlapping(desired).map((text) => text.split(' ')[1]),
    ['network/b', 'network/c'],
  );
  say(desired, subnet('a', '10.1.0.0/24'));
  assert.deepEqual(overlapping(desired), []);
  say(desired, subnet('a', '10.1.0.0/24', '10.1.0.0/25'));
  assert.match(overlapping(desired)[0]!, /10\.1\.0\.0\/2[45] of the same network/);
});

test('what the host has on its links, and its way out, are no network’s; one that is there stays', () => {
  const row = (name: string, prefix: string, more: object = {}): HostNetwork => ({
    interface: name,
    prefix: prefixOf(prefix),
    isGateway: false,
    isOurs: false,
    ...more,
  });
  let host: HostNetwork[] = [
    row('eth0', '192.0.2.0/24'),
    row('eth0', '2001:db8::/64'),
    row('eth0', '198.51.100.1/32', { isGateway: true }),
    row('br-old', '10.9.0.0/24', { isOurs: true }),
  ];
  const outside = { ...testOutside(), hostNetworks: () => host };
  for (const [prefix, by] of [
    ['192.0.2.0/25', /192\.0\.2\.0\/24 of eth0 of this host/],
    ['192.0.0.0/16', /192\.0\.2\.0\/24 of eth0 of this host/],
    ['2001:db8::/32', /eth0 of this host/],
    ['198.51.100.0/24', /198\.51\.100\.1\/32 of this host's default route by eth0/],
  ] as const) {
    const desired = say(new Desired(outside, kinds), subnet('x', '10.77.0.0/24', prefix));
    assert.deepEqual(keysOf(desired), []);
    assert.match(overlapping(desired)[0]!, by);
  }
  const desired = say(new Desired(outside, kinds), bridge);
  assert.deepEqual(overlapping(desired), [], 'what was made for another network of ours is no obstacle');
  host = [...host, row('br-blue', '10.9.0.0/24', { isOurs: true }), row('eth1', '10.9.0.0/25')];
  desired.changed('hostNetworks');
  assert.deepEqual(overlapping(desired), [], 'it was there before eth1 had an address');
  host = [row('eth1', '10.9.0.0/25')];
  desired.changed('hostNetworks');
  assert.equal(overlapping(desired).length, 1);
  host = [];
  desired.changed('hostNetworks');
  assert.ok(keysOf(desired).includes('link/br-blue'));
});

test('a thousand networks cost each other little', (t) => {
  const all = Array.from({ length: 1000 }, (_, i) =>
    subnet(`n${i}`, `10.${i >> 8}.${i & 0xff}.0/24`, `fd00:${i}::/64`),
  );
  const began = performance.now();
  const desired = say(new Desired(testOutside(), kinds), ...all);
  assert.deepEqual(overlapping(desired), []);
  t.diagnostic(`${Math.round(performance.now() - began)} ms`);
  assert.ok(performance.now() - began < 10_000);
});

test('names and published ports wait for their network', () => {
  const name = { kind: 'dnsName', network: 'blue', name: 'Web', addresses: ['10.9.0.2', 'fd09::2'], aliases: ['www'] };
  const port = { kind: 'publishedPort', network: 'blue', protocol: 'tcp', hostPort: 80, address: '10.9.0.2', port: 80 };
  const desired = say(new Desired(testOutside(), kinds), name, port);
  assert.deepEqual(
    desired.problems().map(({ problem }) => problem.code),
    ['intent.reference', 'intent.reference'],
  );
  say(desired, bridge);
  assert.deepEqual(desired.problems(), []);
  assert.deepEqual(
    keysOf(desired).filter((key) => /^dnsRecord|^natRule\/port/.test(key)),
    [
      'dnsRecord/blue/web/A/10.9.0.2',
      'dnsRecord/blue/web/AAAA/fd09::2',
      'dnsRecord/blue/www/A/10.9.0.2',
      'dnsRecord/blue/www/AAAA/fd09::2',
      'natRule/port/default/*/tcp/80',
    ],
  );
});

test('one port of every address of each family', () => {
  const port = { kind: 'publishedPort', protocol: 'tcp', hostPort: 80, port: 80 };
  const desired = say(
    new Desired(testOutside(), kinds),
    { ...port, hostAddress: '0.0.0.0', address: '10.9.0.2' },
    { ...port, address: 'fd09::2' },
  );
  assert.deepEqual(desired.problems(), []);
  assert.deepEqual(keysOf(desired), ['natRule/port/default/*/tcp/80', 'natRule/port/default/::/tcp/80']);
});

for (const [what, over, field] of [
  ['a gateway outside', { subnets: [{ prefix: '10.9.0.0/24', gateway: '10.9.1.1' }] }, 'subnets[0].gateway'],
  ['the network itself', { subnets: [{ prefix: '10.9.0.0/24', gateway: '10.9.0.0' }] }, 'subnets[0].gateway'],
  ['the broadcast address', { subnets: [{ prefix: '10.9.0.0/24', gateway: '10.9.0.255' }] }, 'subnets[0].gateway'],
  ['another family', { subnets: [{ prefix: '10.9.0.0/24', gateway: 'fd09::1' }] }, 'subnets[0].gateway'],
  ['no gateway', { subnets: [{ prefix: '10.9.0.0/24' }] }, 'subnets[0].gateway'],
  ['host bits', { subnets: [{ prefix: '10.9.0.1/24', gateway: '10.9.0.1' }] }, 'subnets[0].prefix'],
  ['no prefix length', { subnets: [{ prefix: '10.9.0.0', gateway: '10.9.0.1' }] }, 'subnets[0].prefix'],
  ['a leading zero', { subnets: [{ prefix: '10.9.0.0/024', gateway: '10.9.0.1' }] }, 'subnets[0].prefix'],
  ['room for one', { subnets: [{ prefix: '10.9.0.1/32', gateway: '10.9.0.1' }] }, 'subnets[0].prefix'],
  ['room for one of IPv6', { subnets: [{ prefix: 'fd09::1/128', gateway: 'fd09::1' }] }, 'subnets[0].prefix'],
  ['every address as a server', { dnsServers: ['192.0.2.1', '0.0.0.0'] }, 'dnsServers[1]'],
  ['every IPv6 address as a server', { dnsServers: ['[::]:53'] }, 'dnsServers[0]'],
  ['a server on no link', { dnsServers: ['fe80::1'] }, 'dnsServers[0]'],
  ['the gateway as a server', { dnsServers: ['10.9.0.1'] }, 'dnsServers[0]'],
  ['the gateway and its port as a server', { dnsServers: ['10.9.0.1:53'] }, 'dnsServers[0]'],
  ['all addresses', { subnets: [{ prefix: '0.0.0.0/0', gateway: '10.9.0.1' }] }, 'subnets[0].prefix'],
  ['a field too much', { subnets: [{ prefix: '10.9.0.0/24', gateway: '10.9.0.1', dhcp: true }] }, 'subnets[0].dhcp'],
  ['no subnets', { subnets: [] }, 'subnets'],
  ['a parent of a bridge', { parent: 'eth0' }, 'parent'],
  ['a VLAN without a parent', { attachment: 'vlan', vlanId: 5 }, 'parent'],
  ['servers of an internal network', { internal: true, dnsServers: ['192.0.2.1'] }, 'dnsServers'],
  ['a name for a server', { dnsServers: ['ns.example'] }, 'dnsServers[0]'],
  ['a domain with a newline', { domain: 'a\nb' }, 'domain'],
] as const)
  test(`refused: ${what}`, () => {
    const parsed = parseIntent({ ...bridge, ...over });
    assert.ok(!parsed.ok);
    assert.equal(parsed.error.field, field);
  });

test('a resolver of the host’s own may be asked: at its loopback, or at another port of the gateway', () => {
  for (const dnsServers of [['127.0.0.53'], ['[::1]:5353'], ['10.9.0.1:5353']])
    assert.ok(parseIntent({ ...bridge, dnsServers }).ok, dnsServers[0]);
});

for (const [field, address] of [
  ['hostAddress', '224.0.0.1'],
  ['hostAddress', '0.1.2.3'],
  ['hostAddress', '255.255.255.255'],
  ['address', '224.0.0.1'],
  ['address', '0.0.0.0'],
] as const)
  test(`refused: a published port with ${address} as ${field}`, () => {
    const port = {
      kind: 'publishedPort',
      protocol: 'tcp',
      hostPort: 80,
      address: '10.9.0.2',
      port: 80,
      [field]: address,
    };
    const parsed = parseIntent(port);
    assert.ok(!parsed.ok);
    assert.deepEqual([parsed.error.code, parsed.error.field], ['address.invalid', field]);
  });

test('a gateway may be either address of a /31 or /127', () => {
  for (const [prefix, gateway] of [
    ['10.9.0.0/31', '10.9.0.0'],
    ['10.9.0.0/31', '10.9.0.1'],
    ['fd09::/127', 'fd09::1'],
    ['fd09::/64', 'fd09::ffff:ffff:ffff:ffff'],
  ])
    assert.ok(parseIntent({ ...bridge, subnets: [{ prefix, gateway }] }).ok, prefix);
});
