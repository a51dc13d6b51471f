/** The commands that talk to the controller, against a server that checks requests and replies with the schemas of `api`. */
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import { caReply } from '@vrouter/api/rest/ca.ts';
import { createTokenReply, joinTokenList } from '@vrouter/api/rest/join-tokens.ts';
import { createPeerReply, createPeerRequest, peerList } from '@vrouter/api/rest/peers.ts';
import { createRouteReply, createRouteRequest, routeList } from '@vrouter/api/rest/routes.ts';
import { versionReply } from '@vrouter/api/rest/system.ts';
import {
  changeVrouterReply,
  changeVrouterRequest,
  createVrouterReply,
  createVrouterRequest,
  deletedReply,
  revokeReply,
  type Vrouter,
  vrouter as vrouterSchema,
} from '@vrouter/api/rest/vrouters.ts';
import { vrouterctl } from './process.testing.ts';
import { type Answering, type Seen, serve } from './server.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-'));
after(() => rmSync(folder, { recursive: true }));
const nowUnixMs = Date.now();
const gatewayKey = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
const join1 = { string: 'https://127.0.0.1:8443/#vrj_a~b', expiresUnixMs: nowUnixMs + 3_600_000 + 600_000 };

function vrouterRow(name: string, joined: boolean): Vrouter {
  return vrouterSchema.parse({
    id: 'id',
    name,
    interface: 'wg0',
    networks: ['10.77.0.0/24', 'fd77::/64'],
    addresses: ['10.77.0.1/24', 'fd77::1/64'],
    listenPort: 51820,
    endpoint: 'vpn.example.org:51820',
    mtu: 1420,
    peers: 1,
    createdUnixMs: nowUnixMs,
    status: {
      name,
      registered: joined,
      connected: joined,
      gatewayId: joined ? 'g1' : null,
      hostname: joined ? 'host' : null,
      softwareVersion: joined ? '0.1.0' : null,
      plane: joined ? 'userspace' : null,
      publicKey: joined ? gatewayKey : null,
      version: 5,
      storedVersion: joined ? 5 : null,
      appliedVersion: joined ? 4 : null,
      held: null,
      registeredUnixMs: joined ? nowUnixMs : null,
      lastPollUnixMs: joined ? nowUnixMs - 300_000 : null,
      lastPollAgeMs: joined ? 300_000 : null,
      certificateExpiresUnixMs: null,
      clockOffsetMs: null,
      serverTimeUnixMs: nowUnixMs,
      errors: [],
      stats: null,
    },
  });
}

const lateCertificate = {
  state: 'late' as const,
  lifeUsed: 0.75,
  lockoutUnixMs: nowUnixMs + 7 * 86_400_000,
  lockoutInMs: 7 * 86_400_000,
};
const authority = caReply.parse({
  kind: 'embedded',
  state: 'failing',
  failingSinceUnixMs: nowUnixMs - 300_000,
  lastError: 'it does not answer',
  rootFingerprint: 'ab'.repeat(32),
  roots: 2,
  issuers: [true, false].map((active) => ({
    subject: 'CN=vrouter intermediate',
    serial: active ? '1a' : '2b',
    notBeforeUnixMs: nowUnixMs,
    notAfterUnixMs: nowUnixMs + 100 * 86_400_000,
    active,
    trustedUntilUnixMs: nowUnixMs + (active ? 100 : 8) * 86_400_000,
  })),
  serverCertificateExpiresUnixMs: nowUnixMs + 20 * 86_400_000,
  serverTimeUnixMs: nowUnixMs,
});

/** Of a controller that says these; an older one does not. */
const guarded: Vrouter = { ...vrouterRow('edge-1', true), vrf: 'blue', mssClamp: 'auto', sourceCheck: 'loose' };

