/** Several controllers on one store: one root, an intermediate of each, and rotations that shut nobody out. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import type { Db } from '../store/schema.ts';
import { readSetting, settle } from '../store/settings.ts';
import { openDesk } from '../testing/store.ts';
import { Authority } from './authority.ts';
import { gatewayRequest } from './contract.testing.ts';
import { IssuerBook } from './issuer-book.ts';
import type { IssuedCertificate } from './provider.ts';
import { shareRoot } from './shared-root.ts';

const base = mkdtempSync(join(tmpdir(), 'vrouter-shared-'));
after(() => rmSync(base, { recursive: true, force: true }));
const keyFile = join(base, 'ca.key');
writeFileSync(keyFile, `${Buffer.alloc(32, 7).toString('base64')}\n`, { mode: 0o600 });
const folder = (name: string): string => join(base, name);

/** As a controller starts. */
async function start(db: Db, name: string, key: string | null = keyFile): Promise<Authority> {
  const known = await readSetting(db, 'rootFingerprint');
  if (key !== null) await shareRoot(db, folder(name), key, known, Date.now);
  const authority = await Authority.open(folder(name), known, Date.now, new IssuerBook(db, Date.now));
  assert.equal(await settle(db, 'rootFingerprint', authority.rootFingerprint), authority.rootFingerprint);
  return authority;
}

const issue = async (authority: Authority) => authority.issue('gw', (await gatewayRequest()).read);

function believes(authority: Authority, { chain }: IssuedCertificate): boolean {
  const leaf = new X509Certificate(chain[0]!);
  return authority.issuers().some(({ pem }) => {
    const issuer = new X509Certificate(pem);
    return leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey);
  });
}

async function refusal(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const thrown = await work.then(
    () => null,
    (why: unknown) => why,
  );
  assert.ok(thrown instanceof ProblemError, String(thrown));
  return thrown.problem;
}

test('a further controller gets the root by the key file, and an intermediate of its own', async () => {
  const { db } = await openDesk(folder('further.db'));
  const a = await start(db, 'further-a');
  const b = await start(db, 'further-b');
  assert.equal(a.rootFingerprint, b.rootFingerprint);
  assert.equal(statSync(join(folder('further-b'), 'root.pem')).mode & 0o777, 0o600);
  assert.notEqual(a.issuers()[0]!.pem, b.issuers()[0]!.pem, 'no key of an intermediate leaves its folder');
  await a.follow();
  for (const from of [a, b]) for (const at of [a, b]) assert.ok(believes(at, await issue(from)));
  const key = /BEGIN PRIVATE KEY-----\n(.{64})/.exec(readFileSync(join(folder('further-a'), 'root.pem'), 'utf8'))![1]!;
  const kept = JSON.stringify([
    await db.selectFrom('settings').selectAll().execute(),
    await db.selectFrom('issuers').selectAll().execute(),
  ]);
  assert.ok(!kept.includes(key) && !kept.includes('PRIVATE'), 'the store has no key that can be read');
  // The key file is needed once.
  assert.equal((await start(db, 'further-b', null)).rootFingerprint, a.rootFingerprint);
  await db.destroy();
});

test('two that begin on an empty store at once have one root', async () => {
  const { db } = await openDesk(folder('race.db'));
  const both = await Promise.all([start(db, 'race-a'), start(db, 'race-b')]);
  assert.equal(both[0].rootFingerprint, both[1].rootFingerprint);
  await db.destroy();
});

test('a rotation at one is a rotation of all, and nobody is locked out in between', async () => {
  for (const copied of [false, true]) {
    const { db } = await openDesk(folder(`rotate-${copied}.db`));
    const [nameA, nameB] = [`rotate-${copied}-a`, `rotate-${copied}-b`];
    const a = await start(db, nameA, copied ? null : keyFile);
    if (copied) cpSync(folder(nameA), folder(nameB), { recursive: true });
    const b = await start(db, nameB, copied ? null : keyFile);
    await a.follow();
    const before = [await issue(a), await issue(b)];
    const activeB = b.issuers()[0]!.pem;
    await a.rotate();
    const after = await issue(a);
    // B has not looked yet; whoever shows it the certificate makes it look.
    assert.ok(!believes(b, after));
    await b.follow();
    assert.ok(believes(b, after));
    assert.notEqual(b.issuers()[0]!.pem, activeB, 'it has rotated too');
    await a.follow();
    const all = [...before, after, await issue(b)];
    for (const at of [a, b]) for (const one of all) assert.ok(believes(at, one), `copied: ${copied}`);
    // Once is enough.
    const settled = [a, b].map((at) => at.issuers()[0]!.pem);
    for (let n = 0; n < 3; n++) for (const at of [a, b]) await at.follow();
    assert.deepEqual(
      [a, b].map((at) => at.issuers()[0]!.pem),
      settled,
    );
    // One that was down meanwhile makes it good at its start.
    await a.rotate();
    const late = await start(db, nameB, null);
    await late.follow();
    assert.notEqual(late.issuers()[0]!.pem, settled[1]);
    assert.ok(believes(late, await issue(a)));
    await db.destroy();
  }
});

test('an intermediate that the root has not signed is nobody, even if it is in the store', async () => {
  const { db } = await openDesk(folder('strange.db'));
  const a = await start(db, 'strange-a');
  const strange = await Authority.open(folder('strange-other'), null, Date.now, new IssuerBook(db, Date.now));
  await a.follow();
  assert.ok(!believes(a, await issue(strange)));
  await db.destroy();
});

test('without the key, or with another, it is said what to do', async () => {
  const { db } = await openDesk(folder('wrong.db'));
  const a = await start(db, 'wrong-a');
  const without = await refusal(start(db, 'wrong-b', null));
  assert.equal(without.code, 'data.corrupt');
  assert.match(without.message, /--ca-key-file, with the key file of the others, or by a copy of their folder ca/);
  const other = join(base, 'other.key');
  writeFileSync(other, Buffer.alloc(32, 8).toString('base64'), { mode: 0o600 });
  const wrong = await refusal(start(db, 'wrong-b', other));
  assert.equal(wrong.code, 'config.invalid');
  assert.match(wrong.message, /sealed with another key .* give this controller the key file of the others/);
  assert.ok(!existsSync(join(folder('wrong-b'), 'root.pem')), 'nothing is left behind');
  const short = join(base, 'short.key');
  writeFileSync(short, 'secret', { mode: 0o600 });
  assert.match((await refusal(start(db, 'wrong-b', short))).message, /too short a key; make one with/);
  chmodSync(short, 0o644);
  assert.match((await refusal(start(db, 'wrong-b', short))).message, /open to other users/);
  await Authority.open(folder('wrong-c'), null, Date.now);
  const stranger = await refusal(start(db, 'wrong-c'));
  assert.equal(stranger.code, 'data.corrupt');
  assert.match(stranger.message, /another root than the controllers of this store share/);
  assert.equal((await start(db, 'wrong-b')).rootFingerprint, a.rootFingerprint);
  await db.destroy();
});

test('a controller that has had its folder for long shares it from its next start on', async () => {
  const { db } = await openDesk(folder('old.db'));
  const before = await start(db, 'old-a', null);
  assert.equal((await start(db, 'old-a')).rootFingerprint, before.rootFingerprint);
  assert.equal((await start(db, 'old-b')).rootFingerprint, before.rootFingerprint);
  await db.destroy();
});
