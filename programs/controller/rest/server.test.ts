/** REST from outside: statuses, error bodies, the documentation. What the verbs do is in ../desk. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { errorReply } from '@vrouter/api/rest/error.ts';
import { auditList } from '@vrouter/api/rest/system.ts';
import { changeVrouterReply, createVrouterReply, vrouterList } from '@vrouter/api/rest/vrouters.ts';
import { pino } from 'pino';
import { type Running, startController } from '../controller.ts';

const data = mkdtempSync(join(tmpdir(), 'vrouter-rest-'));
let running: Running;
let token = '';
const loopback = { host: '127.0.0.1', port: 0 };

before(async () => {
  const options = {
    data,
    rest: loopback,
    agents: loopback,
    agentHosts: [],
    logLevel: 'silent',
  };
  running = await startController(options, pino({ level: 'silent' }));
  token = readFileSync(join(data, 'admin-token'), 'utf8').trim();
});

after(async () => {
  await running.stop();
  rmSync(data, { recursive: true, force: true });
});

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await fetch(running.rest + path, {
    method,
    redirect: 'manual',
    headers: { authorization: `Bearer ${token}`, ...type, ...headers },
    ...(body === undefined ? {} : { body: text }),
  });
  const answer = await response.text();
  return { status: response.status, json: answer.startsWith('{') ? (JSON.parse(answer) as unknown) : answer };
}

test('a vrouter and a peer, made and seen', async () => {
  const made = await call('POST', '/v1/vrouters', { name: 'edge' });
  assert.equal(made.status, 201);
  createVrouterReply.parse(made.json);
  const body = { name: 'phone', publicKey: 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=' };
  assert.equal((await call('POST', '/v1/vrouters/edge/peers', body)).status, 201);
  const { vrouters } = vrouterList.parse((await call('GET', '/v1/vrouters')).json);
  assert.deepEqual(
    vrouters.map((row) => [row.name, row.peers]),
    [['edge', 1]],
  );
  const file = await call('GET', `/v1/vrouters/edge/peers/${encodeURIComponent(body.publicKey)}/wg-quick`);
  assert.match(String(file.json), /^\[Interface\]$/m);
  assert.equal((await call('POST', '/v1/vrouters/edge/tokens')).status, 201, 'without a body');
  assert.equal((await call('POST', '/v1/vrouters/edge/tokens', { ttlSeconds: 60 })).status, 201);
});

test('the WireGuard interface is changed in place; other fields are refused', async () => {
  const path = '/v1/vrouters/edge';
  const changed = await call('PATCH', path, { sourceCheck: 'loose' });
  assert.deepEqual([changed.status, changeVrouterReply.parse(changed.json).vrouter.sourceCheck], [200, 'loose']);
  assert.equal((await call('PATCH', path, { sourceCheck: 'off' })).status, 200);
  for (const [body, field] of [
    [{ sourceCheck: 'on' }, 'sourceCheck'],
    [{ listenPort: 0 }, 'listenPort'],
    [{ vrf: 'blue' }, 'vrf'],
  ] as const) {
    const refused = await call('PATCH', path, body);
    assert.deepEqual([refused.status, errorReply.parse(refused.json).error.field], [400, field]);
  }
});

test('host interfaces, ports and NAT: made, listed, shown and removed, with the codes of their mistakes', async () => {
  const base = '/v1/vrouters/edge';
  const port = { protocol: 'udp', hostPort: 53, address: '10.77.0.2', port: 53 };
  for (const [path, body, one] of [
    ['host-interfaces', { name: 'host0', addresses: ['10.99.0.1/24'] }, 'host0'],
    ['ports', { name: 'lan', device: 'eth1', addresses: ['192.168.1.1/24'] }, 'lan'],
    ['floating-ips', { id: 'mail', address: '192.0.2.9', fixedAddress: '10.77.0.3' }, 'mail'],
    ['masquerades', { prefix: '10.77.0.0/24' }, 'default/10.77.0.0%2F24'],
    ['published-ports', port, 'default/*/udp/53'],
    ['published-ports', { ...port, hostAddress: '192.0.2.7' }, 'default/192.0.2.7/udp/53'],
  ] as const) {
    const made = await call('POST', `${base}/${path}`, body);
    assert.equal(made.status, 201, JSON.stringify(made.json));
    const { version, ...row } = made.json as { version: number };
    const twice = await call('POST', `${base}/${path}`, body);
    assert.deepEqual([twice.status, errorReply.parse(twice.json).error.code], [409, 'intent.exists']);
    const shown = await call('GET', `${base}/${path}/${one}`);
    assert.deepEqual([shown.status, shown.json], [200, row]);
    const listed = (await call('GET', `${base}/${path}`)).json as { [name: string]: unknown[] };
    assert.deepEqual(Object.values(listed)[0]!.at(-1), Object.values(row)[0]);
  }
  for (const path of [
    'host-interfaces/host1',
    'ports/wan',
    'floating-ips/web',
    'masquerades/default/10.0.0.0%2F8',
    'published-ports/default/*/tcp/53',
  ])
    for (const method of ['GET', 'DELETE']) {
      const answer = await call(method, `${base}/${path}`);
      assert.deepEqual([answer.status, errorReply.parse(answer.json).error.code], [404, 'intent.notFound'], path);
    }
  for (const path of [
    'host-interfaces/host0',
    'ports/lan',
    'floating-ips/mail',
    'masquerades/default/10.77.0.0%2F24',
    'published-ports/default/*/udp/53',
    'published-ports/default/192.0.2.7/udp/53',
  ])
    assert.equal((await call('DELETE', `${base}/${path}`)).status, 200, path);
});

