/** The certificate of REST in its files: what is taken, what is refused, and what is said of its end. */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { SecureContextOptions } from 'node:tls';
import { ProblemError } from '@vrouter/core/problem.ts';
import { putFile, testAuthority } from '../testing/certificates.ts';
import { RestCertificate } from './certificate.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-rest-certificate-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const DAY_MS = 24 * 3_600_000;
const authority = await testAuthority();
let files = 0;

async function open(lifetimeMs = 90 * DAY_MS) {
  const at = { certificate: join(folder, `${files}.pem`), key: join(folder, `${files++}.key`) };
  const made = await authority.make(['localhost', '127.0.0.1'], lifetimeMs);
  putFile(at.certificate, made.cert, 0o644);
  putFile(at.key, made.key);
  const told: string[] = [];
  const tell = (level: string) => (_fields: unknown, text: string) => void told.push(`${level}: ${text}`);
  const log = { info: tell('info'), warn: tell('warn'), error: tell('error') };
  const clock = { unixMs: Date.now() };
  const one = RestCertificate.ofFiles(
    at,
    () => clock.unixMs,
    log as unknown as Parameters<typeof RestCertificate.of>[2],
  );
  const used: SecureContextOptions[] = [];
  one.serve((options) => used.push(options));
  return { at, made, told, clock, one, used };
}

test('what is in the files is shown, TLS 1.2 at least, for the names that it has', async () => {
  const { one, made } = await open();
  assert.deepEqual(one.options, { cert: made.cert, key: made.key, minVersion: 'TLSv1.2' });
  const names = ['localhost', '127.0.0.1', '127.0.0.2', 'evil.example'].map((name) => one.isFor(name));
  assert.deepEqual(names, [true, true, false, false]);
  assert.equal(one.expiresUnixMs, Date.parse(new X509Certificate(made.cert).validTo));
});

test('new files are taken, once both are there', async () => {
  const { one, at, told, used } = await open();
  one.look();
  assert.equal(used.length, 0, 'nothing has changed');
  const next = await authority.make(['localhost']);
  putFile(at.certificate, next.cert);
  one.look();
  assert.deepEqual([used.length, told, one.failing], [0, [], false], 'half of it may be on its way');
  putFile(at.key, next.key);
  one.look();
  assert.deepEqual(
    used.map(({ cert }) => cert),
    [next.cert],
  );
  assert.deepEqual(told, ['info: REST shows a new certificate']);
});

test('what cannot be used changes nothing, and is told of once', async () => {
  const { one, at, told, used, made } = await open();
  const other = await authority.make(['localhost']);
  for (const [spoil, why] of [
    [() => putFile(at.certificate, 'nonsense'), /there is no certificate \(PEM\) in/],
    [() => putFile(at.certificate, other.cert), /is not that of the first certificate/],
    [() => rmSync(at.certificate), /cannot be read: ENOENT/],
    [() => putFile(at.key, 'nonsense'), /there is no private key/],
    [() => putFile(at.key, made.key, 0o644), /is open to other users/],
  ] as const) {
    told.length = 0;
    spoil();
    for (let i = 0; i < 4; i++) one.look();
    assert.equal(told.length, 1, String(told));
    assert.match(told[0]!, why);
    assert.match(told[0]!, /^error: REST keeps its certificate: /);
    assert.deepEqual([one.failing, used.length, one.options.cert], [true, 0, made.cert]);
    putFile(at.certificate, made.cert);
    putFile(at.key, made.key);
    one.look();
    assert.deepEqual([one.failing, used.length], [false, 1]);
    used.length = 0;
  }
});

test('one that has ended does not replace one that is good; when told to look, it is said at once', async () => {
  const { one, at, told, used } = await open();
  const ended = await authority.make(['localhost'], DAY_MS, Date.now() - 2 * DAY_MS);
  putFile(at.certificate, ended.cert);
  putFile(at.key, ended.key);
  one.look(true);
  assert.equal(used.length, 0);
  assert.match(told[0] ?? '', /the certificate has ended/);
  one.look(true);
  assert.equal(told.length, 2, 'whoever asks again is told again');
});

test('its end is told of from two weeks before, or from the last third, once a day', async () => {
  const { one, told, clock } = await open();
  clock.unixMs += 75 * DAY_MS;
  one.look();
  assert.deepEqual(told, []);
  clock.unixMs += 1.5 * DAY_MS;
  for (let i = 0; i < 3; i++) one.look();
  assert.deepEqual(told, ['warn: the certificate of REST ends soon']);
  clock.unixMs += DAY_MS;
  one.look();
  assert.equal(told.length, 2);
  clock.unixMs += 14 * DAY_MS;
  one.look();
  assert.match(told[2]!, /^error: the certificate of REST has ended/);
  const short = await open(DAY_MS);
  short.one.look();
  assert.deepEqual(short.told, [], 'a day is not too little where it is all there is');
  short.clock.unixMs += 0.8 * DAY_MS;
  short.one.look();
  assert.equal(short.told.length, 1);
});

test('what cannot be used is refused at the start, and nothing of a key is in the sentence', async () => {
  const { at, made } = await open();
  const other = await authority.make(['localhost']);
  const log = { info() {}, warn() {}, error() {} } as unknown as Parameters<typeof RestCertificate.of>[2];
  const sealed = createPrivateKey(made.key).export({
    format: 'pem',
    type: 'pkcs8',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  });
  const wrong: readonly (readonly [key: string, mode: number, cert: string, field: string])[] = [
    [made.key, 0o640, made.cert, '--rest-key'],
    [other.key, 0o600, made.cert, '--rest-key'],
    [String(sealed), 0o600, made.cert, '--rest-key'],
    ['', 0o600, made.cert, '--rest-key'],
    [made.key, 0o600, made.key, '--rest-certificate'],
    [made.key, 0o600, '', '--rest-certificate'],
    [made.key, 0o600, `${made.cert}${'x'.repeat(1 << 20)}`, '--rest-certificate'],
  ];
  for (const [key, mode, cert, field] of wrong) {
    writeFileSync(at.key, key);
    chmodSync(at.key, mode);
    writeFileSync(at.certificate, cert);
    assert.throws(
      () => RestCertificate.ofFiles(at, Date.now, log),
      (thrown) => {
        assert.ok(thrown instanceof ProblemError, String(thrown));
        assert.deepEqual([thrown.problem.code, thrown.problem.field], ['config.invalid', field], thrown.message);
        return !thrown.message.includes('PRIVATE');
      },
    );
  }
});
