import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { makeRequest } from '../testing/gateway.ts';
import { Authority } from './authority.ts';
import { readRequest } from './request.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-ca-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const HOUR_MS = 3_600_000;
const clock = { unixMs: Date.UTC(2030, 0, 1) };
const now = (): number => clock.unixMs;
const open = (name: string, known: string | null = null) => Authority.open(join(folder, name), known, now);

async function request() {
  const read = await readRequest((await makeRequest()).csr);
  assert.ok(read.ok);
  return read.value;
}

test('the chain holds, from a gateway to the root', async () => {
  const authority = await open('chain');
  const issued = await authority.issue('gw-1', await request());
  const [leaf, intermediate] = issued.chain.map((pem) => new X509Certificate(pem));
  const root = new X509Certificate(authority.rootPem);
  assert.ok(leaf!.checkIssued(intermediate!) && leaf!.verify(intermediate!.publicKey));
  assert.ok(intermediate!.checkIssued(root) && intermediate!.verify(root.publicKey));
  assert.ok(root.verify(root.publicKey));
  assert.deepEqual([root.ca, intermediate!.ca, leaf!.ca], [true, true, false]);
  assert.equal(leaf!.subject, 'CN=gw-1');
  assert.equal(leaf!.subjectAltName, 'URI:vrouter:gateway:gw-1');
  assert.deepEqual(leaf!.keyUsage, ['1.3.6.1.5.5.7.3.2'], 'clientAuth');
  assert.equal(root.fingerprint256.replaceAll(':', '').toLowerCase(), authority.rootFingerprint);
});

test('a gateway certificate lasts eight hours and began five minutes ago', async () => {
  const authority = await open('times');
  const { chain, notBeforeUnixMs, notAfterUnixMs } = await authority.issue('gw', await request());
  assert.equal(notBeforeUnixMs, clock.unixMs - 5 * 60_000);
  assert.equal(notAfterUnixMs, clock.unixMs + 8 * HOUR_MS);
  assert.equal(Date.parse(new X509Certificate(chain[0]!).validTo), notAfterUnixMs);
});

test("the server's certificate names hosts and addresses", async () => {
  const { cert } = await (await open('server')).server(['router.example', '192.0.2.1', '::1'], null, 0);
  const leaf = new X509Certificate(cert);
  assert.equal(leaf.checkHost('router.example'), 'router.example');
  assert.equal(leaf.checkIP('192.0.2.1'), '192.0.2.1');
  assert.equal(leaf.checkIP('::1'), '::1');
  assert.equal(leaf.checkHost('other.example'), undefined);
});

test("a clock that was put back does not make a listener's certificate that had ended long ago by everyone else's", async () => {
  const authority = await open('back');
  const yearMs = 365 * 24 * HOUR_MS;
  const { cert } = await authority.server(['router.example'], null, clock.unixMs + yearMs);
  const leaf = new X509Certificate(cert);
  assert.ok(Date.parse(leaf.validFrom) < clock.unixMs);
  assert.ok(Date.parse(leaf.validTo) > clock.unixMs + yearMs + 29 * 24 * HOUR_MS);
});

test('it is the same authority after a restart, and its keys are private', async () => {
  const first = await open('same');
  const second = await open('same', first.rootFingerprint);
  assert.equal(second.rootFingerprint, first.rootFingerprint);
  assert.deepEqual(second.issuers(), first.issuers());
  for (const name of ['root.pem', 'intermediate.pem'])
    assert.equal(statSync(join(folder, 'same', name)).mode & 0o777, 0o600);
});

test('a root that was lost is not replaced behind the back of the gateways', async () => {
  await assert.rejects(
    () => open('lost', 'ab'.repeat(32)),
    (thrown) => thrown instanceof ProblemError && thrown.problem.code === 'data.corrupt',
  );
});

test('a request must be signed by its own key, and be one', async () => {
  const { csr } = await makeRequest();
  const der = Buffer.from(csr.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64');
  der[der.length - 3]! ^= 1;
  const torn = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
  for (const text of [torn, '', 'hello', csr.slice(0, 200)]) {
    const read = await readRequest(text);
    assert.ok(!read.ok);
    assert.equal(read.error.code, 'input.invalid');
    assert.equal(read.error.field, 'csr');
  }
  assert.ok((await readRequest(csr)).ok);
});