function peerReply(body: unknown) {
  const request = createPeerRequest.parse(body);
  return createPeerReply.parse({
    peer: {
      vrouter: 'edge-1',
      name: request.name,
      publicKey: request.publicKey,
      hasPresharedKey: request.presharedKey !== null,
      addresses: ['10.77.0.2/32', 'fd77::2/128'],
      allowedIps: ['10.77.0.2/32', 'fd77::2/128', ...request.allowedIps],
      endpoint: request.endpoint,
      persistentKeepalive: request.persistentKeepalive,
      createdUnixMs: nowUnixMs,
      live: null,
    },
    gateway: {
      publicKey: gatewayKey,
      endpoint: 'vpn.example.org:51820',
      allowedIps: ['10.77.0.0/24', 'fd77::/64'],
      mtu: 1420,
    },
    version: 6,
  });
}

function controller({ method, url, body }: Seen): Answering {
  // Lists are asked for by pages as long as they may be.
  switch (`${method} ${url.replace(/\?limit=1000$/, '')}`) {
    case 'GET /v1/version':
      return {
        body: versionReply.parse({
          name: 'vrouter-controller',
          version: '0.1.0',
          controllerId: 'c1',
          rootFingerprint: 'ab'.repeat(32),
          agents: 'https://127.0.0.1:8443',
          startedUnixMs: nowUnixMs - 300_000,
        }),
      };
    case 'POST /v1/vrouters': {
      const { name } = createVrouterRequest.parse(body);
      return { status: 201, body: createVrouterReply.parse({ vrouter: vrouterRow(name, false), join: join1 }) };
    }
    case 'GET /v1/vrouters':
      return { body: { vrouters: [vrouterRow('edge-1', true), vrouterRow('edge-2', false)] } };
    case 'GET /v1/vrouters/edge-1':
      return { body: { ...guarded, newerMember: 1 } };
    case 'GET /v1/vrouters/edge-late': {
      const row = vrouterRow('edge-late', true);
      const certificateExpiresUnixMs = nowUnixMs + 7_200_000;
      return { body: { ...row, status: { ...row.status, certificateExpiresUnixMs, certificate: lateCertificate } } };
    }
    case 'POST /v1/vrouters/edge-1/revoke':
      return { body: revokeReply.parse({ revoked: 'g1' }) };
    case 'GET /v1/ca':
    case 'POST /v1/ca/rotate':
      return { body: authority };
    case 'GET /v1/vrouters/edge-2':
      return { body: vrouterRow('edge-2', false) };
    case 'PATCH /v1/vrouters/edge-1': {
      const changed = { ...guarded, ...changeVrouterRequest.parse(body) };
      return { body: changeVrouterReply.parse({ vrouter: changed, version: 9 }) };
    }
    case 'DELETE /v1/vrouters/..%2Fedge':
      return { body: deletedReply.parse({ deleted: '../edge', version: null }) };
    case 'POST /v1/vrouters/edge-1/tokens':
      return { status: 201, body: createTokenReply.parse({ join: join1 }) };
    case 'GET /v1/vrouters/edge-1/tokens': {
      const one = { id: 'k3x9q2ab', state: 'good', creator: 'kim', createdUnixMs: nowUnixMs - 300_000 } as const;
      const terms = { expiresUnixMs: nowUnixMs + 7_200_000, uses: 3, usesLeft: 2, sourcePrefix: '192.0.2.0/24' };
      const good = { ...one, ...terms, revokedUnixMs: null, etag: 'e1' };
      const others = [
        { ...good, id: 'b', state: 'used', usesLeft: 0, sourcePrefix: null },
        { ...good, id: 'c', state: 'expired', expiresUnixMs: nowUnixMs - 300_000 },
        { ...good, id: 'd', state: 'revoked', revokedUnixMs: nowUnixMs - 300_000, creator: '' },
      ];
      return { body: joinTokenList.parse({ tokens: [good, ...others], next: null }) };
    }
    case 'DELETE /v1/vrouters/edge-1/tokens/k3x9q2ab':
      return { body: deletedReply.parse({ deleted: 'k3x9q2ab', version: null }) };
    case 'POST /v1/vrouters/edge-1/confirm-shrink':
      return { body: { version: 9 } };
    case 'POST /v1/vrouters/edge-1/peers': {
      const { name } = createPeerRequest.parse(body);
      if (name === 'taken')
        return { status: 409, body: { error: { code: 'peer.exists', message: 'the name is taken', field: 'name' } } };
      return { status: 201, body: peerReply(body) };
    }
    case 'GET /v1/vrouters/edge-1/peers': {
      const live = {
        endpoint: '192.0.2.7:4000',
        lastHandshakeUnixMs: nowUnixMs - 300_000,
        rxBytes: 2048,
        txBytes: 10,
        rxPackets: 2,
        txPackets: 1,
        heardUnixMs: nowUnixMs,
      };
      const { peer } = peerReply({ name: 'phone', publicKey: gatewayKey });
      return { body: peerList.parse({ peers: [{ ...peer, live }] }) };
    }
    case `DELETE /v1/vrouters/edge-1/peers/${encodeURIComponent(gatewayKey)}`:
      return { body: deletedReply.parse({ deleted: 'phone', version: 7 }) };
    case 'POST /v1/vrouters/edge-1/routes': {
      const request = createRouteRequest.parse(body);
      return { status: 201, body: createRouteReply.parse({ route: { vrouter: 'edge-1', ...request }, version: 7 }) };
    }
    case 'GET /v1/vrouters/edge-1/routes': {
      const route = { vrouter: 'edge-1', vrf: 'default', interface: 'wg0', nextHop: '10.77.0.9', blackhole: false };
      return { body: routeList.parse({ routes: [{ ...route, prefix: '192.168.5.0/24' }] }) };
    }
    case 'DELETE /v1/vrouters/edge-1/routes?vrf=blue&prefix=192.168.5.0%2F24':
      return { body: deletedReply.parse({ deleted: '192.168.5.0/24', version: 8 }) };
    default:
      return { status: 404, body: { error: { code: 'vrouter.notFound', message: `there is no ${url}` } } };
  }
}

