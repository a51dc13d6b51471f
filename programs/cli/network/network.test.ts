/** What `vrouterctl network` asks of vrouterd, and how it shows the answers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { changePreview, changeReply, failedChange, intentsReply } from '@vrouter/api/gateway/intents.ts';
import { type NetworkRow, networkReply, networksReply } from '@vrouter/api/gateway/networks.ts';
import { runHere } from '../in-process.testing.ts';
import { type Answering, type Handler, serve } from '../server.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-'));
after(() => rmSync(folder, { recursive: true }));
let sockets = 0;

async function run(handler: Handler, ...args: readonly string[]) {
  const path = join(folder, `${sockets++}.sock`);
  await using server = await serve(handler, path);
  return { ...(await runHere([...args, '--socket', path])), seen: server.seen };
}

const blue: NetworkRow = {
  id: 'blue',
  source: 'cli',
  name: '',
  attachment: 'bridged',
  interface: 'br-blue',
  parent: null,
  vlanId: null,
  state: 'up',
  mac: '02:00:5e:00:00:01',
  mtu: 1500,
  subnets: [{ prefix: '172.18.0.0/16', gateway: '172.18.0.1' }],
  nat: true,
  internal: false,
  dns: true,
  domain: 'blue.example',
  dnsServers: null,
  names: [{ name: 'web', addresses: ['172.18.0.2'], aliases: ['www'], source: 'cli' }],
  ports: [
    { hostAddress: null, hostPort: 8080, protocol: 'tcp', address: '172.18.0.2', port: 80, count: 1, source: 'cli' },
    { hostAddress: '::', hostPort: 8080, protocol: 'tcp', address: 'fd18::2', port: 80, count: 1, source: 'cli' },
    {
      hostAddress: '192.0.2.1',
      hostPort: 9000,
      protocol: 'udp',
      address: '172.18.0.2',
      port: 9000,
      count: 10,
      source: 'file',
    },
  ],
  problems: [{ key: 'dnsZone/blue', code: 'plane.failed', message: 'no dnsmasq' }],
};
const done = (): Answering => ({ body: changeReply.parse({ put: [], removed: [] }) });
const made: Handler = ({ body }) => {
  const { put = [], remove = [] } = body as { put?: object[]; remove?: string[] };
  const rows = put.map((intent) => ({ key: 'k', source: 'cli', intent: { ...blue, ...intent }, problems: [] }));
  return { body: changeReply.parse({ put: rows, removed: remove }) };
};
const base = { kind: 'network', id: 'blue', nat: true, internal: false, dns: true };
const bridge = { attachment: 'bridged', interface: 'br-blue' };

for (const [command, intent] of [
  ['create blue', { ...base, ...bridge }],
  [
    'create blue --bridge br7 --mtu 1400 --no-nat --no-dns',
    { ...base, ...bridge, interface: 'br7', mtu: 1400, nat: false, dns: false },
  ],
  [
    'create blue --subnet 10.1.0.0/24 --subnet fd01::/64,fd01::9',
    { ...base, ...bridge, subnets: [{ prefix: '10.1.0.0/24' }, { prefix: 'fd01::/64', gateway: 'fd01::9' }] },
  ],
  [
    'create blue --vlan eth0:100 --internal',
    { ...base, attachment: 'vlan', interface: 'eth0.100', parent: 'eth0', vlanId: 100, internal: true },
  ],
  [
    'create blue --domain x.example --dns-server 192.0.2.53 --dns-server 192.0.2.54',
    { ...base, ...bridge, domain: 'x.example', dnsServers: ['192.0.2.53', '192.0.2.54'] },
  ],
] as const)
  test(`network ${command}`, async () => {
    const { status, err, seen } = await run(made, 'network', ...command.split(' '));
    assert.deepEqual([status, err], [0, '']);
    assert.deepEqual(
      [seen[0]?.method, seen[0]?.url, seen[0]?.body],
      ['PUT', '/v1/intents', { put: [intent], create: true }],
    );
  });

test('interface names fit the kernel, and differ', async () => {
  const names = new Set<string>();
  for (const args of [
    ['create', 'a-very-long-name-of-one'],
    ['create', 'a-very-long-name-of-two'],
    ['create', 'x', '--vlan', 'enp129s0f0np0:100'],
    ['create', 'x', '--vlan', 'enp129s0f0np1:100'],
  ]) {
    const { seen } = await run(made, 'network', ...args);
    const [put] = (seen[0]!.body as { put: { interface: string }[] }).put;
    assert.match(put!.interface, /^[a-z0-9-]{13,15}$/);
    names.add(put!.interface);
  }
  assert.equal(names.size, 4);
});

const port = {
  kind: 'publishedPort',
  network: 'blue',
  protocol: 'tcp',
  hostPort: 8080,
  address: '172.18.0.2',
  port: 80,
  count: 1,
};
for (const [command, change, said] of [
  [
    'create blue',
    { put: [{ ...base, ...bridge }], create: true },
    'created blue: bridge br-blue, 172.18.0.0/16 (gateway 172.18.0.1)',
  ],
  ['delete blue', { remove: ['network/blue'], force: false }, 'deleted blue'],
  ['delete blue --force', { remove: ['network/blue'], force: true }, 'deleted blue'],
  [
    'publish blue 8080:172.18.0.2:80',
    { put: [port], create: true, force: false },
    'published tcp/8080 to 172.18.0.2:80',
  ],
  [
    'publish blue *:8080:172.18.0.2:80 --force',
    { put: [port], create: true, force: true },
    'published tcp/8080 to 172.18.0.2:80',
  ],
  [
    'publish blue [::1]:8080-8089:[fd18::2]:80/sctp',
    {
      put: [{ ...port, hostAddress: '::1', protocol: 'sctp', address: 'fd18::2', count: 10 }],
      create: true,
      force: false,
    },
    'published sctp/8080-8089 to [fd18::2]:80-89',
  ],
  [
    'name add blue web 172.18.0.2 fd18::2 --alias www --alias w',
    {
      put: [
        { kind: 'dnsName', network: 'blue', name: 'web', addresses: ['172.18.0.2', 'fd18::2'], aliases: ['www', 'w'] },
      ],
      create: true,
    },
    'web is 172.18.0.2, fd18::2',
  ],
  ['name remove blue WEB', { remove: ['dnsName/blue/web'] }, 'removed WEB'],
] as const)
  test(`network ${command}: ${said}`, async () => {
    const { status, out, err, seen } = await run(made, 'network', ...command.split(' '));
    assert.deepEqual([status, err, out, seen[0]?.body], [0, '', `${said}\n`, change]);
  });

const published = [
  ...blue.ports,
  { ...blue.ports[0]!, hostAddress: '192.0.2.1', address: '172.18.0.3' },
  { ...blue.ports[0]!, hostAddress: '192.0.2.1', hostPort: 8443, port: 443 },
].map(({ source, ...one }) => ({
  key: `publishedPort/default/${one.hostAddress ?? '*'}/${one.protocol}/${one.hostPort}`,
  source,
  intent: { kind: 'publishedPort', vrf: 'default', network: 'blue', ...one },
  problems: [],
}));

const shown: Handler = ({ method, url }) => {
  if (method === 'PUT') return done();
  if (url === '/v1/intents?kind=publishedPort&network=blue')
    return { body: intentsReply.parse({ intents: published }) };
  if (url === '/v1/networks') return { body: networksReply.parse({ networks: [blue] }) };
  return { body: { ...networkReply.parse({ network: blue }), newerMember: 1 } };
};

for (const [text, keys] of [
  ['8080', ['publishedPort/default/*/tcp/8080', 'publishedPort/default/::/tcp/8080']],
  ['0.0.0.0:8080/tcp', ['publishedPort/default/*/tcp/8080']],
  ['[::]:8080', ['publishedPort/default/::/tcp/8080']],
  ['[0::0]:8080', ['publishedPort/default/::/tcp/8080']],
  ['8080:172.18.0.2:80', ['publishedPort/default/*/tcp/8080']],
  ['8080:[FD18:0::2]:80', ['publishedPort/default/::/tcp/8080']],
  ['*:8080', ['publishedPort/default/*/tcp/8080']],
  ['192.0.2.1:8080', ['publishedPort/default/192.0.2.1/tcp/8080']],
  ['192.0.2.1:8080:172.18.0.3:80', ['publishedPort/default/192.0.2.1/tcp/8080']],
  ['192.0.2.1:9000-9009:172.18.0.2:9000/udp', ['publishedPort/default/192.0.2.1/udp/9000']],
  ['192.0.2.1:9000/udp', ['publishedPort/default/192.0.2.1/udp/9000']],
  ['8080/udp', null],
  ['192.0.2.1:9000-9001/udp', null],
  ['192.0.2.2:8080', null],
  ['192.0.2.1:8080:172.18.0.2:80', null],
  ['8080:172.18.0.2:81', null],
  ['8080-8081:172.18.0.2:80', null],
  ['192.0.2.1:9000:172.18.0.2:9000/udp', null],
] as const)
  test(`network unpublish blue ${text}`, async () => {
    const { status, err, seen } = await run(shown, 'network', 'unpublish', 'blue', text);
    if (keys === null) {
      assert.match(err, /^error: no such port of blue is published; .*\(intent\.notFound\)/);
      assert.equal(seen.length, 1);
    } else assert.deepEqual([status, seen[1]?.body], [0, { remove: [...keys] }]);
  });

