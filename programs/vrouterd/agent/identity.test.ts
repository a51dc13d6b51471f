import 'reflect-metadata';
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { ProblemError } from '@vrouter/core/problem.ts';
import { Identity } from './identity.ts';
import { makeKeyAndRequest } from './request.ts';

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'vr-identity-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const pem = (label: string, body: string): string => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

test('the WireGuard key is made once, and only its owner can read it', async (t) => {
  const folder = temporaryFolder(t);
  const key = await new Identity(folder).wireguardKey();
  assert.equal(key.length, 32);
  assert.deepEqual(await new Identity(folder).wireguardKey(), key);
  assert.equal(statSync(join(folder, 'keys')).mode & 0o777, 0o700);
  for (const name of readdirSync(join(folder, 'keys')))
    assert.equal(statSync(join(folder, 'keys', name)).mode & 0o777, 0o600, name);
});

test('a damaged key is said to be so, and is not replaced', async (t) => {
  const folder = temporaryFolder(t);
  await new Identity(folder).wireguardKey();
  const path = join(folder, 'keys', 'wireguard.key');
  writeFileSync(path, 'half a k');
  await assert.rejects(new Identity(folder).wireguardKey(), (thrown: unknown) => {
    return thrown instanceof ProblemError && thrown.problem.code === 'data.corrupt';
  });
  assert.equal(readFileSync(path, 'utf8'), 'half a k');
});

test('key and chain come back apart, in order, and the request under way is forgotten', async (t) => {
  const folder = temporaryFolder(t);
  const identity = new Identity(folder);
  assert.equal(identity.credentials(), null);
  const pending = await identity.pending(() => makeKeyAndRequest('gw'));
  // A restart in the middle of joining must repeat the very same request, or the token would be burnt.
  assert.deepEqual(await new Identity(folder).pending(() => assert.fail('there is one')), pending);
  const chain = pem('CERTIFICATE', 'bGVhZg==') + pem('CERTIFICATE', 'Y2E=');
  await identity.save({ key: pending.key, chain, root: pem('CERTIFICATE', 'cm9vdA==') });
  assert.deepEqual(new Identity(folder).credentials(), {
    key: pending.key,
    chain,
    root: pem('CERTIFICATE', 'cm9vdA=='),
  });
  assert.notDeepEqual(await identity.pending(() => makeKeyAndRequest('gw')), pending);
});

test('the request proves possession of its key', async () => {
  const { csr, key } = await makeKeyAndRequest('gw-7');
  const request = new Pkcs10CertificateRequest(csr);
  assert.equal(request.subject, 'CN=gw-7');
  assert.equal(await request.verify(), true);
  assert.match(key, /^-----BEGIN PRIVATE KEY-----\n/);
});
