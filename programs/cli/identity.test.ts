/** Users, API tokens and the audit, and which token goes where; against a server that checks with the schemas of `api`. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after } from 'node:test';
import {
  apiTokenList,
  changeUserRequest,
  createApiTokenReply,
  createApiTokenRequest,
  createUserRequest,
  goneReply,
  removedUserReply,
  userList,
  userReply,
  whoamiReply,
} from '@vrouter/api/rest/identity.ts';
import { auditList, auditVerifyReply } from '@vrouter/api/rest/system.ts';
import { defaultFolders, findToken } from './clients/token.ts';
import { Failure } from './failure.ts';
import { vrouterctl } from './process.testing.ts';
import { type Answering, type Seen, serve } from './server.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouterctl-'));
after(() => rmSync(folder, { recursive: true }));
const nowUnixMs = Date.now();
const ago = nowUnixMs - 300_000;
const token = `vra_k3x9q2ab_${'s'.repeat(43)}`;
const hash = 'ab'.repeat(32);
const kim = {
  name: 'kim',
  role: 'operator' as const,
  origin: 'local' as const,
  issuer: null,
  subject: null,
  createdUnixMs: ago,
  disabledUnixMs: null,
  apiTokens: 2,
};
const lee = { ...kim, name: 'lee', origin: 'oidc' as const, issuer: 'https://login.example', subject: 's-1' };
const laptop = {
  id: 'k3x9q2ab',
  user: 'kim',
  origin: 'local' as const,
  name: 'laptop',
  role: 'operator' as const,
  createdUnixMs: ago,
  expiresUnixMs: null,
  lastUsedUnixMs: null,
  revokedUnixMs: null,
};

function controller({ method, url, body }: Seen): Answering {
  switch (`${method} ${url}`) {
    case 'POST /v1/users': {
      const { name, role } = createUserRequest.parse(body);
      return { status: 201, body: userReply.parse({ user: { ...kim, name, role, apiTokens: 0 } }) };
    }
    case 'GET /v1/users?limit=1000':
      return { body: userList.parse({ users: [kim, { ...lee, disabledUnixMs: ago }] }) };
    case 'GET /v1/users/kim':
      return { body: userReply.parse({ user: kim }) };
    case 'GET /v1/users/lee':
      return { body: userReply.parse({ user: lee }) };
    case 'DELETE /v1/users/lee':
      return { body: removedUserReply.parse({ deleted: 'lee', shutOut: true }) };
    case 'DELETE /v1/users/lee?forget=true':
      return { body: removedUserReply.parse({ deleted: 'lee', shutOut: false }) };
    case 'PATCH /v1/users/kim': {
      const { role = kim.role, disabled = false } = changeUserRequest.parse(body);
      return { body: userReply.parse({ user: { ...kim, role, disabledUnixMs: disabled ? ago : null } }) };
    }
    case 'DELETE /v1/users/kim':
      return { body: removedUserReply.parse({ deleted: 'kim', shutOut: false }) };
    case 'POST /v1/api-tokens': {
      const { user, name, role = 'operator' } = createApiTokenRequest.parse(body);
      if (user === 'nobody')
        return { status: 404, body: { error: { code: 'user.notFound', message: 'no such user' } } };
      return { status: 201, body: createApiTokenReply.parse({ apiToken: { ...laptop, user, name, role }, token }) };
    }
    case 'GET /v1/api-tokens?limit=1000':
    case 'GET /v1/api-tokens?user=kim&limit=1000': {
      const rows = [
        laptop,
        { ...laptop, id: 'b', expiresUnixMs: ago },
        { ...laptop, id: 'c', expiresUnixMs: nowUnixMs + 4_200_000 },
        { ...laptop, id: 'd', revokedUnixMs: ago, lastUsedUnixMs: ago },
      ];
      return { body: apiTokenList.parse({ apiTokens: rows }) };
    }
    case 'GET /v1/api-tokens/k3x9q2ab':
      return { body: { apiToken: laptop } };
    case 'DELETE /v1/api-tokens/k3x9q2ab':
      return { body: goneReply.parse({ deleted: 'k3x9q2ab' }) };
    case 'GET /v1/whoami':
      return {
        body: whoamiReply.parse({
          user: 'kim',
          role: 'viewer',
          origin: 'oidc',
          issuer: 'https://login.example',
          apiToken: laptop,
        }),
      };
    case 'GET /v1/audit?last=2': {
      const row = {
        id: 7,
        atUnixMs: ago,
        actor: 'kim',
        tokenId: 'k3x9q2ab',
        source: '127.0.0.1',
        action: 'peer.create',
      };
      const rest = { subject: 'edge phone', outcome: 'done', reason: null, hash };
      const other = { ...row, ...rest, id: 6, actor: 'join', tokenId: null, outcome: 'refused', reason: 'expired' };
      return { body: auditList.parse({ audit: [{ ...row, ...rest }, other] }) };
    }
    case 'GET /v1/audit/verify':
      return { body: auditVerifyReply.parse({ intact: true, rows: 7, head: { id: 7, hash }, broken: null }) };
    case `GET /v1/audit/verify?id=5&hash=${hash}`: {
      const broken = { id: 5, reason: 'it had another hash' };
      return { body: auditVerifyReply.parse({ intact: false, rows: 4, head: { id: 7, hash }, broken }) };
    }
    default:
      return { status: 404, body: { error: { code: 'request.notFound', message: `there is no ${url}` } } };
  }
}

async function run(...args: readonly string[]) {
  await using server = await serve(controller);
  const result = await vrouterctl(args, { VROUTER_CONTROLLER: server.at });
  return { ...result, seen: server.seen };
}

const said: readonly (readonly [command: string, out: RegExp, body?: unknown])[] = [
  ['user create kim', /^made kim, viewer; give it a token: vrouterctl api-token create kim NAME\n$/, { name: 'kim' }],
  ['user create kim --role admin', /^made kim, admin/, { name: 'kim', role: 'admin' }],
  [
    'user list',
    /kim +operator +local +2 +enabled +\d min ago\nlee +operator +oidc +2 +disabled \d min ago +\d min ago\n$/,
  ],
  ['user show lee', /from: +https:\/\/login\.example\nsubject: +s-1\n/],
  ['user delete lee', /^lee is out and cannot log in/],
  ['user delete lee --forget', /^deleted lee\n$/],
  ['user show kim', /role: +operator\nfrom: +local\nstate: +enabled\ngood tokens: +2\n/],
  ['user change kim --role viewer', /role: +viewer/, { role: 'viewer' }],
  ['user change kim --disable', /state: +disabled \d min ago/, { disabled: true }],
  ['user change kim --enable --role admin', /state: +enabled/, { role: 'admin', disabled: false }],
  ['user delete kim', /^deleted kim\n$/],
  [
    'api-token create kim laptop',
    /^made laptop of kim, operator, id k3x9q2ab; the token, shown this once:\nvra_k3x9q2ab_s{43}\n$/,
    { user: 'kim', name: 'laptop' },
  ],
  [
    'api-token create kim ci --role viewer --ttl 3600',
    /^made ci of kim, viewer/,
    { user: 'kim', name: 'ci', role: 'viewer', ttlSeconds: 3600 },
  ],
  [
    'api-token list --user kim',
    /k3x9q2ab +kim +local +laptop +operator +good +never\nb .* ended \d min ago +never\nc .* ends in (?:70|69|68) min +never\nd .* revoked \d min ago +\d min ago\n$/,
  ],
  ['api-token list', /k3x9q2ab/],
  ['api-token show k3x9q2ab', /token: +k3x9q2ab, laptop\nuser: +kim\n[\s\S]*last used: +never/],
  ['api-token revoke k3x9q2ab', /^revoked k3x9q2ab\n$/],
  ['whoami', /^kim, viewer, from https:\/\/login\.example\n\ntoken: +k3x9q2ab, laptop\n/],
  [
    'audit list --last 2',
    /7 +\d min ago +kim \(k3x9q2ab\) +127\.0\.0\.1 +peer\.create +edge phone +done +-\n +6 .* join .* refused +expired\n$/,
  ],
  ['audit verify', /^all 7 rows are as they were written, up to 7:(?:ab){32}\n$/],
];

for (const [command, text, body] of said)
  test(command, async () => {
    const { status, out, err, seen } = await run(...command.split(' '));
    assert.deepEqual([status, err], [0, '']);
    assert.match(out, text);
    if (body !== undefined) assert.deepEqual(seen.at(-1)?.body, body);
  });

for (const [command, status, err] of [
  ['user change kim', 2, /nothing to change.*\(usage\)/],
  ['user change kim --enable --disable', 2, /one of --disable and --enable \(usage\)/],
  ['user create kim --role root', 2, /Allowed choices are viewer, operator, admin.*\(usage\)/],
  ['api-token create kim', 2, /missing required argument 'name'/],
  ['api-token create kim x --ttl 1', 2, /from 60 to/],
  ['api-token create nobody x', 1, /\(user\.notFound\)/],
  ['audit verify --noted 5', 2, /looks like.*\(usage\)/],
  [`audit verify --noted 5:${hash}`, 1, /row 5: it had another hash; 4 rows before it are good \(audit\.broken\)/],
  [
    'whoami --token-file nowhere/token',
    2,
    /cannot read the token in nowhere\/token: ENOENT.*\(config\.invalid\), in --token-file/,
  ],
] as const)
  test(`refused with ${status}: vrouterctl ${command}`, async () => {
    const result = await run(...command.split(' '));
    assert.deepEqual([result.status, result.out], [status, '']);
    assert.match(result.err, err);
  });

test('a broken audit with --json: the data, the failure and 1', async () => {
  const { status, out, err } = await run('audit', 'verify', '--noted', `5:${hash}`, '--json');
  assert.equal(status, 1);
  assert.equal((JSON.parse(out) as { broken: { id: number } }).broken.id, 5);
  assert.equal((JSON.parse(err) as { error: { code: string } }).error.code, 'audit.broken');
});

test('api-token create --out writes the token for its owner alone, and shows it nowhere', async () => {
  const path = join(folder, 'kim.token');
  const { status, out } = await run('api-token', 'create', 'kim', 'laptop', '--out', path, '--json');
  assert.equal(status, 0);
  assert.equal(readFileSync(path, 'utf8'), `${token}\n`);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(JSON.parse(out), { apiToken: laptop });
  const again = await run('api-token', 'create', 'kim', 'laptop', '--out', path);
  assert.deepEqual([again.status, again.seen.length], [1, 0]);
  const none = join(folder, 'nobody.token');
  await run('api-token', 'create', 'nobody', 'x', '--out', none);
  assert.throws(() => statSync(none), /ENOENT/);
});

/** A server that says whose token it was shown. */
async function shown(args: readonly string[], env: { readonly [name: string]: string }) {
  const heard: (string | undefined)[] = [];
  await using server = await serve((_seen, response) => {
    heard.push(response.req.headers.authorization);
    return { status: 401, body: { error: { code: 'request.unauthenticated', message: 'no' } } };
  });
  const { status, err } = await vrouterctl(['whoami', ...args], { VROUTER_CONTROLLER: server.at, ...env });
  assert.equal(status, 1);
  return { authorization: heard[0], err };
}

