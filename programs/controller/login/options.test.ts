/** The options of logins: what is read, and what is refused before anything starts. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { readOptions } from '../options.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-login-options-'));
after(() => rmSync(folder, { recursive: true }));
const read = (...more: string[]) => readOptions(['--data', folder, ...more]).login ?? null;
const issuer = ['--oidc-issuer', 'https://login.example/realms/x'];
const client = ['--oidc-client-id', 'vrouter'];
const role = ['--oidc-role', 'admin=net-admins'];

function file(name: string, text: string, mode: number): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode });
  return path;
}

test('nothing said: nobody logs in', () => assert.equal(read(), null));

test('what is said, and what holds otherwise', () => {
  const { provider, rules } = read(...issuer, ...client, ...role)!;
  assert.deepEqual(provider, { issuer: issuer[1], clientId: 'vrouter', clientSecret: null });
  assert.deepEqual(
    { ...rules, roles: [...rules.roles] },
    {
      scopes: ['openid', 'profile', 'email'],
      rolesClaim: 'groups',
      roles: [['net-admins', 'admin']],
      nameClaim: null,
      sessionMs: 12 * 3_600_000,
    },
  );
  const more = read(
    ...issuer,
    ...client,
    ...['--oidc-client-secret-file', file('secret', 'sesame\n', 0o600)],
    ...['--oidc-role', 'viewer=cn=all,ou=groups', '--oidc-role', 'operator=ops', '--oidc-role', 'operator=night shift'],
    ...['--oidc-roles-claim', 'realm_access.roles', '--oidc-name-claim', 'upn', '--oidc-session', '24'],
    ...['--oidc-scope', 'groups', '--oidc-scope', 'profile'],
  )!;
  assert.equal(more.provider.clientSecret, 'sesame');
  assert.deepEqual(
    [...more.rules.roles],
    [
      ['cn=all,ou=groups', 'viewer'],
      ['ops', 'operator'],
      ['night shift', 'operator'],
    ],
  );
  assert.deepEqual(more.rules.scopes, ['openid', 'groups', 'profile']);
  assert.deepEqual([more.rules.nameClaim, more.rules.sessionMs], ['upn', 24 * 3_600_000]);
  for (const url of ['http://127.0.0.1:4000', 'http://[::1]:4000/x', 'http://localhost', 'https://login.example/'])
    assert.equal(read('--oidc-issuer', url, ...client, ...role)?.provider.issuer, url);
});

const wrong: readonly (readonly [what: string, args: readonly string[], field: string, code?: string])[] = [
  ['more of a provider that is not named', client, '--oidc-issuer'],
  ['roles of a provider that is not named', role, '--oidc-issuer'],
  ['no URL', ['--oidc-issuer', 'login.example', ...client, ...role], '--oidc-issuer'],
  ['http beyond the loopback', ['--oidc-issuer', 'http://login.example', ...client, ...role], '--oidc-issuer'],
  ['another scheme', ['--oidc-issuer', 'file:///x', ...client, ...role], '--oidc-issuer'],
  ['a query', ['--oidc-issuer', 'https://login.example?x=1', ...client, ...role], '--oidc-issuer'],
  ['a password', ['--oidc-issuer', 'https://a:b@login.example', ...client, ...role], '--oidc-issuer'],
  [
    'the address of the metadata',
    ['--oidc-issuer', 'https://login.example/.well-known/openid-configuration', ...client, ...role],
    '--oidc-issuer',
  ],
  ['no client', [...issuer, ...role], '--oidc-client-id'],
  ['an empty client', [...issuer, '--oidc-client-id', '', ...role], '--oidc-client-id'],
  ['no role', [...issuer, ...client], '--oidc-role'],
  ['a role that there is not', [...issuer, ...client, '--oidc-role', 'root=x'], '--oidc-role'],
  ['a role of nobody', [...issuer, ...client, '--oidc-role', 'admin='], '--oidc-role'],
  ['two roles of one group', [...issuer, ...client, ...role, '--oidc-role', 'viewer=net-admins'], '--oidc-role'],
  ['two scopes in one', [...issuer, ...client, ...role, '--oidc-scope', 'a b'], '--oidc-scope'],
  ['no claim', [...issuer, ...client, ...role, '--oidc-roles-claim', ''], '--oidc-roles-claim'],
  ['a session of no time', [...issuer, ...client, ...role, '--oidc-session', '0'], '--oidc-session'],
  ['a session of days', [...issuer, ...client, ...role, '--oidc-session', '25'], '--oidc-session'],
  [
    'a secret that others may read',
    [...issuer, ...client, ...role, '--oidc-client-secret-file', file('open', 'sesame', 0o644)],
    '--oidc-client-secret-file',
    'config.invalid',
  ],
  [
    'a secret that is not there',
    [...issuer, ...client, ...role, '--oidc-client-secret-file', join(folder, 'nowhere')],
    '--oidc-client-secret-file',
    'config.invalid',
  ],
  [
    'an empty secret',
    [...issuer, ...client, ...role, '--oidc-client-secret-file', file('empty', '\n', 0o600)],
    '--oidc-client-secret-file',
    'config.invalid',
  ],
];

for (const [what, args, field, code = 'usage'] of wrong)
  test(`refused: ${what}`, () => {
    assert.throws(
      () => read(...args),
      (thrown) => {
        assert.ok(thrown instanceof ProblemError, String(thrown));
        assert.deepEqual([thrown.problem.code, thrown.problem.field], [code, field], thrown.message);
        return !thrown.message.includes('sesame');
      },
    );
  });