test('unpublish says what it took, and where a port is published instead', async () => {
  const taken = await run(shown, 'network', 'unpublish', 'blue', '8080');
  assert.equal(taken.out, 'unpublished tcp/0.0.0.0:8080 to 172.18.0.2:80, tcp/[::]:8080 to [fd18::2]:80\n');
  const elsewhere = await run(shown, 'network', 'unpublish', 'blue', '8443');
  assert.match(elsewhere.err, /tcp\/192\.0\.2\.1:8443 to 172\.18\.0\.2:443 is: name the address of the host, too/);
  const none = await run(shown, 'network', 'unpublish', 'blue', '9500:172.18.0.99:1');
  assert.match(none.err, /vrouterctl network ports blue shows them/);
});

test('list and show, for people and for programs', async () => {
  const list = await run(shown, 'network', 'list');
  assert.match(
    list.out,
    /^ID +INTERFACE.*\nblue +br-blue +up +172\.18\.0\.0\/16 +outside, as the host +1 +3 +cli +no dnsmasq\n$/,
  );
  const { out } = await run(shown, 'network', 'show', 'blue');
  for (const line of [
    /^link: +bridge br-blue$/m,
    /^subnets: +172\.18\.0\.0\/16 \(gateway 172\.18\.0\.1\)$/m,
    /^names: +answered by the gateway, also below blue\.example$/m,
    /^web +172\.18\.0\.2 +www +cli$/m,
    /^udp\/9000-9009 +192\.0\.2\.1 +172\.18\.0\.2:9000-9009 +file$/m,
    /^tcp\/8080 +:: +\[fd18::2\]:80 +cli$/m,
    /^dnsZone\/blue +plane\.failed +no dnsmasq$/m,
  ])
    assert.match(out, line);
  const json = await run(shown, 'network', 'show', 'blue', '--json');
  assert.deepEqual(JSON.parse(json.out), { network: blue, newerMember: 1 });
});

