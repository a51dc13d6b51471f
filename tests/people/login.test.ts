/** `vrouterctl login`, from the first word to the last: real processes, a real provider, a browser that fills in its forms. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Browser } from '../../programs/controller/testing/browser.ts';
import { SECRET, SECRET_CLIENT, TestProvider } from '../../programs/controller/testing/oidc.testing.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';
import { Desk, oidcOptions, startController } from './lab.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-people-'));
const provider = await TestProvider.start();
provider.people.set('s-kim', { groups: ['net-admins', 'everyone'], preferred_username: 'kim' });
provider.people.set('s-lee', { groups: ['everyone'], preferred_username: 'lee@example.org' });
provider.people.set('s-max', { groups: ['chess'], preferred_username: 'max' });
const controller = await startController(join(folder, 'data'), provider);
const homes: Desk[] = [];
after(async () => {
  await controller.end('SIGTERM');
  await provider[Symbol.asyncDispose]();
  for (const { home } of homes) rmSync(home, { recursive: true });
  rmSync(folder, { recursive: true });
});

function desk(at = controller): Desk {
  const made = new Desk(at.rest);
  homes.push(made);
  return made;
}

test('login, whoami, what an administrator may, logout', async () => {
  const kim = desk();
  const { status, out, err } = await kim.logInAs('s-kim');
  assert.deepEqual([status, out], [0, 'logged in as kim, admin, for 12 h\n'], err);
  assert.ok(!err.includes('vra_') && !out.includes('vra_'));
  const sessions = join(kim.home, '.local/state/vrouter/sessions');
  const [file] = readdirSync(sessions);
  assert.equal(statSync(join(sessions, file!)).mode & 0o777, 0o600);

  const who = await kim.run('whoami');
  assert.match(who.out, new RegExp(`^kim, admin, from ${provider.issuer}\n`));
  assert.match((await kim.run('user', 'list')).out, /^kim +admin +oidc +1 /m);
  assert.match((await kim.run('api-token', 'list', '--user', 'kim')).out, / kim +oidc +login +admin +ends in 12 h/);
  assert.equal((await kim.run('vrouter', 'create', 'edge')).status, 0);
  const audit = (await kim.run('audit', 'list')).out;
  assert.match(audit, /oidc\/kim \(\w{8}\) +127\.0\.0\.1 +vrouter\.create +edge +done/);
  assert.match(audit, new RegExp(`login +admin ${provider.issuer} s-kim +done`));
  assert.match((await kim.run('audit', 'verify')).out, /as they were written/);

  const token = JSON.parse(readFileSync(join(sessions, file!), 'utf8')).token as string;
  assert.deepEqual((await kim.run('logout')).out, 'logged out\n');
  assert.deepEqual(readdirSync(sessions), []);
  assert.equal((await controller.call('GET', '/v1/whoami', undefined, token)).status, 401);
  const gone = await kim.run('logout');
  assert.match(gone.err, /nobody has logged in.*\(login\.noSession\)/);
  assert.match((await kim.run('whoami')).err, /wants an API token; log in with vrouterctl login/);
});

test('a viewer reads and does no more; --json and --out show no token', async () => {
  const lee = desk();
  const path = join(lee.home, 'lee.token');
  const { status, out } = await lee.logInAs('s-lee', '--json', '--out', path);
  assert.equal(status, 0);
  const { user, role } = JSON.parse(out) as { user: string; role: string };
  assert.deepEqual([user, role], ['lee@example.org', 'viewer']);
  assert.ok(!out.includes(readFileSync(path, 'utf8').trim().slice(13)));
  assert.ok(!existsSync(join(lee.home, '.local')), 'no session is kept');
  const refused = await lee.run('--token-file', path, 'vrouter', 'create', 'other');
  assert.match(refused.err, /request\.roleNeeded/);
  assert.match((await lee.run('--token-file', path, 'user', 'show', 'lee@example.org')).out, /subject: +s-lee/);
  assert.equal((await lee.run('--token-file', path, 'logout')).out, 'logged out\n');
  assert.match((await lee.run('--token-file', path, 'whoami')).err, /does not take the API token/);
});

test('who has no group that counts, or changes its mind, is not logged in', async () => {
  const max = desk();
  const refused = await max.logInAs('s-max');
  assert.equal(refused.status, 1);
  assert.match(refused.err, /none of your groups .*chess \(login\.noRole\)/);
  const abandoned = await max.logIn(['--no-browser'], async (url) => {
    const browser = new Browser();
    const page = await browser.open(url);
    await browser.open(new URL(/href="([^"]*abort)"/.exec(page.html)![1]!, page.url).href);
  });
  assert.match(abandoned.err, /says: End-User aborted interaction \(login\.refused\)/);
  assert.ok(!existsSync(join(max.home, '.local')));
});

test('on another machine, by a code', async () => {
  const kim = desk();
  const { status, out, err } = await kim.logIn(['--device'], async (url, said) => {
    const code = /type in this code: (\S+)/.exec(said)![1]!;
    assert.match(url, /\/device$/);
    await new Browser().approveDevice(`${url}?user_code=${code}`, 's-kim');
  });
  assert.deepEqual([status, out], [0, 'logged in as kim, admin, for 12 h\n'], err);
  assert.match((await kim.run('whoami')).out, /^kim, admin/);
});

test('what is not the answer of the provider is not taken for it', async () => {
  const kim = desk();
  const { status, out } = await kim.logIn(['--no-browser'], async (url) => {
    const redirect = new URL(url).searchParams.get('redirect_uri')!;
    for (const [query, expected] of [
      ['', 400],
      ['?code=x', 400],
      ['?code=x&state=y', 400],
      ['?error=access_denied&state=y', 400],
    ] as const) {
      const answer = await fetch(redirect + query);
      assert.equal(answer.status, expected, query);
      assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    }
    assert.equal((await fetch(new URL('/', redirect))).status, 404);
    assert.equal((await fetch(redirect, { method: 'POST' })).status, 404);
    const back = await new Browser().logIn(url, 's-kim');
    assert.match(back.html, /Back to the terminal/);
  });
  assert.deepEqual([status, out], [0, 'logged in as kim, admin, for 12 h\n']);
});

test('who is disabled is out with the next command, and in again when enabled and logged in anew', async () => {
  const lee = desk();
  assert.equal((await lee.logInAs('s-lee')).status, 0);
  assert.equal((await lee.run('whoami')).status, 0);
  const patch = (disabled: boolean) => controller.call('PATCH', '/v1/users/lee@example.org', { disabled });
  await patch(true);
  assert.match((await lee.run('whoami')).err, /does not take the login of lee@example\.org any more; log in again/);
  assert.match((await lee.logInAs('s-lee')).err, /\(login\.disabled\)/);
  assert.equal((await lee.run('logout')).out, 'the session had ended already\n');
  await patch(false);
  assert.equal((await lee.logInAs('s-lee')).status, 0);
});

test('a provider that is away keeps nobody out who has a token, and no controller from starting', async () => {
  const data = join(folder, 'away');
  const away = await TestProvider.start();
  away.people.set('s-kim', { groups: ['everyone'], preferred_username: 'kim' });
  await away.down();
  const other = await startController(data, away);
  try {
    assert.equal((await other.call('GET', '/v1/whoami')).status, 200);
    const kim = desk(other);
    const refused = await kim.run('login', '--no-browser');
    assert.equal(refused.status, 1);
    assert.match(refused.err, /cannot ask the provider at \S+: ECONNREFUSED \(login\.unavailable\)/);
    const nonce = ((await other.call('GET', '/v1/login', undefined, null)).json as { oidc: { nonce: string } }).oidc
      .nonce;
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: away.issuer,
      aud: 'vrouter',
      sub: 's-kim',
      nonce,
      iat: now,
      exp: now + 60,
      groups: 'everyone',
    };
    const idToken = await away.sign(claims);
    const answer = await other.call('POST', '/v1/login', { idToken }, null);
    assert.equal(answer.status, 503);
    assert.match(JSON.stringify(answer.json), /login\.unavailable/);
    await away.up();
    // A provider that did not answer is left in peace for two seconds.
    await delay(2100);
    assert.equal((await kim.logInAs('s-kim')).out, 'logged in as kim, viewer, for 12 h\n');
  } finally {
    await other.end('SIGTERM');
    await away[Symbol.asyncDispose]();
  }
});

test('a client with a secret: the controller has it, and nobody else', async () => {
  const data = join(folder, 'secret');
  const file = join(folder, 'client-secret');
  writeFileSync(file, `${SECRET}\n`, { mode: 0o600 });
  const more = [
    ...oidcOptions(provider.issuer, SECRET_CLIENT),
    '--oidc-client-secret-file',
    file,
    '--oidc-session',
    '1',
  ];
  const other = await ControllerProcess.start(data, [0, 0], more);
  try {
    const kim = desk(other);
    assert.equal((await kim.logInAs('s-kim')).out, 'logged in as kim, admin, for 60 min\n');
    const lee = desk(other);
    const byCode = await lee.logIn(['--device'], (url, said) => {
      const code = /type in this code: (\S+)/.exec(said)![1]!;
      return new Browser().approveDevice(`${url}?user_code=${code}`, 's-lee');
    });
    assert.equal(byCode.out, 'logged in as lee@example.org, viewer, for 60 min\n', byCode.err);
    assert.ok(!other.log().includes(SECRET));
  } finally {
    await other.end('SIGTERM');
  }
});

test('a controller without a provider says so', async () => {
  const other = await ControllerProcess.start(join(folder, 'none'));
  try {
    assert.match((await desk(other).run('login')).err, /nobody logs in at this controller.*\(login\.notOffered\)/);
    assert.equal((await other.call('POST', '/v1/login', { idToken: 'x' }, null)).status, 404);
    assert.equal((await other.call('DELETE', '/v1/login')).status, 404);
  } finally {
    await other.end('SIGTERM');
  }
});
