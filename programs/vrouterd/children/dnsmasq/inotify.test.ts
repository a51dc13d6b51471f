import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { pino } from 'pino';
import { INSTANCES, InotifyRoom } from './inotify.ts';

function setUp(t: TestContext, value: string | null, writable = true) {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-inotify-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const host = { value };
  const files = {
    read: (path: string) => (path === INSTANCES ? host.value : null),
    write(path: string, text: string) {
      assert.equal(path, INSTANCES);
      if (!writable) throw new ProblemError(problem('port.denied', 'it cannot be written'));
      host.value = text;
    },
  };
  const warned: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warned.push(line) });
  return { folder, host, warned, room: () => new InotifyRoom(folder, files, log) };
}

test('room is made in steps, never taken away while there are processes, and given back at the end, also by another daemon', (t) => {
  const { folder, host, room } = setUp(t, '128');
  room().make(64);
  assert.equal(host.value, '128');
  room().make(65);
  assert.equal(host.value, '256');
  room().make(129);
  assert.equal(host.value, '512');
  room().make(3);
  assert.equal(host.value, '512');
  room().giveBack();
  assert.equal(host.value, '128');
  assert.deepEqual(readdirSync(folder), []);
  room().giveBack();
});

test('what somebody has turned since, or had turned before, stays', (t) => {
  const { host, room } = setUp(t, '128');
  room().make(200);
  host.value = '4096';
  room().giveBack();
  assert.equal(host.value, '4096');
  room().make(1000);
  assert.equal(host.value, '4096');
});

test('where it cannot be turned, or is not there, nothing fails', (t) => {
  const denied = setUp(t, '128', false);
  denied.room().make(200);
  assert.equal(denied.warned.length, 1);
  const none = setUp(t, null);
  none.room().make(200);
  none.room().giveBack();
  const odd = setUp(t, '128');
  writeFileSync(join(odd.folder, 'inotify.json'), '{"before":"x"}');
  odd.room().giveBack();
  assert.equal(odd.host.value, '128');
});
