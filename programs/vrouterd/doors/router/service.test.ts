/** The nine calls over both kinds of intents, by the numbers of the acceptance list where it has one. What needs a kernel is elsewhere. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { intentKey } from '@vrouter/intent/model/intents.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import type { RouterIntents } from './intents.ts';
import { MemoryIntents } from './memory.testing.ts';
import { Client, openWorld } from './world.testing.ts';

type Step = (client: Client) => Promise<{ readonly success: boolean; readonly error: string }>;

const kinds: readonly (readonly [string, (t: TestContext) => Promise<RouterIntents>])[] = [
  ['memory', async () => new MemoryIntents()],
  [
    'store',
    async (t) => {
      const world = await openWorld();
      t.after(() => world.stop());
      return world.intents;
    },
  ],
];

const keysOf = (intents: RouterIntents): string[] => intents.said().map(({ intent }) => intentKey(intent));

/** Steps that succeed, and the keys of intents that are there then. */
const stories: readonly (readonly [what: string, steps: readonly Step[], keys: readonly string[]])[] = [
  [
    '6: the lowest and the highest id',
    [(c) => c.createVlan(100), (c) => c.createVlan(4094)],
    ['network/vlan-100', 'network/vlan-4094'],
  ],
  ['8: the same VLAN again', [(c) => c.createVlan(100), (c) => c.createVlan(100)], ['network/vlan-100']],
  [
    '8: with the same parameters ports and names survive',
    [
      (c) => c.createVlan(100, { mtu: 1400 }),
      (c) => c.configureDns(100, { web: '10.0.100.2' }),
      (c) => c.addPort('tcp', 80, '10.0.100.2:80', 100),
      (c) => c.createVlan(100, { mtu: 1400 }),
    ],
    ['network/vlan-100', 'dnsName/vlan-100/web', 'publishedPort/default/*/tcp/80'],
  ],
  [
    'another MTU and name: in place, ports and names survive',
    [
      (c) => c.createVlan(100),
      (c) => c.configureDns(100, { web: '10.0.100.2' }),
      (c) => c.createVlan(100, { mtu: 1400, networkName: 'blue', enableNat: false }),
    ],
    ['network/vlan-100', 'dnsName/vlan-100/web'],
  ],
  [
    'another subnet takes along what led into the old one, and nothing else',
    [
      (c) => c.createVlan(100),
      (c) => c.createVlan(101),
      (c) => c.configureDns(100, { web: '10.0.100.2', far: '192.0.2.9' }),
      (c) => c.addPort('tcp', 80, '10.0.100.2:80', 100),
      (c) => c.addPort('tcp', 81, '10.0.101.2:80', 101),
      (c) => c.createVlan(100, { subnet: '10.9.0.0/16', gateway: '10.9.0.1' }),
    ],
    ['network/vlan-100', 'network/vlan-101', 'dnsName/vlan-100/far', 'publishedPort/default/*/tcp/81'],
  ],
  [
    '9: deleting twice, and what never was',
    [(c) => c.createVlan(100), (c) => c.deleteVlan(100), (c) => c.deleteVlan(100), (c) => c.deleteVlan(0)],
    [],
  ],
  [
    '9, 23: with a VLAN go its names, its ports, its NAT, by address or by what the client said',
    [
      (c) => c.createVlan(100),
      (c) => c.createVlan(101),
      (c) => c.configureDns(100, { web: '10.0.100.2' }),
      (c) => c.configureDns(101, { web: '10.0.101.2' }),
      (c) => c.addPort('tcp', 80, '10.0.100.2:80'),
      (c) => c.addPort('tcp', 82, '10.0.101.2:80', 101),
      (c) => c.configureNat(100, '10.50.0.0/16'),
      (c) => c.configureNat(101, '10.51.0.0/16'),
      (c) => c.deleteVlan(100),
    ],
    ['network/vlan-101', 'dnsName/vlan-101/web', 'publishedPort/default/*/tcp/82', 'masquerade/default/10.51.0.0/16'],
  ],
  [
    '9: what was made for a VLAN that was never there goes with it too',
    [
      (c) => c.addPort('tcp', 80, '192.0.2.1:80', 300),
      (c) => c.configureNat(300, '10.50.0.0/16'),
      (c) => c.deleteVlan(300),
    ],
    [],
  ],
  [
    '11: NAT of a subnet of its own: as often as you like it is one rule, and nothing is no failure to remove',
    [
      (c) => c.removeNat(100, '10.50.0.0/16'),
      (c) => c.configureNat(100, '10.50.0.0/16'),
      (c) => c.configureNat(100, '10.50.7.0/16'),
      (c) => c.configureNat(100, '10.50.0.0/16'),
    ],
    ['masquerade/default/10.50.0.0/16'],
  ],
  [
    '11: removed, also as it was written; not for another VLAN',
    [
      (c) => c.configureNat(100, '10.50.7.9/16'),
      (c) => c.configureNat(101, '10.51.0.0/16'),
      (c) => c.removeNat(100, '10.50.7.9/16'),
      (c) => c.removeNat(100, '10.51.0.0/16'),
    ],
    ['masquerade/default/10.51.0.0/16'],
  ],
  [
    '16: 80 goes and 8080 stays; tcp/53 goes and udp/53 stays; what is not there goes too',
    [
      (c) => c.addPort('tcp', 8080, '10.0.100.2:80'),
      (c) => c.addPort('TCP', 80, '10.0.100.2:80'),
      (c) => c.addPort('Tcp', 53, '10.0.100.2:53'),
      (c) => c.addPort('uDP', 53, '10.0.100.2:53'),
      (c) => c.removePort('tcP', 80),
      (c) => c.removePort('tcp', 53),
      (c) => c.removePort('udp', 80),
      (c) => c.removePort('tcp', 0),
    ],
    ['publishedPort/default/*/tcp/8080', 'publishedPort/default/*/udp/53'],
  ],
  [
    '17: the same mapping twice',
    [(c) => c.addPort('tcp', 80, '10.0.100.2:80'), (c) => c.addPort('tcp', 80, '10.0.100.2:80', 7)],
    ['publishedPort/default/*/tcp/80'],
  ],
  [
    'a port to an IPv6 address of an IPv6 VLAN',
    [
      (c) => c.createVlan(100, { subnet: 'FD18::/64', gateway: 'fd18::1' }),
      (c) => c.addPort('tcp', 80, 'fd18::2:80'),
      (c) => c.addPort('udp', 80, 'fd18::2:80'),
      (c) => c.removePort('udp', 80),
    ],
    ['network/vlan-100', 'publishedPort/default/::/tcp/80'],
  ],
  [
    'names are added, and get another address; letters have no case',
    [
      (c) => c.createVlan(100),
      (c) => c.configureDns(100, { Web: '10.0.100.2', my_db: '10.0.100.3' }),
      (c) => c.configureDns(100, {}, 'blue.lan'),
      (c) => c.configureDns(100, { 'web.': '10.0.100.9', '123456789012': 'fd00::9' }),
    ],
    ['network/vlan-100', 'dnsName/vlan-100/web', 'dnsName/vlan-100/my_db', 'dnsName/vlan-100/123456789012'],
  ],
];

