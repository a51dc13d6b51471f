/** The commands for host interfaces and NAT, against a server that checks requests and replies with the schemas of `api`. */
import assert from 'node:assert/strict';
import test from 'node:test';
import {
  createHostInterfaceReply,
  createHostInterfaceRequest,
  hostInterfaceList,
  hostInterfaceReply,
} from '@vrouter/api/rest/host-interfaces.ts';
import {
  createMasqueradeReply,
  createMasqueradeRequest,
  createPublishedPortReply,
  createPublishedPortRequest,
  masqueradeList,
  masqueradeReply,
  publishedPortList,
  publishedPortReply,
} from '@vrouter/api/rest/nat.ts';
import { deletedReply } from '@vrouter/api/rest/vrouters.ts';
import { vrouterctl } from './process.testing.ts';
import { type Answering, type Seen, serve } from './server.testing.ts';

const host0 = {
  vrouter: 'edge-1',
  name: 'host0',
  vrf: 'default',
  mtu: 1420,
  mssClamp: 'auto',
  sourceCheck: 'off',
  addresses: ['10.99.0.1/24', 'fd99::1/64'],
  routes: [],
  problem: { code: 'intent.refused', message: 'the file says no' },
};
const way = {
  vrouter: 'edge-1',
  vrf: 'default',
  prefix: '10.77.0.0/24',
  leaving: null,
  addresses: ['192.0.2.7'],
  problem: null,
};
const ports = {
  vrouter: 'edge-1',
  vrf: 'blue',
  protocol: 'udp',
  hostAddress: '192.0.2.7',
  hostPort: 7000,
  address: '10.77.0.3',
  port: 8000,
  count: 100,
  problem: null,
};

function controller({ method, url, body }: Seen): Answering {
  // Lists are asked for by pages as long as they may be.
  switch (`${method} ${url.replace(/\?limit=1000$/, '')}`) {
    case 'POST /v1/vrouters/edge-1/host-interfaces': {
      const row = { vrouter: 'edge-1', ...createHostInterfaceRequest.parse(body), problem: null };
      return { status: 201, body: createHostInterfaceReply.parse({ hostInterface: row, version: 9 }) };
    }
    case 'GET /v1/vrouters/edge-1/host-interfaces':
      return { body: hostInterfaceList.parse({ hostInterfaces: [host0] }) };
    case 'GET /v1/vrouters/edge-1/host-interfaces/host0':
      return { body: hostInterfaceReply.parse({ hostInterface: host0 }) };
    case 'DELETE /v1/vrouters/edge-1/host-interfaces/host0':
      return { body: deletedReply.parse({ deleted: 'host0', version: 9 }) };
    case 'POST /v1/vrouters/edge-1/masquerades': {
      const row = { vrouter: 'edge-1', ...createMasqueradeRequest.parse(body), problem: null };
      return { status: 201, body: createMasqueradeReply.parse({ masquerade: row, version: 9 }) };
    }
    case 'GET /v1/vrouters/edge-1/masquerades':
      return { body: masqueradeList.parse({ masquerades: [way, { ...way, vrf: 'blue', leaving: ['wg0'] }] }) };
    case 'GET /v1/vrouters/edge-1/masquerades/blue/10.77.0.0%2F24':
      return { body: masqueradeReply.parse({ masquerade: way }) };
    case 'DELETE /v1/vrouters/edge-1/masquerades/default/10.77.0.0%2F24':
      return { body: deletedReply.parse({ deleted: 'default 10.77.0.0/24', version: 9 }) };
    case 'POST /v1/vrouters/edge-1/published-ports': {
      const row = { vrouter: 'edge-1', ...createPublishedPortRequest.parse(body), problem: null };
      return { status: 201, body: createPublishedPortReply.parse({ publishedPort: row, version: 9 }) };
    }
    case 'GET /v1/vrouters/edge-1/published-ports':
      return { body: publishedPortList.parse({ publishedPorts: [ports, { ...ports, hostAddress: null, count: 1 }] }) };
    case 'GET /v1/vrouters/edge-1/published-ports/blue/192.0.2.7/udp/7000':
      return { body: publishedPortReply.parse({ publishedPort: ports }) };
    case 'DELETE /v1/vrouters/edge-1/published-ports/default/*/tcp/8443':
      return { body: deletedReply.parse({ deleted: 'default tcp/8443', version: 9 }) };
    default:
      return { status: 404, body: { error: { code: 'request.notFound', message: `there is no ${url}` } } };
  }
}

async function run(command: string) {
  await using server = await serve(controller);
  const result = await vrouterctl(command.split(' '), { VROUTER_CONTROLLER: server.at });
  return { ...result, seen: server.seen };
}

