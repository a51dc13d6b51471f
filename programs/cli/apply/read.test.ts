import assert from 'node:assert/strict';
import test from 'node:test';
import { readSources } from './read.ts';

const key = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
const read = (...texts: readonly string[]) => readSources(texts.map((text, i) => ({ file: `f${i}`, text })));

function parts(...texts: readonly string[]) {
  const { vrouters, mistakes } = read(...texts);
  assert.deepEqual(mistakes, []);
  return Object.fromEntries([...vrouters[0]!.parts.values()].map(({ kind, id, fields }) => [`${kind}/${id}`, fields]));
}

test('every section, in the form that the controller keeps', () => {
  const found = parts(`
vrouters:
  edge-1:
    vrfs: { blue: , red: {} }
    hostInterfaces: { host0: { addresses: [10.99.0.2/24, 10.99.0.1/24, 10.99.0.2/24], routes: [FD77:0::/64] } }
    ports: { lan: { tap: tap0, mac: 02-00-5E-00-00-01 } }
    peers: { p: { publicKey: ${key}, allowedIps: [10.2.0.0/16, 10.1.0.0/16], endpoint: '[2001:DB8:0::1]:5' } }
    routes: [{ prefix: 'FD01:0:0::/48', blackhole: true }]
    masquerades: [{ vrf: blue, prefix: 10.0.0.0/8, leaving: [lan, host0] }]
    publishedPorts: [{ protocol: tcp, hostPort: 80, address: 10.77.0.2, port: 8080 }]
    floatingIps: { mail: { address: 192.0.2.1, fixedAddress: 10.77.0.2 } }
    natSettings: { sessions: 5 }
`);
  assert.deepEqual(found, {
    'vrf/blue': {},
    'vrf/red': {},
    'hostInterface/host0': {
      vrf: 'default',
      mtu: 1420,
      mssClamp: 'auto',
      sourceCheck: 'off',
      addresses: ['10.99.0.1/24', '10.99.0.2/24'],
      routes: ['fd77::/64'],
    },
    'port/lan': {
      vrf: 'default',
      mtu: 1500,
      mssClamp: 'auto',
      sourceCheck: 'off',
      addresses: [],
      device: null,
      tap: 'tap0',
      mac: '02:00:5e:00:00:01',
      vlanId: null,
    },
    'peer/p': {
      publicKey: key,
      allowedIps: ['10.1.0.0/16', '10.2.0.0/16'],
      endpoint: '[2001:db8::1]:5',
      persistentKeepalive: 0,
    },
    'route/default fd01::/48': { vrf: 'default', prefix: 'fd01::/48', interface: null, nextHop: null, blackhole: true },
    'masquerade/blue 10.0.0.0/8': { vrf: 'blue', prefix: '10.0.0.0/8', leaving: ['host0', 'lan'], addresses: null },
    'publishedPort/default tcp/*:80': {
      vrf: 'default',
      protocol: 'tcp',
      hostAddress: null,
      hostPort: 80,
      address: '10.77.0.2',
      port: 8080,
      count: 1,
    },
    'floatingIp/mail': { vrf: 'default', address: '192.0.2.1', fixedAddress: '10.77.0.2' },
    'natSettings/default': { sessions: 5 },
  });
});

test('of the vrouter itself only what is said is there', () => {
  const [whole] = read('vrouters: { e: { mtu: 1400, endpoint: vpn.example.org } }').vrouters;
  assert.deepEqual(whole!.own!.fields, { endpoint: 'vpn.example.org', mtu: 1400 });
  assert.deepEqual(read('vrouters: { e: }').vrouters[0]!.own!.fields, {});
});

test('names are texts, however they look', () => {
  const peer = (name: string): string => `      ${name}: { publicKey: ${key} }`;
  const names = ['01', 'true', '1e3', 'null', '0x10', '"7"', '1.50'];
  const found = parts(`vrouters:\n  "2001":\n    peers:\n${names.map(peer).join('\n')}`);
  assert.deepEqual(
    Object.keys(found),
    names.map((name) => `peer/${name.replaceAll('"', '')}`),
  );
});

test('a preshared key is kept as its fingerprint, null and unsaid apart', () => {
  const { vrouters } = read(
    `vrouters: { e: { peers: { a: { publicKey: ${key}, presharedKey: ${key} }, b: { publicKey: ${key}, presharedKey: }, c: { publicKey: ${key} } } } }`,
  );
  const [a, b, c] = [...vrouters[0]!.parts.values()];
  assert.match(String(a!.fields.presharedKey), /^[0-9a-f]{32}$/);
  assert.ok(!JSON.stringify(a).replace(`"publicKey":"${key}"`, '').includes(key));
  assert.equal(b!.fields.presharedKey, null);
  assert.ok(!('presharedKey' in c!.fields));
});

test('several files and documents are one, and anchors stand for what they name', () => {
  const found = parts(
    'vrouters: { e: { mtu: 1400, vrfs: { blue: } } }\n---\nvrouters: { e: { vrfs: { red: } } }',
    '---\n# nothing\n',
    'vrouters: { e: { sourceCheck: loose, routes: [&r { prefix: 10.0.0.0/8, blackhole: &t true }, { prefix: 10.0.0.0/9, blackhole: *t }] } }',
  );
  assert.deepEqual(Object.keys(found), ['vrf/blue', 'vrf/red', 'route/default 10.0.0.0/8', 'route/default 10.0.0.0/9']);
});

