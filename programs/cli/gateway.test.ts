/** The commands that talk to vrouterd, against a server on a unix socket whose replies fit the schemas of `api`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import {
  controllerStatus,
  interfaceRow,
  natReply,
  neighboursReply,
  peerRow,
  planReply,
  routeRow,
  statsReply,
  statusReply,
  watchEvent,
} from '@vrouter/api/gateway/gateway.ts';
import { ended, start, vrouterctl } from './process.testing.ts';
import { type Answering, type Handler, serve } from './server.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-'));
after(() => rmSync(folder, { recursive: true }));
const nowUnixMs = Date.now();
const key = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';

const replies: { readonly [path: string]: unknown } = {
  '/v1/interfaces': {
    interfaces: [
      interfaceRow.parse({
        name: 'wg0',
        type: 'wireguard',
        vrf: 'default',
        mtu: 1420,
        mssClamp: true,
        sourceCheck: 'loose',
        state: 'up',
        addresses: ['10.77.0.1/24', 'fd77::1/64'],
        listenPort: 51820,
        publicKey: key,
        wgSocket: '/home/me/wireguard/wg0.sock',
        wgLink: 'ln -s /home/me/wireguard/wg0.sock /var/run/wireguard/\u001b[2J',
        rxPackets: 10,
        rxBytes: 1_258_291,
        txPackets: 5,
        txBytes: 999,
        drops: 3,
      }),
      interfaceRow.parse({
        name: 'host0',
        type: 'tun',
        vrf: 'default',
        mtu: 1420,
        state: 'up',
        addresses: ['10.99.0.1/24'],
        superPackets: 'none',
        listenPort: null,
        publicKey: null,
        wgSocket: null,
        wgLink: null,
        rxPackets: 1,
        rxBytes: 2,
        txPackets: 3,
        txBytes: 4,
        drops: 0,
      }),
    ],
    newerMember: 'kept',
  },
  '/v1/peers': {
    peers: [
      peerRow.parse({
        interface: 'wg0',
        name: 'phone\u001b[2J',
        publicKey: key,
        source: 'controller',
        endpoint: null,
        allowedIps: ['10.77.0.2/32'],
        lastHandshakeUnixMs: nowUnixMs - 300_000,
        pathMtu: 1492,
        rxBytes: 0,
        txBytes: 5_000_000_000,
        rxPackets: 0,
        txPackets: 0,
      }),
    ],
  },
  '/v1/routes': {
    routes: [
      routeRow.parse({ vrf: 'default', prefix: '10.77.0.0/24', interface: 'wg0', nextHop: null, from: 'address/wg0' }),
      routeRow.parse({ vrf: 'blue', prefix: '203.0.113.0/24', interface: null, nextHop: null, from: 'route/blue' }),
    ],
  },
  '/v1/nat': natReply.parse({
    rules: [
      {
        name: 'masquerade/default/10.77.0.0/24',
        vrf: 'default',
        match: 'from 10.77.0.0/24, out of wg1',
        to: 'its address',
        sessions: 2000,
        packets: 5,
        bytes: 2048,
        source: 'file',
      },
    ],
    total: 2000,
    hosts: 3,
    mostOfHost: 1500,
    limits: {
      sessions: 65_536,
      sessionsPerHost: 4096,
      udpSeconds: 300,
      udpOneWaySeconds: 60,
      tcpEstablishedSeconds: 7440,
      tcpTransitorySeconds: 240,
      icmpSeconds: 60,
    },
    sessions: [
      {
        rule: 'masquerade/default/10.77.0.0/24',
        protocol: 'udp',
        inside: '10.77.0.2:4000',
        outside: '198.51.100.1:4000',
        remote: '203.0.113.5:53',
        state: 'transitory',
        expiresInSeconds: 59,
      },
    ],
  }),
  '/v1/neighbours': neighboursReply.parse({
    ports: [
      {
        link: 'lan',
        mac: '02:00:5e:00:00:01',
        up: true,
        addresses: [{ address: '192.168.1.1/24', state: 'valid', conflicts: 2 }],
      },
      { link: 'wan', mac: null, up: false, addresses: [] },
    ],
    total: 3000,
    neighbours: [
      {
        link: 'lan',
        address: '192.168.1.7',
        mac: '02:00:5e:00:00:07',
        state: 'reachable',
        confirmedSecondsAgo: 4,
      },
      { link: 'lan', address: 'fd88::9', mac: null, state: 'incomplete', confirmedSecondsAgo: null },
    ],
  }),
  '/v1/stats': statsReply.parse({
    epoch: 'e1',
    drops: { 'peer.unknown': 7, 'ip.ttl': 2 },
    nodes: {},
    icmpErrors: { timeExceeded: 3, rateGlobal: 1 },
    mssClamped: 4,
    reconciles: 4,
    lastReconcileMs: 1.25,
    driftRepaired: 1,
    objects: 9,
    intents: 3,
    failing: [{ key: 'route/x', code: 'plane.failed', message: 'no such device' }],
  }),
  '/v1/plan': planReply.parse({
    steps: [{ op: 'update', key: 'link/wg0', changed: ['mtu'], effect: 'none' }],
    held: { reason: 'removes 12 of 40 peers', removes: 12, version: 8 },
  }),
  '/v1/status': statusReply.parse({
    version: '0.1.0',
    pid: 42,
    plane: 'userspace',
    engine: { pid: 43, epoch: 'e1', machine: { udp: 'dgram', crypto: 'openssl-ffi', workers: 2 } },
    gatewayId: 'g1',
    name: 'edge-1',
    controller: {
      url: 'https://127.0.0.1:8443',
      state: 'connected',
      lastPollUnixMs: nowUnixMs - 300_000,
      lastError: null,
      certificateExpiresUnixMs: nowUnixMs + 3 * 86_400_000 + 600_000,
      clockOffsetMs: null,
    },
    held: null,
    storedVersion: 8,
    appliedVersion: 7,
    startedUnixMs: nowUnixMs - 7_200_000,
  }),
  '/v1/controller': controllerStatus.parse({
    url: 'https://c2.example:8443',
    state: 'unreachable',
    lastPollUnixMs: nowUnixMs - 7_200_000,
    lastError: 'ECONNREFUSED (controller.unreachable)',
    certificateExpiresUnixMs: nowUnixMs + 3_600_000,
    clockOffsetMs: null,
    addresses: [
      {
        url: 'https://c2.example:8443',
        source: 'learnt',
        state: 'failing',
        isCurrent: true,
        lastAnswerUnixMs: nowUnixMs - 7_200_000,
        lastError: 'ECONNREFUSED\u001b[2J (controller.unreachable)',
        lastErrorUnixMs: nowUnixMs - 30_000,
        retryInMs: 12_000,
      },
    ],
    outlook: {
      condition: 'away',
      severity: 'critical',
      sinceUnixMs: nowUnixMs - 7_200_000,
      summary: 'no controller has answered for 2 h',
      works: 'packets',
      stopped: 'changes',
      worsens: { atUnixMs: nowUnixMs + 3_602_000, what: 'the certificate ends' },
      advice: 'bring it back',
    },
  }),
  '/v1/version': { version: '0.1.0', node: 'v26', pid: 42 },
  '/v1/plan/confirm': { version: 8 },
  '/v1/engine/stop': '',
};

const daemon: Handler = ({ method, url }): Answering => {
  const post = url.endsWith('/confirm') || url.endsWith('/stop');
  if (!(url in replies) || method !== (post ? 'POST' : 'GET')) return { status: 404, body: '' };
  return { body: replies[url] };
};

async function against(handler: Handler, name: string, ...args: readonly string[]) {
  const path = join(folder, `${name}.sock`);
  await using server = await serve(handler, path);
  const result = await vrouterctl(args, { VROUTER_SOCKET: path });
  return { ...result, seen: server.seen };
}

const shown: readonly (readonly [view: string, ...text: RegExp[]])[] = [
  [
    'interfaces',
    /wg0 +up +wireguard +default +1420 +auto +loose +10\.77\.0\.1\/24, fd77::1\/64 +51820 +1\.2 MiB +999 B +3/,
  ],
  ['interfaces', /host0 shares no offloads with this kernel/],
  ['interfaces', /as root:\n {2}ln -s \/home\/me\/wireguard\/wg0\.sock \/var\/run\/wireguard\/\?\[2J/],
  ['peers', /phone\?\[2J +xTIBA5rb/, /\d min ago +1492 +0 B +4\.7 GiB +controller/],
  ['routes', /default +10\.77\.0\.0\/24 +wg0 +- +address\/wg0/, /blue +203\.0\.113\.0\/24 +blackhole/],
  [
    'nat',
    /masquerade\/default\/10\.77\.0\.0\/24 +default +from 10\.77\.0\.0\/24, out of wg1 +its address +2000 +5 +2\.0 KiB +file/,
    /udp +10\.77\.0\.2:4000 +198\.51\.100\.1:4000 +203\.0\.113\.5:53 +transitory +59 s/,
    /1 of 2000 sessions are shown/,
    /sessions +2000 of 65536\nper host +1500 of 4096 at most, 3 hosts\n/,
    /UDP 300 s \(one way 60 s\), TCP 7440 s \(opening or closing 240 s\), ICMP 60 s/,
  ],
  [
    'neighbours',
    /lan +02:00:5e:00:00:01 +up +192\.168\.1\.1\/24 +valid +2/,
    /wan +- +down +- +- +-/,
    /lan +192\.168\.1\.7 +02:00:5e:00:00:07 +reachable +4 s ago/,
    /lan +fd88::9 +- +incomplete +-/,
    /2 of 3000 neighbours are shown/,
  ],
  [
    'stats',
    /last reconcile: +1\.3 ms/,
    /rateGlobal +1\ntimeExceeded +3/,
    /MSS lowered: +4/,
    /ip\.ttl +2\npeer\.unknown +7/,
    /route\/x +plane\.failed +no such device/,
  ],
  ['plan', /update +link\/wg0 +mtu +none/, /held: version 8 would remove 12/, /vrouterctl plan confirm/],
  [
    'status',
    /name: +edge-1/,
    /version 7 applied, 8 stored/,
    /last poll: +\d min ago/,
    /ends in 3 d/,
    /started 2 h ago/,
  ],
  ['status', /UDP: +dgram \(slow: recvmmsg was not to be had\)/, /cipher: +openssl-ffi\n/, /workers: +2\n/],
  [
    'controller',
    /outlook: +critical: no controller has answered for 2 h\nsince: +20.*Z \(2 h ago\)\nworks: +packets\nstopped: +changes\n/,
    /gets worse: +in (?:60|59|58) min: the certificate ends\nto do: +bring it back\n/,
    /https:\/\/c2\.example:8443 \* +failing, tried again in 12 s +learnt +2 h ago +\d+ s ago: ECONNREFUSED\?\[2J/,
  ],
  ['version', /vrouterd: +0\.1\.0\nnode: +v26\npid: +42/],
];

for (const [view, ...texts] of shown) {
  test(`show ${view}: a table for people`, async () => {
    const { status, out, err, seen } = await against(daemon, view, 'show', view);
    assert.deepEqual([status, err], [0, '']);
    assert.deepEqual(seen, [{ method: 'GET', url: `/v1/${view}`, body: undefined }]);
    for (const text of texts) assert.match(out, text);
    assert.ok(!out.includes('\u001b'), 'a name cannot steer the terminal');
  });

  test(`show ${view} --json: exactly the daemon's data`, async () => {
    const { status, out } = await against(daemon, `${view}-j`, 'show', view, '--json');
    assert.equal(status, 0);
    assert.deepEqual(JSON.parse(out), replies[`/v1/${view}`]);
  });
}

test('plan confirm and engine stop are posted', async () => {
  const confirmed = await against(daemon, 'confirm', 'plan', 'confirm', '--json');
  assert.deepEqual([confirmed.status, JSON.parse(confirmed.out)], [0, { version: 8 }]);
  assert.equal(confirmed.seen[0]?.method, 'POST');
  const stopped = await against(daemon, 'stop', 'engine', 'stop');
  assert.deepEqual([stopped.status, stopped.out], [0, 'stopped\n']);
});

test('--socket wins over VROUTER_SOCKET', async () => {
  const path = join(folder, 'named.sock');
  await using _server = await serve(daemon, path);
  const { status } = await vrouterctl(['--socket', path, 'show', 'version'], { VROUTER_SOCKET: '/nowhere' });
  assert.equal(status, 0);
});

test('a refusal keeps its code, sentence, field and exit status', async () => {
  const refuse: Handler = () => ({
    status: 409,
    body: { error: { code: 'intent.held', message: 'nothing is held', field: 'version' } },
  });
  const people = await against(refuse, 'refuse', 'plan', 'confirm');
  assert.deepEqual(
    [people.status, people.out, people.err],
    [1, '', 'error: nothing is held (intent.held), in version\n'],
  );
  const programs = await against(refuse, 'refuse-j', 'plan', 'confirm', '--json');
  assert.deepEqual(JSON.parse(programs.err), {
    error: { code: 'intent.held', message: 'nothing is held', field: 'version' },
  });
});

test('an answer of something else is no crash', async () => {
  for (const [name, body] of [
    ['html', '<html>'],
    ['rows', { peers: [{ name: 1 }] }],
    ['null', 'null'],
  ] as const) {
    const { status, err } = await against(() => ({ body }), `odd-${name}`, 'show', 'peers');
    assert.equal(status, 1);
    assert.match(err, /^error: vrouterd at .* answered other data than expected.*\(internal\)\n$/);
  }
});

test('a socket that nobody serves says what to start', async () => {
  const { status, out, err } = await vrouterctl(['show', 'peers', '--socket', join(folder, 'none.sock')]);
  assert.deepEqual([status, out], [1, '']);
  assert.match(
    err,
    /^error: cannot reach vrouterd at .*none\.sock .*start vrouterd.*--socket \(socket\.unreachable\)\n$/,
  );
});

const events = [
  watchEvent.parse({ atUnixMs: 0, type: 'step', text: 'create link/wg0' }),
  watchEvent.parse({ atUnixMs: 1000, type: 'problem', text: 'two\nlines' }),
];

test('watch prints events as they come and ends on an interrupt', async () => {
  const path = join(folder, 'watch.sock');
  const handler: Handler = (_seen, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of events) response.write(`: comment\nid: 1\ndata: ${JSON.stringify(event)}\n\n`);
    return null;
  };
  await using _server = await serve(handler, path);
  for (const [json, expected] of [
    [true, `${events.map((event) => JSON.stringify(event)).join('\n')}\n`],
    [false, '1970-01-01T00:00:00.000Z  step     create link/wg0\n1970-01-01T00:00:01.000Z  problem  two?lines\n'],
  ] as const) {
    const child = start(['watch', '--socket', path, ...(json ? ['--json'] : [])]);
    let heard = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.split('\n').length === 3) child.kill('SIGINT');
    });
    const { status, out, err } = await ended(child);
    assert.deepEqual([status, out, err], [0, expected, '']);
  }
});

test('watch says so when the daemon goes away', async () => {
  const handler: Handler = (_seen, response) => {
    response.end();
    return null;
  };
  const { status, err } = await against(handler, 'gone', 'watch');
  assert.equal(status, 1);
  assert.match(err, /ended the stream.*\(socket\.unreachable\)/);
});
