import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { loadNative } from '../internal/native.ts';
import { type LockMethod, lockFolder } from './lock.ts';

const root = mkdtempSync(join(tmpdir(), 'lock-'));
after(() => rmSync(root, { recursive: true }));

const methods: readonly LockMethod[] = loadNative() === null ? ['sqlite'] : ['flock', 'sqlite'];

/** The problem's message, or null when the lock was to be had. */
function tryLock(folder: string, method: LockMethod): string | null {
  try {
    lockFolder(folder, method)[Symbol.dispose]();
    return null;
  } catch (thrown) {
    assert.ok(thrown instanceof ProblemError, String(thrown));
    assert.equal(thrown.problem.code, 'data.inUse');
    return thrown.problem.message;
  }
}

/** What another process hears that tries to take the lock. */
function tryLockElsewhere(folder: string, method: LockMethod): string {
  const program = `
    const { lockFolder } = await import(${JSON.stringify(new URL('lock.ts', import.meta.url).href)});
    try {
      lockFolder(process.argv[1], process.argv[2]);
      console.log('taken');
    } catch (thrown) {
      console.log(thrown.message);
    }
  `;
  return execFileSync(process.execPath, ['--input-type=module', '-e', program, folder, method], { encoding: 'utf8' });
}

/** A process that holds the lock and has a child of its own, which must not inherit it. */
async function holder(folder: string, method: LockMethod): Promise<{ child: ChildProcess; grandchild: number }> {
  const program = `
    const { lockFolder } = await import(${JSON.stringify(new URL('lock.ts', import.meta.url).href)});
    globalThis.lock = lockFolder(process.argv[1], process.argv[2]);
    const { spawn } = await import('node:child_process');
    const sleeper = spawn('sleep', ['20'], { stdio: 'ignore', detached: true });
    console.log(sleeper.pid);
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder, method]);
  const [data] = await once(child.stdout, 'data');
  return { child, grandchild: Number(String(data)) };
}

for (const method of methods) {
  describe(`lock by ${method}`, () => {
    it('is had once, also within one process, and again when let go', () => {
      const folder = mkdtempSync(join(root, 'own-'));
      const lock = lockFolder(folder, method);
      assert.match(tryLock(folder, method) ?? '', new RegExp(`process ${process.pid}\\b`));
      // Nor did that attempt loosen it for others.
      assert.match(tryLockElsewhere(folder, method), new RegExp(`data\\.inUse.*process ${process.pid}\\b`));
      assert.match(tryLock(folder, method) ?? '', new RegExp(`process ${process.pid}\\b`));
      lock[Symbol.dispose]();
      lock[Symbol.dispose]();
      assert.equal(tryLock(folder, method), null);
      using again = lockFolder(folder, method);
      assert.equal(again.path, join(folder, 'lock'));
    });

    it('names the process that holds it, and ends when that is killed', async () => {
      const folder = mkdtempSync(join(root, 'other-'));
      const { child, grandchild } = await holder(folder, method);
      assert.match(tryLock(folder, method) ?? '', new RegExp(`process ${child.pid}\\b`));
      child.kill('SIGKILL');
      await once(child, 'exit');
      assert.equal(tryLock(folder, method), null);
      process.kill(grandchild);
    });

    it('says when the folder is missing', () => {
      assert.throws(() => lockFolder(join(root, 'missing'), method), /data\.unwritable: .*does not exist/);
    });
  });
}
