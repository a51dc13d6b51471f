/** Every route, as every role: who may, who may not, and what the documentation says of it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { errorReply } from '@vrouter/api/rest/error.ts';
import { createApiTokenReply, type Role, roles } from '@vrouter/api/rest/identity.ts';
import { auditList } from '@vrouter/api/rest/system.ts';
import Fastify from 'fastify';
import { pino } from 'pino';
import { type Running, startController } from '../controller.ts';
import { suffices } from '../identity/roles.ts';
import type { App } from './app.ts';
import { needOf, needs, requireNeeds } from './roles.ts';

const data = mkdtempSync(join(tmpdir(), 'vrouter-roles-'));
const loopback = { host: '127.0.0.1', port: 0 };
const silent = pino({ level: 'silent' });
let running: Running;
const tokens = new Map<Role, string>();

before(async () => {
  running = await startController(
    { data, rest: loopback, agents: loopback, agentHosts: [], logLevel: 'silent' },
    silent,
  );
  tokens.set('admin', readFileSync(join(data, 'admin-token'), 'utf8').trim());
  for (const role of ['viewer', 'operator'] as const) {
    await call('POST', '/v1/users', tokens.get('admin'), { name: role, role });
    const made = await call('POST', '/v1/api-tokens', tokens.get('admin'), { user: role, name: 'test' });
    tokens.set(role, createApiTokenReply.parse(made.json).token);
  }
});

after(async () => {
  await running.stop();
  rmSync(data, { recursive: true, force: true });
});

/** The answer's head is enough of one that does not end. */
async function call(method: string, path: string, token?: string, body?: unknown) {
  const cut = new AbortController();
  const response = await fetch(running.rest + path, {
    method,
    redirect: 'manual',
    signal: cut.signal,
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { status, headers } = response;
  if (headers.get('content-type') === 'text/event-stream') {
    cut.abort();
    return { status, headers, json: null };
  }
  const text = await response.text();
  return { status, headers, json: text.startsWith('{') ? (JSON.parse(text) as unknown) : null };
}

/** A path of the route that leads to nothing there is, so that nothing is changed. */
function pathOf(route: string): [method: string, path: string] {
  const [method, path] = route.split(' ') as [string, string];
  return [method, path.replace(/:\w+/g, 'none')];
}

/** What an answer says of the caller. */
function verdict({ status, json }: { status: number; json: unknown }): string {
  const code = errorReply.safeParse(json).data?.error.code;
  if (code === 'request.unauthenticated' && status === 401) return 'unknown';
  if (code === 'request.roleNeeded' && status === 403) return 'too low';
  return code === 'request.notFound' ? 'no such route' : 'let in';
}

for (const [route, need] of Object.entries(needs))
  for (const role of roles)
    test(`${role}: ${route}`, async () => {
      const [method, path] = pathOf(route);
      const expected = need === 'open' || suffices(role, need) ? 'let in' : 'too low';
      const answer = await call(method, path, tokens.get(role));
      assert.equal(verdict(answer), expected, JSON.stringify(answer.json));
      if (expected === 'too low') {
        const { audit } = auditList.parse((await call('GET', '/v1/audit?last=1', tokens.get('admin'))).json);
        const { actor, tokenId, outcome, action, reason } = audit[0]!;
        assert.deepEqual([actor, tokenId, outcome, action], [role, tokens.get(role)!.slice(4, 12), 'refused', route]);
        assert.match(reason!, new RegExp(`^request.roleNeeded: this needs the role ${need}; .* ${role}$`));
      }
    });

test('without a token every route is refused but those that are open, and so is what there is not', async () => {
  const open: string[] = [];
  // After twenty failures there is a limit, which is as good a no.
  const isRefused = ({ status }: { status: number }): boolean => status === 401 || status === 429;
  for (const route of [...Object.keys(needs), 'GET /v1/nothing', 'POST /', 'OPTIONS /v1/vrouters']) {
    const answer = await call(...pathOf(route));
    if (!isRefused(answer)) open.push(route);
  }
  assert.deepEqual(open.sort(), [
    'GET /',
    'GET /healthz',
    'GET /openapi-agents.json',
    'GET /openapi.json',
    'GET /v1/login',
    'POST /v1/login',
    'POST /v1/login/device',
  ]);
  for (const path of ['/docs', '/docs/', '/docs/static/swagger-ui.css'])
    assert.equal(isRefused(await call('GET', path)), false, path);
  for (const path of [
    '/docs/../v1/vrouters',
    '/docs/%2e%2e/v1/vrouters',
    '/docs//v1/vrouters',
    '//v1/vrouters',
    '/V1/vrouters',
  ]) {
    const answer = await call('GET', path);
    assert.ok(isRefused(answer) || answer.status === 404, `${path} ${answer.status}`);
  }
});

test('a refused caller is told how to come again', async () => {
  const answer = await call('GET', '/v1/nothing', tokens.get('viewer'));
  assert.equal(answer.status, 404, 'known callers are told what there is not');
  const strange = await call('HEAD', '/v1/vrouters', 'vra_aaaaaaaa_x');
  assert.ok(strange.status === 429 || strange.headers.get('www-authenticate')?.startsWith('Bearer '));
});

test('a body is not read of who may not: nothing is said of it', async () => {
  const { json } = await call('POST', '/v1/users', tokens.get('viewer'), { nonsense: true });
  assert.equal(errorReply.parse(json).error.code, 'request.roleNeeded');
});

test('a route without a row keeps the server from starting', () => {
  const app = Fastify() as unknown as App;
  requireNeeds(app);
  app.get('/v1/vrouters', async () => ({}));
  assert.throws(() => app.get('/v1/forgotten', async () => ({})), /no row for GET \/v1\/forgotten/);
  assert.throws(() => app.put('/v1/vrouters', async () => ({})), /no row for PUT \/v1\/vrouters/);
  assert.equal(needOf('GET', '/docs2'), undefined);
  assert.equal(needOf('GET', '/v1/docs/x'), undefined);
});

test('the documentation names the scheme, and the role of each route', async () => {
  const { json } = await call('GET', '/openapi.json');
  const { paths, components } = json as {
    paths: Record<string, Record<string, { security?: unknown; description?: string }>>;
    components: { securitySchemes: Record<string, { type: string; scheme: string }> };
  };
  const { type, scheme } = components.securitySchemes.apiToken!;
  assert.deepEqual([type, scheme], ['http', 'bearer']);
  const documented = new Set<string>();
  for (const [path, methods] of Object.entries(paths))
    for (const [method, { security, description }] of Object.entries(methods)) {
      const route = `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`;
      documented.add(route);
      const need = needs[route];
      assert.deepEqual(security, need === 'open' ? [] : [{ apiToken: [need] }], route);
      assert.match(
        description!,
        need === 'open' ? /Needs no token\.$/ : new RegExp(`Needs the role .*\\b${need}\\b`),
        route,
      );
    }
  const hidden = Object.keys(needs).filter((route) => !documented.has(route));
  assert.deepEqual(
    hidden,
    ['GET /', 'GET /openapi.json', 'GET /openapi-agents.json', 'GET /metrics'],
    'rows without a route',
  );
});
