/** The step-ca provider against a real one: the contract of all providers, then its bad days. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmodSync, cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ProblemCode } from '@vrouter/core/codes.ts';
import { toProblem } from '@vrouter/core/problem.ts';
import { assertLeadsToRoot, gatewayRequest, providerContract } from '../../programs/controller/ca/contract.testing.ts';
import { StepClient } from '../../programs/controller/ca/step/client.ts';
import { openJwe, parseJwe } from '../../programs/controller/ca/step/jwe.ts';
import { loadProvisioner } from '../../programs/controller/ca/step/provisioner.ts';
import { StepCa, type StepCaOptions } from '../../programs/controller/ca/step/step-ca.ts';
import { oneTimeToken } from '../../programs/controller/ca/step/token.ts';
import { needs } from '../world/needs.ts';
import { PASSWORD, PROVISIONER, StepLab } from './lab.ts';

const skip = needs('step-ca');
const folder = mkdtempSync(join(tmpdir(), 'vr-step-provider-'));
const HOUR_MS = 3_600_000;
let lab: StepLab;
let shared: StepCa;

before(async () => {
  if (skip !== false) return;
  lab = await StepLab.start();
  shared = await open('shared');
});

after(async () => {
  shared?.close();
  await lab?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

function options(changes: Partial<StepCaOptions['provisioner']> = {}, fingerprint = lab.fingerprint): StepCaOptions {
  const provisioner = { name: PROVISIONER, keyFile: null, passwordFile: lab.passwordFile, ...changes };
  return { url: lab.url, fingerprint, provisioner };
}

const open = (name: string, how = options(), unixMs: () => number = Date.now) =>
  StepCa.open(join(folder, name), how, unixMs);
const issue = async (provider: StepCa) => provider.issue('gw-1', (await gatewayRequest()).read);
const roots = () => shared.roots();

async function refused(work: Promise<unknown>, code: ProblemCode, text: RegExp): Promise<void> {
  await assert.rejects(work, (thrown: unknown) => {
    const why = toProblem(thrown);
    assert.equal(why.code, code, why.message);
    assert.match(why.message, text);
    return true;
  });
}

providerContract('step-ca', async () => shared, skip);

test('what it keeps is for its owner alone', { skip }, async () => {
  await shared.server(['127.0.0.1'], null, 0);
  const names = readdirSync(join(folder, 'shared'));
  assert.deepEqual(names.sort(), ['issuers.pem', 'roots.pem', 'server.pem']);
  for (const name of names) assert.equal(statSync(join(folder, 'shared', name)).mode & 0o777, 0o600, name);
});

test("the listener's certificate is renewed for the same key, and for a new one when the old one is gone", {
  skip,
}, async () => {
  const first = await shared.server(['127.0.0.1', 'localhost'], null, 0);
  const renewed = await shared.server(['127.0.0.1', 'localhost'], first, 0);
  assert.equal(renewed.key, first.key);
  assert.notEqual(renewed.cert, first.cert);
  const other = await shared.server(['127.0.0.1', 'other.example'], renewed, 0);
  assert.notEqual(other.key, first.key, 'other names are no renewal');
  assert.equal(new X509Certificate(other.cert).checkHost('other.example'), 'other.example');
});

test('a key file in the clear, one that is open to others, one that is none', { skip }, async () => {
  const client = new StepClient(lab.url, roots(), Date.now);
  const sealed = parseJwe(await client.encryptedKey(PROVISIONER));
  assert.ok(sealed.ok);
  const opened = await openJwe(sealed.value, PASSWORD);
  assert.ok(opened.ok);
  assert.equal((await openJwe(sealed.value, `${PASSWORD}!`)).ok, false);
  const keyFile = join(folder, 'provisioner.jwk');
  writeFileSync(keyFile, opened.value, { mode: 0o600 });
  const provider = await open('clear', options({ keyFile, passwordFile: null }));
  assertLeadsToRoot(await issue(provider), provider.rootPem);
  provider.close();
  // The same, encrypted, in a file.
  writeFileSync(keyFile, await client.encryptedKey(PROVISIONER), { mode: 0o600 });
  (await open('sealed', options({ keyFile }))).close();
  chmodSync(keyFile, 0o640);
  await refused(open('others', options({ keyFile })), 'config.invalid', /open to other users/);
  const none = join(folder, 'none.jwk');
  writeFileSync(none, '{"kty":"EC","crv":"P-256","d":"AA"}', { mode: 0o600 });
  await refused(open('none', options({ keyFile: none })), 'config.invalid', /private JWK/);
  client.close();
});

test('a wrong password, provisioner or fingerprint is told at once', { skip }, async () => {
  const passwordFile = join(folder, 'wrong');
  writeFileSync(passwordFile, 'incorrect horse', { mode: 0o600 });
  await refused(open('password', options({ passwordFile })), 'config.invalid', /has not the password/);
  await refused(
    open('provisioner', options({ name: 'nobody' })),
    'config.invalid',
    /no JWK provisioner of the name "nobody"/,
  );
  await refused(open('fingerprint', options({}, 'ab'.repeat(32))), 'ca.refused', /404/);
});

test('a token is good once, and for the one request that it names', { skip }, async () => {
  const client = new StepClient(lab.url, roots(), Date.now);
  const key = await loadProvisioner(options().provisioner, client);
  const made = await gatewayRequest();
  const requestDer = new Uint8Array(Buffer.from(made.csr.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64'));
  const claims = { audience: client.audience('sign'), subject: 'gw', sans: ['gw'], issuedUnixMs: Date.now() };
  const token = oneTimeToken(key, { ...claims, requestDer });
  const payload = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as {
    cnf: Record<string, string>;
  };
  assert.match(payload.cnf['x5rt#S256']!, /^[\w-]{43}$/);
  assert.equal((await client.sign(made.read.pem, token, '8h')).length, 2);
  await refused(client.sign(made.read.pem, token, '8h'), 'ca.refused', /401/);
  // A token for another call does not sign, nor does one of the day before.
  for (const wrong of [{ audience: client.audience('revoke') }, { issuedUnixMs: Date.now() - 24 * HOUR_MS }]) {
    const other = oneTimeToken(key, { ...claims, ...wrong, requestDer });
    await refused(client.sign(made.read.pem, other, '8h'), 'ca.refused', /401/);
  }
  client.close();
});

test('a request that names itself after the controller is not passed on: it would be a certificate for a server', {
  skip,
}, async () => {
  const { read } = await gatewayRequest('router.example');
  await refused(shared.issue('gw-1', read), 'input.invalid', /names itself otherwise/);
});

test('revoked at the CA: it does not renew that certificate', { skip }, async () => {
  const client = new StepClient(lab.url, roots(), Date.now);
  const made = await gatewayRequest();
  const issued = await shared.issue('gw-1', made.read);
  const identity = { key: made.key, cert: issued.chain.join('') };
  assert.equal((await client.renew(identity)).length, 2, 'before');
  await shared.revoke(issued.serial);
  await refused(client.renew(identity), 'ca.refused', /401/);
  client.close();
});

for (const [name, offMs, text] of [
  ['behind', -10 * 60_000, /clock is \d+ s ahead of ours/],
  ['ahead', 10 * 60_000, /clock is \d+ s behind ours/],
] as const)
  test(`our clock is ${name} the CA's: it refuses, and the sentence names the clocks`, { skip }, async () => {
    const provider = await open(`clock-${name}`, options(), () => Date.now() + offMs);
    await refused(issue(provider), 'ca.refused', text);
    assert.equal(provider.health().state, 'failing');
    provider.close();
  });

test('a CA that has just been started does not take tokens of before; another one is made', { skip }, async () => {
  await lab.restart();
  // Half a minute ago it was not there, and that is how old our tokens claim to be.
  assertLeadsToRoot(await issue(shared), shared.rootPem);
  assert.equal(shared.health().state, 'working');
  assert.match(lab.log, /issued before the bootstrap/);
});

test("the provisioner's key is replaced: it is read anew", { skip }, async () => {
  lab.newProvisionerKey();
  await lab.restart();
  assertLeadsToRoot(await issue(shared), shared.rootPem);
});

test('a provisioner that allows less than eight hours is told, and what it says is repeated', { skip }, async () => {
  lab.newProvisionerKey({ maxTLSCertDuration: '2h', defaultTLSCertDuration: '1h' });
  await lab.restart();
  try {
    await refused(issue(shared), 'ca.refused', /8h|duration/);
  } finally {
    lab.newProvisionerKey();
    await lab.restart();
  }
});

test('the CA is away: it is told since when; a restart goes on with the certificate of the listener that there is', {
  skip,
}, async () => {
  const hosts = ['127.0.0.1', 'localhost'];
  const kept = await shared.server(hosts, null, 0);
  cpSync(join(folder, 'shared'), join(folder, 'away'), { recursive: true });
  await lab.down();
  try {
    await refused(issue(shared), 'ca.unreachable', /ECONNREFUSED/);
    const health = shared.health();
    assert.ok(health.state === 'failing' && Date.now() - health.sinceUnixMs < 5000);
    await refused(shared.server(hosts, kept, 0), 'ca.unreachable', /ECONNREFUSED/);
    await refused(open('new'), 'ca.unreachable', /ECONNREFUSED/);
    // A day later the listener's certificate has ended; it is still better than none.
    for (const laterMs of [0, 48 * HOUR_MS]) {
      const again = await open('away', options(), () => Date.now() + laterMs);
      assert.equal((await again.server(hosts, null, 0)).cert, kept.cert);
      assert.equal(again.health().state, 'failing');
      assert.ok(again.issuers().length > 0, 'gateways are known as before');
      again.close();
    }
  } finally {
    await lab.up();
  }
  await shared.check();
  assert.equal(shared.health().state, 'working');
  assertLeadsToRoot(await issue(shared), shared.rootPem);
});

test('the root is replaced in two steps: both are handed on before the new one vouches for anything', {
  skip,
}, async () => {
  assert.equal(shared.roots().length, 1);
  const before = await issue(shared);
  await lab.addRoot();
  await lab.restart();
  await issue(shared);
  assert.equal(shared.roots().length, 2);
  assert.equal(shared.roots()[0], shared.rootPem, 'the one of the join strings stays the first');
  await lab.useRoot(1);
  await lab.restart();
  const later = await issue(shared);
  assertLeadsToRoot(later, shared.roots()[1]!);
  const believed = shared.issuers().map(({ pem }) => pem);
  for (const { chain } of [before, later]) assert.ok(believed.includes(chain[1]!));
  const again = await open('shared');
  assert.deepEqual([again.roots(), again.issuers()], [shared.roots(), shared.issuers()]);
  assertLeadsToRoot(await issue(again), again.roots()[1]!);
  again.close();
});