async function run(...args: readonly string[]) {
  await using server = await serve(controller);
  const result = await vrouterctl(args, { VROUTER_CONTROLLER: server.at });
  return { ...result, seen: server.seen };
}

const said: readonly (readonly [command: string, out: RegExp, body?: unknown])[] = [
  ['version', /^vrouterctl \d+\.\d+\.\d+, node 26\.[\s\S]*controller: +0\.1\.0, started 5 min ago/],
  [
    'vrouter create edge-9',
    /name: +edge-9[\s\S]*waiting for a gateway[\s\S]*for (?:70|69) min\):\nhttps:\S+~b\n$/,
    { name: 'edge-9' },
  ],
  [
    'vrouter create edge-9 --network 10.1.0.0/24 --network 10.2.0.0/24,fd01::/64 --listen-port 5000 --endpoint h:1 --mtu 1400',
    /edge-9/,
    {
      name: 'edge-9',
      networks: ['10.1.0.0/24', '10.2.0.0/24', 'fd01::/64'],
      listenPort: 5000,
      endpoint: 'h:1',
      mtu: 1400,
    },
  ],
  [
    'vrouter create edge-9 --vrf blue --mss-clamp off --source-check strict',
    /interface: +wg0, MTU 1420\n/,
    { name: 'edge-9', vrf: 'blue', mssClamp: 'off', sourceCheck: 'strict' },
  ],
  [
    'vrouter list',
    /edge-1 +connected +10\.77[^\n]* 1 +4\/5 +5 min ago\nedge-2 +waiting for a gateway [^\n]* -\/5 +never\n$/,
  ],
  [
    'vrouter show edge-1',
    /wg0, MTU 1420, VRF blue, MSS clamp auto, source check loose\n[\s\S]*version 4 applied, 5 wanted[\s\S]*plane: +userspace/,
  ],
  [
    'vrouter change edge-1 --mss-clamp off --source-check strict',
    /^wg0, MTU 1420, VRF blue, MSS clamp off, source check strict, 10\.77\.0\.0\/24, fd77::\/64, endpoint vpn\.example\.org:51820, version 9\n$/,
    { mssClamp: 'off', sourceCheck: 'strict' },
  ],
  ['vrouter delete ../edge', /^deleted \.\.\/edge\n$/],
  ['vrouter token edge-1 --ttl 600', /^join string .*\nhttps:/, { ttlSeconds: 600 }],
  [
    'vrouter token edge-1 --uses 3 --from 192.0.2.0/24',
    /^join string .*\nhttps:/,
    { uses: 3, sourcePrefix: '192.0.2.0/24' },
  ],
  [
    'join-token list edge-1',
    /k3x9q2ab +good, ends in 2 h +2\/3 +192\.0\.2\.0\/24 +kim +5 min ago\nb +used +0\/3 +anywhere +kim .*\nc +ended 5 min ago .*\nd +revoked 5 min ago +2\/3 +192\.0\.2\.0\/24 +- +5 min ago\n$/,
  ],
  ['join-token revoke edge-1 k3x9q2ab', /^revoked k3x9q2ab\n$/],
  ['vrouter show edge-late', /certificate: +late: ends in 2 h, can be renewed until in 7 d\n/],
  ['vrouter revoke edge-1', /^revoked gateway g1\n$/],
  [
    'ca show',
    /authority: +embedded\nstate: +failing since 5 min ago\nlast error: +it does not answer[\s\S]*2 are trusted[\s\S]*issues +CN=vrouter intermediate +1a +in 100 d +in 100 d\nretired +CN=vrouter intermediate +2b +in 100 d +in 8 d\n$/,
  ],
  ['ca rotate', /^authority: +embedded\n/],
  ['vrouter confirm edge-1', /^confirmed version 9\n$/],
  ['peer list edge-1', /phone +xTIB\S+ +10\.77\.0\.2\/32, fd77::2\/128 +192\.0\.2\.7:4000 +5 min ago +2\.0 KiB +10 B/],
  [`peer remove edge-1 ${gatewayKey}`, /^removed phone\n$/],
  [
    'route add edge-1 192.168.5.0/24 --interface wg0 --next-hop 10.77.0.9 --vrf blue',
    /^added 192\.168\.5\.0\/24 wg0 via 10\.77\.0\.9 in blue, version 7\n$/,
    { prefix: '192.168.5.0/24', interface: 'wg0', nextHop: '10.77.0.9', vrf: 'blue' },
  ],
  [
    'route add edge-1 203.0.113.0/24 --blackhole',
    /blackhole in default/,
    { prefix: '203.0.113.0/24', blackhole: true },
  ],
  ['route list edge-1', /default +192\.168\.5\.0\/24 +wg0 via 10\.77\.0\.9/],
  ['route remove edge-1 192.168.5.0/24 --vrf blue', /^removed 192\.168\.5\.0\/24\n$/],
];