test('the token of the file goes before that of the environment; which one it was is said, the token is not', async () => {
  const path = join(folder, 'file.token');
  writeFileSync(path, `\n${token}\n`);
  const other = `vra_23456789_${'e'.repeat(43)}`;
  const file = await shown(['--token-file', path], { VROUTER_TOKEN: other });
  assert.equal(file.authorization, `Bearer ${token}`);
  assert.match(file.err, /does not take the API token from \S+file\.token;.*\(request\.unauthenticated\)/);
  assert.ok(!file.err.includes('sss'));
  const variable = await shown([], { VROUTER_TOKEN: other });
  assert.equal(variable.authorization, `Bearer ${other}`);
  assert.match(variable.err, /from VROUTER_TOKEN/);
  const none = await shown([], { VROUTER_TOKEN: '' });
  assert.equal(none.authorization, undefined);
  assert.match(none.err, /wants an API token; log in with vrouterctl login, or name one with --token-file/);
});

test('what is no token is not sent and not shown', () => {
  const path = join(folder, 'key.pem');
  writeFileSync(path, 'SECRET KEY');
  const url = new URL('http://127.0.0.1:8080');
  const isNone = (thrown: unknown): boolean =>
    thrown instanceof Failure && thrown.code === 'config.invalid' && !thrown.message.includes('SECRET');
  assert.throws(() => findToken({ file: path, text: undefined, sessions: null, folders: [] }, url), isNone);
  assert.throws(() => findToken({ file: undefined, text: 'SECRET', sessions: null, folders: [] }, url), isNone);
});