const said: readonly (readonly [command: string, out: RegExp, body?: unknown])[] = [
  [
    'host-interface add edge-1 host0 --address 10.99.0.1/24,fd99::1/64 --route 10.77.0.0/24 --source-check strict --mtu 1300',
    /^added host0, version 9\n$/,
    {
      name: 'host0',
      addresses: ['10.99.0.1/24', 'fd99::1/64'],
      routes: ['10.77.0.0/24'],
      sourceCheck: 'strict',
      mtu: 1300,
    },
  ],
  ['host-interface add edge-1 host0', /^added host0, version 9\n$/, { name: 'host0' }],
  ['host-interface list edge-1', /host0 +default +1420 +10\.99\.0\.1\/24, fd99::1\/64 +- +intent\.refused\n$/],
  [
    'host-interface show edge-1 host0',
    /MSS clamp: +auto\n[\s\S]*problem: +the file says no \(intent\.refused\)\netag: +-\n$/,
  ],
  ['host-interface remove edge-1 host0', /^removed host0\n$/],
  [
    'masquerade add edge-1 10.77.0.0/24 --leaving wg0 --address 192.0.2.7 --address 192.0.2.8 --vrf blue',
    /^added 10\.77\.0\.0\/24 in blue, version 9\n$/,
    { prefix: '10.77.0.0/24', vrf: 'blue', leaving: ['wg0'], addresses: ['192.0.2.7', '192.0.2.8'] },
  ],
  ['masquerade list edge-1', /\ndefault +10\.77\.0\.0\/24 +any +192\.0\.2\.7 +-\nblue +10\.77\.0\.0\/24 +wg0 /],
  [
    'masquerade show edge-1 10.77.0.0/24 --vrf blue',
    /leaving: +any\naddresses: +192\.0\.2\.7\nproblem: +-\netag: +-\n$/,
  ],
  ['masquerade remove edge-1 10.77.0.0/24', /^removed default 10\.77\.0\.0\/24\n$/],
  [
    'published-port add edge-1 tcp/8443 10.77.0.2:443',
    /^added tcp\/8443 to 10\.77\.0\.2:443 in default, version 9\n$/,
    { vrf: 'default', protocol: 'tcp', hostPort: 8443, address: '10.77.0.2', port: 443 },
  ],
  [
    'published-port add edge-1 udp/7000 10.77.0.3:8000 --count 100 --host-address 192.0.2.7 --vrf blue',
    /^added udp\/7000-7099 to 10\.77\.0\.3:8000-8099 in blue, version 9\n$/,
    {
      vrf: 'blue',
      protocol: 'udp',
      hostAddress: '192.0.2.7',
      hostPort: 7000,
      address: '10.77.0.3',
      port: 8000,
      count: 100,
    },
  ],
  [
    'published-port list edge-1',
    /blue +udp\/7000-7099 +192\.0\.2\.7 +10\.77\.0\.3:8000-8099 +-\nblue +udp\/7000 +any /,
  ],
  [
    'published-port show edge-1 udp/7000 --vrf blue --host-address 192.0.2.7',
    /host address: +192\.0\.2\.7\nto: +10\.77\.0\.3:8000-8099/,
  ],
  ['published-port remove edge-1 tcp/8443', /^removed default tcp\/8443\n$/],
];

for (const [command, text, body] of said)
  test(command, async () => {
    const { status, out, err, seen } = await run(command);
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, text);
    if (body !== undefined) assert.deepEqual(seen.at(-1)?.body, body);
  });

const refused: readonly (readonly [command: string, status: number, err: RegExp])[] = [
  ['published-port add edge-1 8443 10.77.0.2:443', 2, /write tcp\/8443.*\(usage\)/],
  ['published-port add edge-1 tcp/8443 10.77.0.2', 2, /write 10\.77\.0\.2:443.*\(usage\)/],
  ['published-port remove edge-1 icmp/1', 2, /no port to publish.*\(usage\)/],
  ['host-interface add edge-1', 2, /missing required argument 'name'/],
  ['published-port show edge-1 tcp/1', 1, /there is no \S+ \(request\.notFound\)/],
];

for (const [command, status, err] of refused)
  test(`refused with ${status}: vrouterctl ${command}`, async () => {
    const result = await run(command);
    assert.deepEqual([result.status, result.out], [status, '']);
    assert.match(result.err, err);
  });

test("--json is exactly the controller's data", async () => {
  for (const [command, data] of [
    ['host-interface list edge-1', { hostInterfaces: [host0] }],
    ['masquerade show edge-1 10.77.0.0/24 --vrf blue', { masquerade: way }],
    ['published-port show edge-1 udp/7000 --vrf blue --host-address 192.0.2.7', { publishedPort: ports }],
  ] as const)
    assert.deepEqual(JSON.parse((await run(`${command} --json`)).out), data);
});
