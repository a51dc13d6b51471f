import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Child } from './child.ts';

test('who ends unasked is told of with how, and with last words if there are any', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-child-'));
  const told = (name: string, command: string, args: readonly string[]): Promise<string> =>
    new Promise((resolve) => {
      const child = new Child({ name, command, args, logPath: join(folder, `${name}.log`) });
      child.onUnexpectedEnd(({ problem }) => resolve(problem.message));
    });
  try {
    const ended = await told('ended', process.execPath, ['-e', 'console.error("no port is free"); process.exit(3)']);
    assert.match(ended, /^ended ended with exit status 3; its log \S+ended\.log ends with\n {2}no port is free\n$/);
    const killed = await told('killed', process.execPath, ['-e', 'process.kill(process.pid, "SIGKILL")']);
    assert.match(killed, /^killed was killed \(SIGKILL\); its log \S+killed\.log is empty$/);
    const absent = await told('absent', join(folder, 'no such program'), []);
    assert.match(absent, /^absent could not be started; its log \S+absent\.log is empty$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