const before: readonly Step[] = [
  (c) => c.createVlan(100),
  (c) => c.createVlan(101, { subnet: 'fd18::/64', gateway: 'fd18::1' }),
  (c) => c.configureDns(100, { web: '10.0.100.2' }, 'lan'),
  (c) => c.addPort('tcp', 80, '10.0.100.2:80', 100),
];

const vlan =
  (more: object, vlanId = 100): Step =>
  (c) =>
    c.createVlan(vlanId, more);
const names =
  (hosts: { [name: string]: string }, domain?: string): Step =>
  (c) =>
    c.configureDns(100, hosts, domain);
const good = '10.0.100.7';
const label = 'a'.repeat(63);

/** Refused after `before`, by a sentence that has this in it; then nothing is different (2). */
const refusals: readonly (readonly [what: string, step: Step, error: RegExp])[] = [
  ...[0, 1, 99, 4095, 4_294_967_295].map((id): [string, Step, RegExp] => [
    `6: id ${id}`,
    vlan({}, id),
    new RegExp(`VLAN id ${id} .*100 to 4094`),
  ]),
  ...[
    '',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/',
    '/24',
    '10.0.0.0/24,10.1.0.0/24',
    'x',
    '10.0.0.0/-1',
    '010.0.0.0/8',
  ].map((subnet): [string, Step, RegExp] => [`7: subnet "${subnet}"`, vlan({ subnet }), /^subnet: .*prefix.invalid/]),
  ...['0.0.0.0/0', '127.0.0.0/8', '224.0.0.0/4', '169.254.0.0/16', 'fe80::/64', '::/0'].map(
    (subnet): [string, Step, RegExp] => [`7: nobody's subnet ${subnet}`, vlan({ subnet }), /^subnet: .*choose/],
  ),
  ...['', '10.0.100', '10.0.100.1/24', 'gateway', '10.0.100.256', ' 10.0.100.1', '10.0.100.1\n'].map(
    (gateway): [string, Step, RegExp] => [`7: gateway "${gateway}"`, vlan({ gateway }), /^gateway: .*address.invalid/],
  ),
  ['7: a gateway outside', vlan({ gateway: '10.0.101.1' }), /gateway of 10.0.100.0\/24: it is not in it/],
  ['7: the network as gateway', vlan({ gateway: '10.0.100.0' }), /the network itself/],
  ['7: the broadcast address as gateway', vlan({ gateway: '10.0.100.255' }), /the broadcast address/],
  ['7: an IPv6 gateway in IPv4', vlan({ gateway: 'fd00::1' }), /other address family/],
  ['7: for a VLAN that is not there', vlan({ gateway: '' }, 200), /^gateway/],
  [
    'a subnet of another VLAN',
    vlan({ subnet: '10.0.0.0/16', gateway: '10.0.0.1' }, 200),
    /overlaps 10.0.100.0\/24 of VLAN 100/,
  ],
  ...[1, 575, 9217, 4_294_967_295].map((mtu): [string, Step, RegExp] => [
    `MTU ${mtu}`,
    vlan({ mtu }),
    new RegExp(`MTU of ${mtu} `),
  ]),
  ['an MTU too small for IPv6', vlan({ subnet: 'fd19::/64', gateway: 'fd19::1', mtu: 1279 }), /1280/],
  ['18: no protocol', (c) => c.addPort('', 81, `${good}:80`), /^protocol/],
  ['16: sctp', (c) => c.addPort('sctp', 81, `${good}:80`), /"sctp" is not a protocol/],
  ['16: sctp, removed', (c) => c.removePort('sctp', 81), /"sctp" is not a protocol/],
  ['16: nothing, removed', (c) => c.removePort('', 81), /^protocol/],
  ['a protocol with a line end', (c) => c.addPort('tcp\nx', 81, `${good}:80`), /"tcp\\nx"/],
  ['17: another target', (c) => c.addPort('tcp', 80, `${good}:80`), /tcp port 80 leads to 10.0.100.2:80 already/],
  ['17: another port of it', (c) => c.addPort('tcp', 80, '10.0.100.2:81'), /leads to 10.0.100.2:80 already/],
  ['18: host port 0', (c) => c.addPort('tcp', 0, `${good}:80`), /^host_port: port 0 /],
  ['18: host port 65536', (c) => c.addPort('tcp', 65_536, `${good}:80`), /^host_port: port 65536 /],
  ['18: container port 0', (c) => c.addPort('tcp', 81, `${good}:0`), /^container_port/],
  ['18: container port 65536', (c) => c.addPort('tcp', 81, `${good}:65536`), /^container_port/],
  ['18: no address', (c) => c.addPort('tcp', 81, ':80'), /^container_ip: "" is not/],
  ['18: a range', (c) => c.addPort('tcp', 81, '10.0.100.2-10.0.100.9:80'), /^container_ip/],
  [
    '18: an IPv6 address in IPv4',
    (c) => c.addPort('tcp', 81, 'fd00::2:80', 100),
    /cannot be in VLAN 100, whose subnet is 10.0.100.0\/24/,
  ],
  ['18: IPv4 in the clothes of IPv6', (c) => c.addPort('tcp', 81, '::ffff:10.0.100.2:80', 100), /^container_ip/],
  ['18: an IPv4 address in IPv6', (c) => c.addPort('tcp', 81, `${good}:80`, 101), /cannot be in VLAN 101/],
  ...(
    [
      ['outside', '192.0.2.9', 100, /192.0.2.9 cannot be in VLAN 100, whose subnet is 10.0.100.0\/24 \(address/],
      ['in the world', '8.8.8.8', 100, /8.8.8.8 cannot be in VLAN 100/],
      ['in another VLAN', 'fd18::2', 100, /fd18::2 cannot be in VLAN 100/],
      ['the gateway', '10.0.100.1', 100, /10.0.100.1 is the gateway of VLAN 100, not a container of it/],
      ['the gateway, no VLAN said', '10.0.100.1', 0, /10.0.100.1 is the gateway of VLAN 100/],
      ['the gateway, a VLAN that is not there', '10.0.100.1', 300, /10.0.100.1 is the gateway of VLAN 100/],
      ['the network', '10.0.100.0', 100, /10.0.100.0 is the network address of 10.0.100.0\/24/],
      ['the broadcast address', '10.0.100.255', 100, /10.0.100.255 is the broadcast address of 10.0.100.0\/24/],
      ['the gateway, IPv6', 'fd18::1', 101, /fd18::1 is the gateway of VLAN 101/],
      ['the network, IPv6', 'fd18::', 101, /fd18:: is the network address of fd18::\/64/],
    ] as const
  ).map(([where, address, id, error]): [string, Step, RegExp] => [
    `a port to nowhere: ${where}`,
    (c) => c.addPort('tcp', 81, `${address}:80`, id),
    new RegExp(`^container_ip: ${error.source}`),
  ]),
  ['an IPv6 address of nobody', (c) => c.addPort('tcp', 81, 'fd99::2:80'), /in no VLAN/],
  ...['0.0.0.0', '127.0.0.1', '224.0.0.1', '255.255.255.255'].map((address): [string, Step, RegExp] => [
    `a port to ${address}`,
    (c) => c.addPort('tcp', 81, `${address}:80`),
    /^container_ip/,
  ]),
  ...[
    'a\nb',
    'a,b',
    'a b',
    'a=b',
    'a#b',
    '',
    '.',
    'a..b',
    '.a',
    `${label}a`,
    `${`${label}.`.repeat(3)}${label}`,
    '-a',
    '10.0.0.1',
    '\u212a',
  ].map((name): [string, Step, RegExp] => [
    `22: name ${JSON.stringify(name).slice(0, 20)}`,
    names({ good, [name]: good }),
    /^hosts\["[ -~]*"\]: .*name.invalid/,
  ]),
  [
    '22: too long with the domain',
    names({ [`${label}.${label}.${label}.${'b'.repeat(59)}`]: good }),
    /with the domain/,
  ],
  ...['', 'x', '10.0.0.1\nx', '10.0.0.0/24', '0.0.0.0', '10.0.0.1,10.0.0.2'].map((address): [string, Step, RegExp] => [
    `22: address ${JSON.stringify(address)}`,
    names({ good, web: address }),
    /^hosts\["web"\]/,
  ]),
  ['22: a name twice with two addresses', names({ web: good, WEB: '10.0.100.8' }), /twice/],
  ['22: a domain', names({ web: good }, 'a b'), /^domain/],
  ['23: names of an unknown VLAN', (c) => c.configureDns(200, { web: good }), /no VLAN 200/],
  ...['', '10.0.0.0', 'x', '10.0.0.0/8,10.1.0.0/16', '127.0.0.0/8'].flatMap((sources): [string, Step, RegExp][] => [
    [`sources "${sources}"`, (c) => c.configureNat(100, sources), /^source_subnet/],
    [`sources "${sources}", removed`, (c) => c.removeNat(100, sources), /^source_subnet/],
  ]),
];

for (const [kind, make] of kinds) {
  for (const [what, steps, keys] of stories)
    test(`${kind}: ${what}`, async (t) => {
      const intents = await make(t);
      const client = new Client(intents);
      for (const [i, step] of steps.entries()) {
        const { success, error } = await step(client);
        assert.deepEqual({ success, error }, { success: true, error: '' }, `step ${i}`);
      }
      assert.deepEqual(keysOf(intents), keys);
      assert.deepEqual(client.calls.health().status, 'running');
    });
}

for (const [kind, make] of kinds)
  test(`2, 6, 7, 17, 18, 22, 23: what is refused says why and changes nothing, ${kind}`, async (t) => {
    const intents = await make(t);
    const client = new Client(intents);
    for (const step of before) assert.equal((await step(client)).error, '');
    const said = structuredClone(intents.said());
    const listed = await client.list();
    for (const [what, step, error] of refusals) {
      const answer = await step(client);
      assert.equal(answer.success, false, what);
      assert.match(answer.error, error, what);
      assert.match(answer.error, /^[ -~]{1,600}$/, what);
      assert.deepEqual(intents.said(), said, what);
    }
    assert.deepEqual(await client.list(), listed);
    assert.equal(client.calls.health().healthy, true);
  });

test('4: the reply has the name and the MAC; a failure has neither', async () => {
  const client = new Client(new MemoryIntents());
  const made = { success: true, error: '', interfaceName: 'eth0.100', macAddress: '02:00:5e:10:00:01' };
  assert.deepEqual(await client.createVlan(100), made);
  const { error: _, ...failed } = await client.createVlan(99);
  assert.deepEqual(failed, { success: false, interfaceName: '', macAddress: '' });
});

test('10: the parent is chosen once; none, or one with a name too long, is refused', async () => {
  const intents = new MemoryIntents();
  let parent: string | null = 'eth0';
  const client = new Client(intents, () => parent);
  await client.createVlan(100);
  parent = 'eth1';
  await client.createVlan(100, { mtu: 1400 });
  await client.createVlan(101);
  assert.deepEqual(
    (await client.list()).map(({ interfaceName }) => interfaceName),
    ['eth0.100', 'eth1.101'],
  );
  parent = null;
  assert.equal((await client.createVlan(100)).success, true);
  assert.match((await client.createVlan(102)).error, /no interface of this host has a default route/);
  parent = 'enp0s20f0u1u2';
  assert.match((await client.createVlan(102)).error, /enp0s20f0u1u2.102.*longer than 15/);
  assert.equal((await client.deleteVlan(100)).success, true);
  assert.equal((await client.list()).length, 1);
});

test('11: NAT is on unless the client says false; removed and configured it is as before', async () => {
  const client = new Client(new MemoryIntents());
  const isOn = async (): Promise<boolean | undefined> => (await client.list(100))[0]?.natEnabled;
  await client.createVlan(100);
  assert.equal(await isOn(), true);
  await client.createVlan(100, { enableNat: false });
  assert.equal(await isOn(), false);
  await client.createVlan(100, { enableNat: true });
  await client.removeNat(100, '10.0.100.0/24');
  await client.removeNat(100, '10.0.100.0/24');
  assert.equal(await isOn(), false);
  await client.configureNat(100, '10.0.100.0/24');
  await client.configureNat(100, '10.0.100.0/24');
  assert.equal(await isOn(), true);
  await client.removeNat(100, '10.0.100.0/24');
  await client.configureNat(100, '10.0.0.0/8');
  assert.equal(await isOn(), true, 'by a rule of a wider prefix');
  await client.removeNat(100, '10.0.0.0/8');
  assert.equal(await isOn(), false);
});

test('the list is sorted, filtered, and tells subnets as they were written', async () => {
  const client = new Client(new MemoryIntents());
  await client.createVlan(4000, { subnet: '172.20.7.9/16', gateway: '172.20.0.1', mtu: 1400 });
  await client.createVlan(101, { subnet: 'FD18:0::/64', gateway: 'FD18::1', enableNat: false });
  const common = { macAddress: '02:00:5e:10:00:01', isUp: true };
  const first = { vlanId: 101, interfaceName: 'eth0.101', gateway: 'FD18::1', subnet: 'FD18:0::/64' };
  const second = { vlanId: 4000, interfaceName: 'eth0.4000', gateway: '172.20.0.1', subnet: '172.20.7.9/16' };
  assert.deepEqual(await client.list(), [
    { ...first, ...common, mtu: 1500, natEnabled: false },
    { ...second, ...common, mtu: 1400, natEnabled: true },
  ]);
  assert.deepEqual(
    (await client.list(4000)).map(({ vlanId }) => vlanId),
    [4000],
  );
  assert.deepEqual(await client.list(5), []);
});

test('a port at which the host listens is left to it; what leads elsewhere already, is said again, or taken away', async () => {
  const intents = new MemoryIntents();
  const client = new Client(intents);
  await client.createVlan(100);
  await client.createVlan(101, { subnet: 'fd18::/64', gateway: 'fd18::1' });
  assert.equal((await client.addPort('tcp', 8080, '10.0.100.2:80', 100)).error, '');
  client.listeners = [
    { protocol: 'tcp', address: '::', port: 22 },
    { protocol: 'tcp', address: '127.0.0.1', port: 50_052 },
    { protocol: 'udp', address: '0.0.0.0', port: 53 },
    { protocol: 'tcp', address: '0.0.0.0', port: 8080 },
    { protocol: 'tcp', address: 'fd00::9', port: 443 },
  ];
  const { length } = intents.changes;
  const program = 'a program of this host listens at tcp port 22 of :: and would hear nothing more';
  assert.deepEqual(await client.addPort('tcp', 22, '10.0.100.2:22', 100), {
    success: false,
    error: `host_port: ${program}: choose another port, or stop that program (port.inUse)`,
  });
  for (const [protocol, port, target] of [
    ['tcp', 22, 'fd18::2:22'],
    ['tcp', 50_052, '10.0.100.2:80'],
    ['udp', 53, '10.0.100.2:53'],
    ['tcp', 443, 'fd18::2:443'],
  ] as const)
    assert.match((await client.addPort(protocol, port, target)).error, /port.inUse/, `${protocol} ${port} ${target}`);
  assert.equal(intents.changes.length, length, 'nothing is said');
  for (const [protocol, port, target] of [
    ['tcp', 8080, '10.0.100.2:80'],
    ['udp', 22, '10.0.100.2:22'],
    ['tcp', 53, '10.0.100.2:53'],
    ['tcp', 443, '10.0.100.2:443'],
    ['tcp', 50_052, 'fd18::2:80'],
  ] as const)
    assert.equal((await client.addPort(protocol, port, target)).error, '', `${protocol} ${port} ${target}`);
  assert.match((await client.addPort('tcp', 22, '0.0.0.0:22')).error, /address.invalid/, 'what is judged comes first');
  assert.equal((await client.removePort('tcp', 22)).error, '');
});

test('a port to what is in no VLAN yet, or in one that is not there yet, is taken', async () => {
  const intents = new MemoryIntents();
  const client = new Client(intents);
  await client.createVlan(101);
  await client.createVlan(102, { subnet: '10.0.102.0/31', gateway: '10.0.102.0' });
  for (const [port, target, vlanId] of [
    [80, '10.0.100.2:80', 0],
    [81, '10.0.100.1:80', 100],
    [82, '10.0.101.254:80', 300],
    [83, '10.0.102.1:80', 102],
  ] as const)
    assert.equal((await client.addPort('tcp', port, target, vlanId)).error, '', target);
  await client.deleteVlan(102);
  assert.deepEqual(keysOf(intents), [
    'network/vlan-101',
    ...[80, 81, 82].map((port) => `publishedPort/default/*/tcp/${port}`),
  ]);
});

test('the same VLAN asked for again has the MTU that its parent has now; others stay as they were asked for', async (t) => {
  let parentMtu = 1500;
  const world = await openWorld(':memory:', undefined, { ...testOutside(), deviceMtu: () => parentMtu });
  t.after(() => world.stop());
  const client = new Client(world.intents);
  const mtus = async () => (await client.list()).map(({ mtu }) => mtu);
  for (const vlanId of [100, 101]) await client.createVlan(vlanId);
  await client.createVlan(102, { mtu: 1200 });
  parentMtu = 1300;
  assert.deepEqual(await mtus(), [1500, 1500, 1200]);
  for (const vlanId of [100, 102])
    assert.equal((await client.createVlan(vlanId, vlanId === 102 ? { mtu: 1200 } : {})).error, '');
  assert.deepEqual(await mtus(), [1300, 1500, 1200]);
  parentMtu = 9000;
  const refused = await client.createVlan(100, { subnet: '10.0.101.0/24', gateway: '10.0.101.1' });
  assert.match(refused.error, /overlap/);
  assert.deepEqual(await mtus(), [1300, 1500, 1200]);
});