test('ports and names are lists of intents', async () => {
  const rows = [
    { key: 'p', source: 'cli', intent: { ...port, hostAddress: null, vrf: 'default' }, problems: [] },
    {
      key: 'publishedPort/x',
      source: 'cli',
      intent: null,
      problems: [{ key: 'x', code: 'input.invalid', message: 'what is it?' }],
    },
  ];
  const ports = await run(() => ({ body: intentsReply.parse({ intents: rows }) }), 'network', 'ports', 'blue');
  assert.equal(ports.seen[0]?.url, '/v1/intents?kind=publishedPort&network=blue');
  assert.match(ports.out, /^blue +tcp\/8080 +0\.0\.0\.0 +172\.18\.0\.2:80 +cli +-$/m);
  assert.match(ports.out, /publishedPort\/x.*what is it\?/);
  const name = {
    kind: 'dnsName',
    network: 'blue',
    name: 'web',
    addresses: ['172.18.0.2', 'fd18::2'],
    aliases: ['www'],
  };
  const reply = { body: intentsReply.parse({ intents: [{ key: 'n', source: 'router', intent: name, problems: [] }] }) };
  const names = await run(() => reply, 'network', 'names');
  assert.equal(names.seen[0]?.url, '/v1/intents?kind=dnsName');
  assert.match(names.out, /^blue +web +172\.18\.0\.2, fd18::2 +www +router +-$/m);
});