for (const [command, text, body] of said) {
  test(command, async () => {
    const { status, out, err, seen } = await run(...command.split(' '));
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, text);
    if (body !== undefined) assert.deepEqual(seen.at(-1)?.body, body);
  });
}

test("--json is exactly the controller's data", async () => {
  const { out } = await run('vrouter', 'show', 'edge-1', '--json');
  assert.deepEqual(JSON.parse(out), { ...guarded, newerMember: 1 });
  const created = await run('--json', 'vrouter', 'create', 'edge-9');
  assert.deepEqual(JSON.parse(created.out), { vrouter: vrouterRow('edge-9', false), join: join1 });
});

/** The public key that belongs to a private one, both in base64. */
function publicOf(privateKey: string): string {
  const prefix = Buffer.from('302e020100300506032b656e04220420', 'hex');
  const der = Buffer.concat([prefix, Buffer.from(privateKey, 'base64')]);
  const spki = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })).export({
    type: 'spki',
    format: 'der',
  });
  return spki.subarray(-32).toString('base64');
}

test('peer add makes keys and prints a whole wg-quick file', async () => {
  const { status, out, err, seen } = await run('peer', 'add', 'edge-1', 'phone', '--psk', '--keepalive', '25');
  assert.equal(status, 0);
  assert.match(err, /shown this once/);
  const sent = createPeerRequest.parse(seen.at(-1)?.body);
  const [, privateKey, presharedKey] =
    new RegExp(
      `^# phone, a peer of edge-1\\n\\[Interface\\]\\nPrivateKey = (\\S{44})\\nAddress = 10\\.77\\.0\\.2/32, fd77::2/128\\nMTU = 1420\\n\\n\\[Peer\\]\\nPublicKey = ${gatewayKey}\\nPresharedKey = (\\S{44})\\nEndpoint = vpn\\.example\\.org:51820\\nAllowedIPs = 10\\.77\\.0\\.0/24, fd77::/64\\nPersistentKeepalive = 25\\n$`,
    ).exec(out) ?? [];
  assert.ok(privateKey !== undefined, out);
  assert.equal(publicOf(privateKey), sent.publicKey);
  assert.equal(presharedKey, sent.presharedKey);
  assert.equal(sent.persistentKeepalive, 25);
  const bytes = Buffer.from(privateKey, 'base64');
  assert.deepEqual([bytes[0]! & 7, bytes[31]! & 0xc0], [0, 0x40], 'clamped as wg genkey does');
  assert.ok(!JSON.stringify(seen).includes(privateKey), 'the private key stays here');
});

