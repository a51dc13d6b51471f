/** How the commands treat the controller: lists by pages, a key for what is made, a tag for what is changed. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { createPeerRequest, type Peer } from '@vrouter/api/rest/peers.ts';
import { vrouterctl } from './process.testing.ts';
import { type Answering, type Handler, type Seen, serve } from './server.testing.ts';

const key = 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=';
const peer = (n: number): Peer => ({
  vrouter: 'e',
  name: `p${String(n).padStart(5, '0')}`,
  publicKey: key,
  hasPresharedKey: false,
  addresses: ['10.77.0.2/32'],
  allowedIps: ['10.77.0.2/32'],
  endpoint: null,
  persistentKeepalive: 0,
  createdUnixMs: 0,
  live: null,
  etag: `tag${n}`,
});
const gateway = { publicKey: key, endpoint: 'h:1', allowedIps: ['10.77.0.0/24'], mtu: 1420 };

/** A list of so many peers, in pages. */
function listOf(count: number): Handler {
  const all = Array.from({ length: count }, (_, n) => peer(n));
  return ({ url }) => {
    const query = new URL(url, 'http://x').searchParams;
    const from = Number(query.get('cursor') ?? 0);
    const to = from + Number(query.get('limit'));
    return { body: { peers: all.slice(from, to), next: to < count ? String(to) : null } };
  };
}

async function run(handler: Handler, ...args: readonly string[]) {
  await using server = await serve(handler);
  const result = await vrouterctl(args, { VROUTER_CONTROLLER: server.at });
  return { ...result, seen: server.seen, headers: server.headers };
}

test('a list is read to its end, page by page, and shown as one', async () => {
  const { status, out, err, seen } = await run(listOf(2345), 'peer', 'list', 'e');
  assert.deepEqual([status, err], [0, '']);
  const lines = out.trimEnd().split('\n');
  assert.equal(lines.length, 2346);
  assert.deepEqual(
    lines.slice(1).map((line) => line.split(' ')[0]),
    Array.from({ length: 2345 }, (_, n) => peer(n).name),
  );
  assert.equal(new Set(lines.map((line) => line.indexOf('10.77'))).size, 2, 'the heads, and one column for all');
  assert.deepEqual(
    seen.map(({ url }) => url),
    ['?limit=1000', '?limit=1000&cursor=1000', '?limit=1000&cursor=2000'].map(
      (query) => `/v1/vrouters/e/peers${query}`,
    ),
  );
});

test('--json is one object with the rows of all pages, in the form of a single one', async () => {
  for (const count of [0, 1, 1000, 2345]) {
    const { out } = await run(listOf(count), 'peer', 'list', 'e', '--json');
    const whole = { peers: Array.from({ length: count }, (_, n) => peer(n)), next: null };
    assert.equal(out, `${JSON.stringify(whole, null, 2)}\n`, `${count}`);
  }
});

test('--limit ends the list early and says so', async () => {
  const { out, err, seen } = await run(listOf(2345), 'peer', 'list', 'e', '--limit', '1003');
  assert.equal(out.trimEnd().split('\n').length, 1004);
  assert.match(err, /more than these 1003/);
  assert.match(seen.at(-1)!.url, /limit=3&cursor=1000$/);
  const json = JSON.parse((await run(listOf(20), 'peer', 'list', 'e', '--limit', '5', '--json')).out) as object;
  assert.deepEqual(json, { peers: [0, 1, 2, 3, 4].map(peer), next: '5' });
});

test('an older controller, which gives all at once, is fine', async () => {
  const { out, err } = await run(() => ({ body: { peers: [peer(0), peer(1)] } }), 'peer', 'list', 'e');
  assert.deepEqual([out.split('\n').length, err], [4, '']);
});

const madePeer = ({ body }: Seen): Answering => {
  const { name } = createPeerRequest.parse(body);
  return { status: 201, body: { peer: { ...peer(0), name }, gateway, version: 2 } };
};
const breaking: Handler = (_seen, response) => {
  response.destroy();
  return null;
};
const add = ['peer', 'add', 'e', 'phone', '--public-key', key] as const;

test('what is made is sent once more when the connection breaks, under the same key', async () => {
  let lost = 0;
  const handler: Handler = (seen, response) => {
    if (lost++ > 0) return madePeer(seen);
    response.destroy();
    return null;
  };
  const { status, out, seen, headers } = await run(handler, ...add);
  assert.equal(status, 0);
  assert.match(out, /peer: +phone/);
  assert.equal(seen.length, 2);
  assert.deepEqual(seen[0]!.body, seen[1]!.body);
  assert.match(String(headers[0]!['idempotency-key']), /^[0-9a-f-]{36}$/);
  assert.equal(headers[0]!['idempotency-key'], headers[1]!['idempotency-key']);
});