const wrong: readonly (readonly [text: string, ...mistakes: readonly string[]])[] = [
  ['vrouter: {}', '1:1 input.invalid vrouter: there is no "vrouter" here'],
  ['- a', '1:1 input.invalid : a file begins with "vrouters:"'],
  ['vrouters: [a]', '1:11 input.invalid vrouters: this is a map'],
  ['vrouters:\n  -x: {}', '2:3 name.invalid vrouters.-x: a name starts'],
  [
    'vrouters:\n  e:\n    mtu: big\n    colour: red',
    '3:5 input.invalid vrouters.e.mtu: expected number',
    '4:5 input.invalid vrouters.e.colour: there is no field "colour"',
  ],
  ['vrouters: { e: { peers: { p: } } }', '1:30 input.invalid vrouters.e.peers.p.publicKey: this is missing'],
  [
    `vrouters:\n  e:\n    peers:\n      p:\n        publicKey: short\n        allowedIps:\n          - 10.0.0.0/8\n          - 10.0.0.1/8`,
    '5:9 key.invalid vrouters.e.peers.p.publicKey',
    '8:13 prefix.invalid vrouters.e.peers.p.allowedIps[1]: "10.0.0.1/8" has host bits',
  ],
  ['vrouters: { e: { routes: { prefix: 10.0.0.0/8 } } }', '1:26 input.invalid vrouters.e.routes: this is a list'],
  [
    'vrouters: { e: { routes: [{ prefix: 10.0.0.0/8 }] } }',
    '1:27 input.invalid vrouters.e.routes[0].interface: say exactly one',
  ],
  [
    'vrouters: { e: { ports: { lan: { vlanId: 5, tap: t } } } }',
    'input.invalid vrouters.e.ports.lan.vlanId: a TAP has no VLANs',
  ],
  [
    'vrouters: { e: { ports: { a-name-that-is-too-long: { tap: t } } } }',
    'name.invalid vrouters.e.ports.a-name-that-is-too-long',
  ],
  [
    'vrouters: { e: { masquerades: [{ prefix: "fd00::/8" }] } }',
    'input.invalid vrouters.e.masquerades[0].prefix: only IPv4',
  ],
  [
    'vrouters: { e: { vrfs: { blue: { name: blue } } } }',
    'input.invalid vrouters.e.vrfs.blue.name: there is no field "name"',
  ],
  ['vrouters: { e: { vrfs: { blue: , blue: } } }', '1:34 config.invalid : "blue" is there twice'],
  [
    'vrouters: { e: { vrfs: { blue: } } }\n---\nvrouters: { e: { vrfs: { blue: } } }',
    '3:26 input.invalid vrouters.e.vrfs.blue: VRF blue of e is said twice: also in f0:1:26',
  ],
  [
    'vrouters: { e: { mtu: 1400 } }\n---\nvrouters: { e: { mtu: 1400 } }',
    '3:18 input.invalid vrouters.e.mtu: this is said twice',
  ],
  [
    'vrouters: { e: { routes: [{ prefix: 10.0.0.0/8, blackhole: true }, { prefix: 10.0.0.0/8, interface: wg0 }] } }',
    'route 10.0.0.0/8 of e is said twice',
  ],
  ['vrouters: { e: *x }', 'config.invalid : there is no anchor &x'],
  ['vrouters: &v { e: *v }', 'nested deeper'],
  ['vrouters: { e: { mtu: .nan } }', 'config.invalid : this is neither'],
  ['vrouters: { e: [}', '1:17 config.invalid'],
  ['vrouters:\n\te: {}', '2:1 config.invalid'],
  [`${'['.repeat(20_000)}`, 'config.invalid'],
];
for (const [text, ...mistakes] of wrong)
  test(`refused with its line: ${text.slice(0, 60)}`, () => {
    const found = read(text).mistakes.map(
      ({ place, code, field, message }) => `${place.line}:${place.column} ${code} ${field}: ${message}`,
    );
    for (const [i, mistake] of mistakes.entries())
      assert.ok(found[i]?.includes(mistake), `${mistake}\nnot in ${JSON.stringify(found)}`);
    if (!mistakes[0]!.startsWith('config')) assert.ok(found.length >= mistakes.length);
  });

test('aliases of aliases do not grow without end', () => {
  const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 12; i++)
    lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(', ')}]`);
  const from = performance.now();
  assert.ok(read(lines.join('\n')).mistakes.some(({ message }) => message.includes('aliases stand for more')));
  assert.ok(performance.now() - from < 5000);
});

test('ten thousand peers are read in about a second', () => {
  const peers = Array.from(
    { length: 10_000 },
    (_, i) => `      p${i}: { publicKey: ${key}, allowedIps: [10.${i >> 8}.${i & 255}.0/24] }`,
  );
  const from = performance.now();
  const { vrouters, mistakes } = read(`vrouters:\n  e:\n    peers:\n${peers.join('\n')}`);
  assert.deepEqual([mistakes.length, vrouters[0]!.parts.size], [0, 10_000]);
  assert.ok(performance.now() - from < 10_000);
});