test('peer add --out writes the file for its owner alone, and shows no secret', async () => {
  const path = join(folder, 'phone.conf');
  const { status, out, err } = await run('peer', 'add', 'edge-1', 'phone', '--psk', '--out', path);
  assert.deepEqual([status, err], [0, '']);
  const text = readFileSync(path, 'utf8');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const secrets = [...text.matchAll(/^(?:PrivateKey|PresharedKey) = (.*)$/gm)].map((match) => match[1]!);
  assert.equal(secrets.length, 2);
  for (const secret of secrets) assert.ok(!out.includes(secret));
  assert.match(out, /addresses: +10\.77\.0\.2\/32, fd77::2\/128/);
  const again = await run('peer', 'add', 'edge-1', 'phone', '--out', path);
  assert.equal(again.status, 1);
  assert.match(again.err, /exists already.*\(data\.unwritable\), in --out/);
  assert.ok(
    again.seen.every((seen) => seen.method === 'GET'),
    'nothing was asked of the controller',
  );
  assert.equal(readFileSync(path, 'utf8'), text);
});

test('a refused peer leaves no file behind', async () => {
  const path = join(folder, 'taken.conf');
  const { status, err } = await run('peer', 'add', 'edge-1', 'taken', '--out', path, '--json');
  assert.equal(status, 1);
  assert.deepEqual(JSON.parse(err), { error: { code: 'peer.exists', message: 'the name is taken', field: 'name' } });
  assert.throws(() => statSync(path), /ENOENT/);
});

test('peer add --json: with --out the reply alone, without it the file too', async () => {
  const whole = await run('peer', 'add', 'edge-1', 'phone', '--json');
  const reply: unknown = JSON.parse(whole.out);
  assert.ok(createPeerReply.safeParse(reply).success);
  assert.match((reply as { config: string }).config, /^PrivateKey = \S{44}$/m);
  const path = join(folder, 'json.conf');
  const quiet = await run('peer', 'add', 'edge-1', 'phone', '--json', '--out', path);
  assert.deepEqual(Object.keys(JSON.parse(quiet.out) as object), ['peer', 'gateway', 'version']);
});

