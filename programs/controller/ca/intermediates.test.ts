/** Rotation of the embedded intermediate: no certificate is shut out, whenever it stops. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Authority } from './authority.ts';
import { assertLeadsToRoot, gatewayRequest } from './contract.testing.ts';
import { GATEWAY_MS, GRACE_MS, type IssuedCertificate } from './provider.ts';

const DAY_MS = 24 * 3_600_000;
const base = mkdtempSync(join(tmpdir(), 'vrouter-rotation-'));
after(() => rmSync(base, { recursive: true, force: true }));
const clock = { unixMs: Date.UTC(2030, 0, 1) };
const now = (): number => clock.unixMs;

/** Whether a listener of this authority would believe the certificate. */
function believes(authority: Authority, { chain }: IssuedCertificate): boolean {
  const leaf = new X509Certificate(chain[0]!);
  return authority.issuers().some(({ pem }) => {
    const issuer = new X509Certificate(pem);
    return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
  });
}

const issue = async (authority: Authority) => authority.issue('gw', (await gatewayRequest()).read);
const activeOf = (authority: Authority): string => authority.issuers()[0]!.pem;

test('after a rotation the new key issues, the old certificate is believed until it can be of no use, its key is gone', async () => {
  const folder = join(base, 'plain');
  const authority = await Authority.open(folder, null, now);
  const before = await issue(authority);
  const oldKey = /BEGIN PRIVATE KEY-----\n(.{64})/.exec(readFileSync(join(folder, 'intermediate.pem'), 'utf8'))![1]!;
  await authority.rotate();
  const later = await issue(authority);
  assert.notEqual(
    new X509Certificate(before.chain[1]!).publicKey.export({ type: 'spki', format: 'pem' }),
    new X509Certificate(later.chain[1]!).publicKey.export({ type: 'spki', format: 'pem' }),
  );
  for (const issued of [before, later]) {
    assertLeadsToRoot(issued, authority.rootPem);
    assert.ok(believes(authority, issued));
  }
  for (const name of readdirSync(folder)) assert.ok(!readFileSync(join(folder, name), 'utf8').includes(oldKey), name);
  const again = await Authority.open(folder, authority.rootFingerprint, now);
  assert.deepEqual(again.issuers(), authority.issuers());
  assert.ok(believes(again, before));
  const start = clock.unixMs;
  try {
    clock.unixMs = start + GATEWAY_MS + GRACE_MS;
    assert.ok(believes(again, before), 'it can be renewed to the last moment of its grace');
    clock.unixMs += 2 * DAY_MS;
    assert.ok(!believes(again, before));
    await again.rotate();
    assert.equal(readdirSync(folder).filter((name) => name.startsWith('retired-')).length, 1, 'and is forgotten');
  } finally {
    clock.unixMs = start;
  }
});

test('it rotates by itself well before the end, and no certificate outlives its issuer', async () => {
  const folder = join(base, 'aged');
  const authority = await Authority.open(folder, null, now);
  const first = activeOf(authority);
  const end = Date.parse(new X509Certificate(first).validTo);
  const start = clock.unixMs;
  try {
    clock.unixMs = end - 366 * DAY_MS;
    await issue(authority);
    assert.equal(activeOf(authority), first);
    clock.unixMs = end - 364 * DAY_MS;
    const issued = await issue(authority);
    assert.notEqual(activeOf(authority), first);
    assert.equal(authority.issuers().length, 2);
    assert.ok(issued.notAfterUnixMs < Date.parse(new X509Certificate(issued.chain[1]!).validTo));
    // The root itself comes to its end: what it signs is cut there.
    clock.unixMs = Date.parse(new X509Certificate(authority.rootPem).validTo) - 3_600_000;
    const last = await issue(authority);
    assert.equal(last.notAfterUnixMs, clock.unixMs + 3_600_000);
  } finally {
    clock.unixMs = start;
  }
});

test('many who ask at once share a rotation', async () => {
  const authority = await Authority.open(join(base, 'crowd'), null, now);
  await Promise.all(Array.from({ length: 8 }, () => authority.rotate()));
  assert.equal(authority.issuers().length, 2);
});

test('a rotation that was cut off between any two writes is finished at the next start', async () => {
  const origin = join(base, 'origin');
  const before = await issue(await Authority.open(origin, null, now));
  const rotated = join(base, 'rotated');
  cpSync(origin, rotated, { recursive: true });
  await (await Authority.open(rotated, null, now)).rotate();
  const retired = readdirSync(rotated).find((name) => name.startsWith('retired-'))!;
  // What the folder looks like after each write, and a torn temporary file of the first.
  const steps: readonly [string, (folder: string) => void][] = [
    ['torn', (folder) => writeFileSync(join(folder, '.intermediate-next.pem.0a0a0a0a.tmp'), '-----BEGIN PRIV')],
    ['next', (folder) => cpSync(join(rotated, 'intermediate.pem'), join(folder, 'intermediate-next.pem'))],
    ['retired', (folder) => cpSync(join(rotated, retired), join(folder, retired))],
    ['renamed', (folder) => renameSync(join(folder, 'intermediate-next.pem'), join(folder, 'intermediate.pem'))],
  ];
  for (const [i, [name]] of steps.entries()) {
    const folder = join(base, `cut-${name}`);
    cpSync(origin, folder, { recursive: true });
    for (const [, write] of steps.slice(0, i + 1)) write(folder);
    const authority = await Authority.open(folder, null, now);
    const later = await issue(authority);
    for (const issued of [before, later]) {
      assertLeadsToRoot(issued, authority.rootPem);
      assert.ok(believes(authority, issued), name);
    }
    assert.equal(authority.issuers().length, name === 'torn' ? 1 : 2, name);
    assert.ok(!readdirSync(folder).includes('intermediate-next.pem'), name);
  }
});

test('kill -9 at any moment of many rotations: whatever was issued is believed after the restart', async () => {
  const folder = join(base, 'killed');
  const { rootFingerprint } = await Authority.open(folder, null, Date.now);
  const program = fileURLToPath(new URL('./rotate.testing.ts', import.meta.url));
  let checked = 0;
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    while (!said.includes('\n')) await delay(5);
    await delay(20 + Math.random() * 60);
    child.kill('SIGKILL');
    await once(child, 'close');
    const authority = await Authority.open(folder, rootFingerprint, Date.now);
    for (const line of said.split('\n').slice(0, -1)) {
      const issued = JSON.parse(line) as IssuedCertificate;
      assert.ok(believes(authority, issued));
      checked++;
    }
    assertLeadsToRoot(await issue(authority), authority.rootPem);
  }
  assert.ok(checked >= 8);
});