for (const [name, method, path, body, status, code, field] of [
  ['no such path', 'GET', '/v1/nothing', undefined, 404, 'request.notFound', undefined],
  ['no such vrouter', 'GET', '/v1/vrouters/none', undefined, 404, 'vrouter.notFound', 'name'],
  ['a name twice', 'POST', '/v1/vrouters', { name: 'edge' }, 409, 'vrouter.exists', 'name'],
  ['a bad name', 'POST', '/v1/vrouters', { name: 'a/b' }, 400, 'name.invalid', 'name'],
  ['a field of the wrong type', 'POST', '/v1/vrouters', { name: 'x', mtu: 'big' }, 400, 'input.invalid', 'mtu'],
  [
    'a field of a list',
    'POST',
    '/v1/vrouters',
    { name: 'x', networks: ['10.0.0.0/8', 7] },
    400,
    'input.invalid',
    'networks[1]',
  ],
  ['a field that does not exist', 'POST', '/v1/vrouters', { name: 'x', mut: 1400 }, 400, 'input.invalid', 'mut'],
  ['no body', 'POST', '/v1/vrouters', undefined, 400, 'input.invalid', undefined],
  ['no JSON', 'POST', '/v1/vrouters', '{"name":', 400, 'input.invalid', undefined],
  ['too much', 'POST', '/v1/vrouters', `"${'x'.repeat(1_100_000)}"`, 413, 'request.tooLarge', undefined],
  ['a query that is missing', 'DELETE', '/v1/vrouters/edge/routes', undefined, 400, 'input.invalid', 'prefix'],
  [
    'a port out of range',
    'POST',
    '/v1/vrouters/edge/published-ports',
    { protocol: 'tcp', hostPort: 0, address: '10.77.0.2', port: 80 },
    400,
    'input.invalid',
    'hostPort',
  ],
  [
    'a masquerade of IPv6',
    'POST',
    '/v1/vrouters/edge/masquerades',
    { prefix: 'fd77::/64' },
    501,
    'intent.unsupported',
    'prefix',
  ],
  [
    'an address of the machine that is none',
    'POST',
    '/v1/vrouters/edge/host-interfaces',
    { name: 'host0', addresses: ['10.99.0.1/24', '10.99.0/24'] },
    400,
    'prefix.invalid',
    'addresses[1]',
  ],
  ['too short a token', 'POST', '/v1/vrouters/edge/tokens', { ttlSeconds: 1 }, 400, 'input.invalid', 'ttlSeconds'],
] as const)
  test(`refused: ${name}`, async () => {
    const answer = await call(method, path, body);
    assert.equal(answer.status, status, JSON.stringify(answer.json));
    const { error } = errorReply.parse(answer.json);
    assert.equal(error.code, code);
    assert.equal(error.field, field);
    assert.ok(error.message.length > 10);
  });

test('other sites and other content types are refused', async () => {
  assert.equal((await call('GET', '/v1/vrouters', undefined, { origin: 'http://evil.example' })).status, 403);
  assert.equal((await call('POST', '/v1/vrouters', '{"name":"x"}', { 'content-type': 'text/plain' })).status, 400);
  assert.equal(
    (await call('POST', '/v1/vrouters', 'name=x', { 'content-type': 'application/x-www-form-urlencoded' })).status,
    400,
  );
});