test('peer add --public-key makes no key; without a gateway none can be used', async () => {
  const own = await run(
    'peer',
    'add',
    'edge-1',
    'office',
    '--public-key',
    gatewayKey,
    '--allowed-ips',
    '192.168.5.0/24',
  );
  assert.deepEqual([own.status, own.err], [0, '']);
  assert.match(own.out, /allowed IPs: .*192\.168\.5\.0\/24/);
  assert.ok(!own.out.includes('PrivateKey'));
  const early = await run('peer', 'add', 'edge-2', 'phone');
  assert.equal(early.status, 1);
  assert.match(early.err, /no gateway has joined edge-2 yet.*\(intent\.reference\)/);
  assert.deepEqual(
    early.seen.map((seen) => seen.method),
    ['GET'],
  );
});

const refused: readonly (readonly [command: string, status: number, err: RegExp])[] = [
  ['', 2, /wants one of: .*\(usage\)/],
  ['nonsense', 2, /knows no "nonsense".*\(usage\)/],
  ['vrouter', 2, /wants one of: create, list/],
  ['vrouter create', 2, /missing required argument 'name'; see vrouterctl vrouter create --help \(usage\)/],
  ['vrouter create a --listen-port 0', 2, /from 1 to 65535.*\(usage\)/],
  ['vrouter create a --listen-port 1e3', 2, /from 1 to 65535.*\(usage\)/],
  ['vrouter create a --network 10.0.0.0/24,', 2, /empty item.*\(usage\)/],
  ['vrouter create a --source-check on', 2, /Allowed choices are off, loose, strict.*\(usage\)/],
  ['vrouter change edge-1', 2, /nothing to change.*\(usage\)/],
  ['vrouter list --nope', 2, /unknown option '--nope'.*\(usage\)/],
  ['route add edge-1 10.0.0.0/8', 2, /one of --interface and --blackhole \(usage\)/],
  ['route add edge-1 10.0.0.0/8 --interface wg0 --blackhole', 2, /one of --interface and --blackhole \(usage\)/],
  ['vrouter list --controller nowhere', 2, /no URL of a controller.*\(usage\), in --controller/],
  ['vrouter list --controller http://127.0.0.1:1', 1, /start vrouter-controller.*\(controller\.unreachable\)/],
  ['vrouter show nobody', 1, /there is no \S+ \(vrouter\.notFound\)/],
];

for (const [command, status, err] of refused) {
  test(`refused with ${status}: vrouterctl ${command}`, async () => {
    const result = await run(...command.split(' ').filter((word) => word !== ''));
    assert.deepEqual([result.status, result.out], [status, '']);
    assert.match(result.err, err);
    assert.equal(result.err.split('\n').length, 2, 'one line');
    assert.match(result.err, /^error: /);
  });
}

test('a wrong usage is JSON too when asked', async () => {
  const { status, err } = await run('vrouter', 'create', '--json');
  assert.equal(status, 2);
  assert.equal((JSON.parse(err) as { error: { code: string } }).error.code, 'usage');
});

test('a controller under a path, and one that is something else', async () => {
  await using proxy = await serve(({ url, ...rest }) =>
    url.startsWith('/net/') ? controller({ ...rest, url: url.slice(4) }) : { status: 502, body: '<html>' },
  );
  assert.equal((await vrouterctl(['vrouter', 'list', '--controller', `${proxy.at}/net/`])).status, 0);
  const odd = await vrouterctl(['vrouter', 'list', '--controller', proxy.at]);
  assert.equal(odd.status, 1);
  assert.match(odd.err, /answered status 502.*\(internal\)/);
});

test('every command has help that says what it does', async () => {
  for (const command of [
    '',
    'show',
    'show peers',
    'watch',
    'plan',
    'engine',
    'vrouter',
    'peer add',
    'route add',
    'vrf',
    'completion',
  ]) {
    const { status, out, err } = await run(...command.split(' ').filter((word) => word !== ''), '--help');
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, /^Usage: vrouterctl/);
    assert.match(out, /--json/);
  }
});