test('an answer that breaks off in its middle counts as lost, too', async () => {
  let lost = 0;
  const handler: Handler = (seen, response) => {
    if (lost++ > 0) return madePeer(seen);
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': 5000 });
    response.write('{"peer":', () => response.destroy());
    return null;
  };
  assert.equal((await run(handler, ...add)).status, 0);
});

test('once more is once, and refusals are not tried again', async () => {
  const { status, err, seen } = await run(breaking, ...add);
  assert.equal(status, 1);
  assert.match(err, /controller\.unreachable/);
  assert.equal(seen.length, 2);
  const refusal = { error: { code: 'peer.exists', message: 'taken' } };
  assert.equal((await run(() => ({ status: 409, body: refusal }), ...add)).seen.length, 1);
  const removed = await run(breaking, 'peer', 'remove', 'e', 'phone');
  assert.equal(removed.seen.length, 1, 'a removal has no key');
});

test('each thing that is made has a key of its own', async () => {
  const keys = new Set<unknown>();
  for (let i = 0; i < 2; i++) keys.add((await run(madePeer, ...add)).headers[0]!['idempotency-key']);
  assert.equal(keys.size, 2);
});

const changed = (): Answering => ({ body: { peer: peer(0), gateway, version: 9 } });
for (const [command, body, ifMatch] of [
  ['peer set e p --name q --keepalive 25', { name: 'q', persistentKeepalive: 25 }, undefined],
  ['peer set e p --allowed-ips 10.1.0.0/16 --allowed-ips 10.2.0.0/16', { allowedIps: ['10.1.0.0/16', '10.2.0.0/16'] }],
  ['peer set e p --no-allowed-ips --no-endpoint --no-psk', { allowedIps: [], endpoint: null, presharedKey: null }],
  ['peer set e p --endpoint 192.0.2.1:5 --if-match abc', { endpoint: '192.0.2.1:5' }, '"abc"'],
  ['peer set e p --keepalive 0 --if-match "abc.def"', { persistentKeepalive: 0 }, '"abc.def"'],
  ['peer set e p --keepalive 0 --if-match *', { persistentKeepalive: 0 }, '*'],
] as const)
  test(command, async () => {
    const { status, out, err, seen, headers } = await run(changed, ...command.split(' '));
    assert.deepEqual([status, out, err], [0, 'changed p00000, version 9\n', '']);
    assert.deepEqual([seen[0]!.method, seen[0]!.body, headers[0]!['if-match']], ['PATCH', body, ifMatch]);
  });

test('peer set --psk: a key made here and shown once', async () => {
  const { status, out, err, seen } = await run(changed, 'peer', 'set', 'e', 'p', '--psk');
  assert.equal(status, 0);
  const { presharedKey } = seen[0]!.body as { presharedKey: string };
  assert.equal(Buffer.from(presharedKey, 'base64').length, 32);
  assert.equal(out, `PresharedKey = ${presharedKey}\n`);
  assert.match(err, /changed p00000, version 9[\s\S]*shown this once/);
  const json = await run(changed, 'peer', 'set', 'e', 'p', '--psk', '--json');
  assert.equal(
    (JSON.parse(json.out) as { presharedKey: string }).presharedKey,
    (json.seen[0]!.body as { presharedKey: string }).presharedKey,
  );
});

const deleted = (): Answering => ({ body: { deleted: 'x', version: 9 } });
for (const command of [
  'vrouter delete e',
  'peer remove e p',
  'route remove e 10.0.0.0/8',
  'vrf remove e blue',
  'host-interface remove e host0',
  'port remove e lan',
  'masquerade remove e 10.0.0.0/8',
  'published-port remove e tcp/80',
  'floating-ip remove e mail',
])
  test(`${command} --if-match`, async () => {
    const { status, seen, headers } = await run(deleted, ...command.split(' '), '--if-match', 'abc');
    assert.equal(status, 0);
    assert.deepEqual([seen[0]!.method, headers[0]!['if-match']], ['DELETE', '"abc"']);
  });

for (const [command, why] of [
  ['peer set e p', /nothing to change/],
  ['peer set e p --name q --out f', /--out is for the preshared key/],
  ['nat-settings set e', /nothing to change/],
  ['port add e lan', /one of --device and --tap/],
  ['port add e lan --tap t --device d', /one of --device and --tap/],
  ['peer list e --limit 0', /from 1 to/],
  ['peer remove e p --if-match é', /as show prints it/],
] as const)
  test(`wrong usage: ${command}`, async () => {
    const { status, err, seen } = await run(deleted, ...command.split(' '));
    assert.equal(status, 2);
    assert.match(err, why);
    assert.deepEqual(seen, []);
  });
