import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { ensurePrivateFolder } from './private-folder.ts';
import { writeFileDurably } from './write-durably.ts';

const folder = mkdtempSync(join(tmpdir(), 'files-'));
after(() => rmSync(folder, { recursive: true }));

const modeOf = (path: string): number => statSync(path).mode & 0o7777;

function fresh(name: string, mode = 0o700): string {
  const path = join(folder, name);
  mkdirSync(path);
  chmodSync(path, mode);
  return path;
}

function refused(work: () => void, why: RegExp): void {
  assert.throws(work, (thrown) => {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.equal(thrown.problem.code, 'data.unwritable');
    assert.match(thrown.problem.message, why);
    return true;
  });
}

it('writes text and bytes, replaces, and leaves nothing beside', async () => {
  const path = fresh('write');
  const file = join(path, 'state.json');
  await writeFileDurably(file, 'one');
  assert.equal(readFileSync(file, 'utf8'), 'one');
  assert.equal(modeOf(file), 0o600);
  await writeFileDurably(file, Uint8Array.of(1, 2, 3), 0o644);
  assert.deepEqual([...readFileSync(file)], [1, 2, 3]);
  assert.equal(modeOf(file), 0o644);
  assert.deepEqual(readdirSync(path), ['state.json']);
});

it('the mode is exact under any umask', async () => {
  const file = join(fresh('umask'), 'public.pem');
  const before = process.umask(0o077);
  await writeFileDurably(file, 'x', 0o644);
  process.umask(before);
  assert.equal(modeOf(file), 0o644);
});

it('of many writers at once one wins whole', async () => {
  const path = fresh('race');
  const file = join(path, 'f');
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(50_000));
  await Promise.all(texts.map((text) => writeFileDurably(file, text)));
  assert.ok(texts.includes(readFileSync(file, 'utf8')));
  assert.deepEqual(readdirSync(path), ['f']);
});

it('replaces a link instead of writing through it', async () => {
  const path = fresh('link');
  writeFileSync(join(path, 'target'), 'precious');
  symlinkSync('target', join(path, 'link'));
  await writeFileDurably(join(path, 'link'), 'new');
  assert.equal(readFileSync(join(path, 'target'), 'utf8'), 'precious');
  assert.equal(readFileSync(join(path, 'link'), 'utf8'), 'new');
});

it('says why it cannot write, and leaves nothing', async () => {
  const path = fresh('cannot');
  await assert.rejects(writeFileDurably(join(path, 'no', 'f'), 'x'), /data\.unwritable: .*no\/f .*does not exist/);
  mkdirSync(join(path, 'taken', 'deep'), { recursive: true });
  await assert.rejects(writeFileDurably(join(path, 'taken'), 'x'), /data\.unwritable/);
  assert.deepEqual(readdirSync(path), ['taken']);
});

it('makes private folders, with their parents', () => {
  const path = join(folder, 'a', 'b', 'c');
  ensurePrivateFolder(path);
  ensurePrivateFolder(path);
  assert.equal(modeOf(path), 0o700);
  assert.equal(modeOf(join(folder, 'a')), 0o700);
});

it('closes an empty folder to others, and refuses a full one that is open', () => {
  const empty = fresh('empty', 0o755);
  ensurePrivateFolder(empty);
  assert.equal(modeOf(empty), 0o700);
  const full = fresh('full', 0o755);
  writeFileSync(join(full, 'passwd'), 'x');
  refused(() => ensurePrivateFolder(full), /0755.*chmod 700/);
  assert.equal(modeOf(full), 0o755);
});

it('says when the place is a file, or below one', () => {
  const file = join(fresh('isfile'), 'f');
  writeFileSync(file, '');
  refused(() => ensurePrivateFolder(file), /is a file, not a folder/);
  refused(() => ensurePrivateFolder(join(file, 'below')), /not a folder/);
});

it('comes back where the kernel makes no folders', () => {
  refused(() => ensurePrivateFolder('/proc/vrouter/x'), /does not exist|may not write/);
});

it('says when this user may not write there', async () => {
  // Root may write anywhere but where the kernel alone makes files.
  const closed = process.getuid?.() === 0 ? '/sys' : fresh('closed', 0o500);
  refused(() => ensurePrivateFolder(join(closed, 'x')), /may not write|read-only/);
  await assert.rejects(writeFileDurably(join(closed, 'x'), ''), /may not write|read-only/);
});

it('loads no native code', () => {
  const here = new URL('.', import.meta.url).href;
  const program = `
    const { ensurePrivateFolder } = await import('${here}private-folder.ts');
    const { writeFileDurably } = await import('${here}write-durably.ts');
    await import('${here}lock.ts');
    ensurePrivateFolder(process.argv[1]);
    await writeFileDurably(process.argv[1] + '/f', 'x');
    const { sharedObjects } = process.report.getReport();
    console.log(sharedObjects.filter((name) => name.includes('koffi')).length);
  `;
  const args = ['--input-type=module', '-e', program, join(folder, 'pure')];
  assert.equal(execFileSync(process.execPath, args, { encoding: 'utf8' }).trim(), '0');
});