test('--dry-run of every change asks for the plan alone', async () => {
  const preview = changePreview.parse({
    dryRun: true,
    put: [{ key: 'network/blue', source: 'cli', intent: {}, problems: [] }],
    removed: ['dnsName/blue/web'],
    steps: [
      { op: 'create', key: 'link/br-blue', changed: [], effect: 'none', text: 'interface br-blue comes up' },
      { op: 'delete', key: 'dnsRecord/blue/web', changed: [], effect: 'interrupt', text: 'name web ends' },
    ],
    effect: 'interrupt',
  });
  for (const command of [
    'create blue',
    'delete blue',
    'publish blue 8080:172.18.0.2:80',
    'unpublish blue 8080',
    'name add blue web 172.18.0.2',
    'name remove blue web',
  ]) {
    const handler: Handler = (seen, response) => (seen.method === 'PUT' ? { body: preview } : shown(seen, response));
    const { status, out, seen } = await run(handler, 'network', ...command.split(' '), '--dry-run');
    assert.equal(status, 0, command);
    assert.deepEqual(
      seen.filter(({ method }) => method === 'PUT').map(({ url }) => url),
      ['/v1/intents?dryRun=true'],
    );
    assert.match(out, /^nothing is changed yet$/m);
    assert.match(out, /^put +network\/blue$/m);
    assert.match(out, /^delete +dnsRecord\/blue\/web +CUTS OFF +name web ends$/m);
    assert.match(out, /2 steps, 1 cutting off: some traffic is cut off/);
  }
});

for (const [field, option] of [
  ['put[0].subnets[0].prefix', '--subnet'],
  ['put[0].mtu', '--mtu'],
  ['put[0].vlanId', '--vlan'],
  ['put[0].address', 'ADDRESS'],
  ['put[0]', null],
  ['remove[0]', null],
] as const)
  test(`a refusal of ${field} is one of ${option ?? 'no option'}`, async () => {
    const error = { code: 'network.overlap', message: 'no; force takes them along', field };
    const { status, err } = await run(() => ({ status: 400, body: { error } }), 'network', 'create', 'blue');
    const where = option === null ? '' : `, in ${option}`;
    assert.deepEqual([status, err], [2, `error: no; --force takes them along (network.overlap)${where}\n`]);
    const json = await run(() => ({ status: 400, body: { error } }), 'network', 'create', 'blue', '--json');
    assert.deepEqual(JSON.parse(json.err), { error });
  });

test('a refusal of the interface of a VLAN is one of --vlan', async () => {
  const error = { code: 'name.invalid', message: 'no', field: 'put[0].interface' };
  const { err } = await run(() => ({ status: 400, body: { error } }), 'network', 'create', 'blue', '--vlan', 'e!h0:5');
  assert.equal(err, 'error: no (name.invalid), in --vlan\n');
});

test('what the plane could not make: a sentence, and with --json all that the daemon tells', async () => {
  const body = failedChange.parse({
    error: { code: 'object.exists', message: 'link/br-blue: there is one; what was before is so again' },
    failed: [{ key: 'link/br-blue', code: 'object.exists', message: 'there is one' }],
    restored: true,
  });
  const plain = await run(() => ({ status: 409, body }), 'network', 'create', 'blue');
  assert.deepEqual([plain.status, plain.err], [1, `error: ${body.error.message} (object.exists)\n`]);
  const json = await run(() => ({ status: 409, body }), 'network', 'create', 'blue', '--json');
  assert.deepEqual(JSON.parse(json.err), body);
});

test('an older daemon, which knows no networks, is told from an id that is unknown', async () => {
  const error = { code: 'request.notFound', message: 'there is no PUT /v1/intents here' };
  const { status, err } = await run(() => ({ status: 404, body: { error } }), 'network', 'create', 'blue');
  assert.equal(status, 1);
  assert.match(err, /request\.notFound/);
});

for (const [command, why] of [
  ['create blue --vlan eth0', /no VLAN: write .* eth0:100/],
  ['create blue --vlan eth0:100:3', /no VLAN: write .* eth0:100.*--vlan/],
  ['create blue --vlan eth0:0100', /no VLAN: write/],
  ['create blue --subnet 10.0.0.0/24,10.0.0.1,10.0.0.2', /a subnet and at most its gateway/],
  ['create blue --vlan eth0:1 --bridge br0', /say one of --vlan, --bridge/],
  ['create', /missing required argument/],
  ['create blue --mtu 10', /from 576 to 9216/],
  ['publish blue 8080:80', /does not say whose port/],
  ['name add blue web', /missing required argument/],
  ['name', /network name wants one of: add, remove/],
  ['publsh blue', /network knows no "publsh"/],
] as const)
  test(`wrong usage: network ${command}`, async () => {
    const { status, err, seen } = await run(done, 'network', ...command.split(' '));
    assert.deepEqual([status, seen.length], [2, 0]);
    assert.match(err, why);
  });