test('a token that was found goes to the controller that wrote it, and to no other', () => {
  const [here, clone] = ['here', 'clone'].map((name) => join(folder, name));
  const folders = defaultFolders(here!, clone!);
  assert.deepEqual(folders, [
    join(here!, '.vrouter/controller'),
    join(clone!, '.vrouter/controller'),
    '/var/lib/vrouter-controller',
  ]);
  const ours = folders.slice(0, 2);
  const find = (url: string) =>
    findToken({ file: undefined, text: undefined, sessions: null, folders: ours }, new URL(url));
  assert.equal(find('http://127.0.0.1:8080'), null);
  for (const [i, data] of ours.entries()) {
    mkdirSync(data, { recursive: true });
    writeFileSync(join(data, 'admin-token'), `vra_2345678${i + 2}_${'t'.repeat(43)}\n`);
  }
  assert.equal(find('http://127.0.0.1:8080'), null, 'no controller runs there');
  for (const [i, data] of ours.entries())
    writeFileSync(join(data, 'controller.json'), JSON.stringify({ restPort: 8080 + i }));
  for (const [url, from] of [
    ['http://127.0.0.1:8080', 0],
    ['http://localhost:8080/net', 0],
    ['http://[::1]:8080', 0],
    ['http://127.0.0.1:8081', 1],
    ['http://127.0.0.1:8082', null],
    ['http://192.0.2.1:8080', null],
    ['http://evil.example:8080', null],
    ['http://localhost.evil.example:8080', null],
    ['https://127.0.0.1:8080', null],
    ['http://127.0.0.1', null],
  ] as const)
    assert.equal(find(url)?.from ?? null, from === null ? null : join(ours[from]!, 'admin-token'), url);
  writeFileSync(join(ours[0]!, 'controller.json'), '{');
  assert.equal(find('http://127.0.0.1:8080'), null);
  writeFileSync(join(ours[1]!, 'admin-token'), 'moved');
  assert.equal(find('http://127.0.0.1:8081'), null);
});