test('a page that asks without end does not fill the audit', async () => {
  for (let n = 0; n < 30; n++) await call('POST', '/v1/vrouters', { name: 'x' }, { origin: 'http://evil.example' });
  const { audit } = auditList.parse((await call('GET', '/v1/audit?last=500')).json);
  const rows = audit.filter((row) => row.reason?.startsWith('request.forbidden'));
  assert.ok(rows.length >= 20 && rows.length < 25, `${rows.length}`);
  assert.deepEqual([rows[0]!.actor, rows[0]!.tokenId], ['rest', null]);
});

test('changes and refusals are in the audit, latest first', async () => {
  await call('POST', '/v1/vrouters', { name: 'edge' });
  const { audit } = auditList.parse((await call('GET', '/v1/audit?last=500')).json);
  assert.equal(audit[0]!.outcome, 'refused');
  assert.match(audit[0]!.reason!, /^vrouter\.exists/);
  const done = audit.filter((row) => row.outcome === 'done').map((row) => row.action);
  for (const action of ['vrouter.create', 'token.create', 'peer.create']) assert.ok(done.includes(action), action);
});

test('the documentation covers every path, with words for every field of a request', async () => {
  const { json } = await call('GET', '/openapi.json');
  const { paths } = json as {
    paths: Record<
      string,
      Record<
        string,
        {
          summary?: string;
          parameters?: { in: string; name: string; description?: string }[];
          responses: Record<string, { content?: Record<string, { schema: { properties?: Record<string, object> } }> }>;
          requestBody?: {
            content: Record<string, { schema: { properties: Record<string, { description?: string }> } }>;
          };
        }
      >
    >;
  };
  for (const path of [
    '/v1/vrouters',
    '/v1/vrouters/{name}/peers/{peer}/wg-quick',
    '/v1/vrouters/{name}/routes',
    '/v1/vrouters/{name}/host-interfaces/{interface}',
    '/v1/vrouters/{name}/masquerades/{vrf}/{prefix}',
    '/v1/vrouters/{name}/ports/{port}',
    '/v1/vrouters/{name}/floating-ips/{id}',
    '/v1/vrouters/{name}/nat-settings',
    '/v1/vrouters/{name}/published-ports/{vrf}/{hostAddress}/{protocol}/{hostPort}',
    '/v1/events',
    '/v1/audit',
  ])
    assert.ok(paths[path] !== undefined, path);
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { summary, requestBody, parameters = [], responses }] of Object.entries(methods)) {
      assert.ok(summary, `${method} ${path}`);
      for (const { name, description } of parameters) assert.ok(description, `${method} ${path} ${name}`);
      const has = (where: string, name: string) => parameters.some((one) => one.in === where && one.name === name);
      if (method === 'patch' || method === 'delete') assert.ok(has('header', 'if-match'), `${method} ${path}`);
      if (method === 'post' && '201' in responses) assert.ok(has('header', 'idempotency-key'), path);
      if (method !== 'get' || path === '/healthz' || path === '/v1/events') continue;
      assert.ok(has('header', 'if-none-match'), path);
      const shown = responses['200']?.content?.['application/json']?.schema.properties ?? {};
      assert.equal(has('query', 'limit') && has('query', 'cursor'), 'next' in shown, `${path} is a list or is none`);
      for (const [field, { description }] of Object.entries(
        requestBody?.content['application/json']?.schema.properties ?? {},
      ))
        assert.ok(description, `${method} ${path} ${field}`);
    }
  const agents = (await call('GET', '/openapi-agents.json')).json as { paths: Record<string, unknown> };
  assert.deepEqual(Object.keys(agents.paths).sort(), [
    '/vrouter/discover',
    '/vrouter/poll',
    '/vrouter/register',
    '/vrouter/renew',
  ]);
  assert.equal((await call('GET', '/')).status, 302);
  assert.match(String((await call('GET', '/docs/')).json), /swagger/i);
});

test('health and metrics', async () => {
  assert.deepEqual((await call('GET', '/healthz')).json, { status: 'ok' });
  const text = String((await call('GET', '/metrics')).json);
  assert.match(text, /^vrouter_controller_vrouters 1$/m);
  assert.match(text, /^vrouter_controller_lifetime\{what="changes"\} 16$/m);
  assert.match(text, /^process_cpu_seconds_total /m);
});
