import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { DnsmasqSupervisor } from './supervisor.ts';

const log = pino({ level: 'silent' });

test('without the program: told in words, tried again, and nothing is there', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-supervisor-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const make = (): void => {
    mkdirSync(join(folder, 'blue'));
    writeFileSync(join(folder, 'blue', 'dnsmasq.conf'), '');
    writeFileSync(join(folder, 'blue', 'zone.json'), '{}');
  };
  make();
  mkdirSync(join(folder, 'half'));
  const supervisor = new DnsmasqSupervisor({ folder, runAs: null, program: '/nowhere/dnsmasq' }, log);
  t.after(() => supervisor.close());
  await supervisor.start();
  assert.ok(!existsSync(join(folder, 'half')), 'a folder that is no zone is taken away');
  assert.ok(!existsSync(join(folder, 'blue')), 'nor is one by which nobody answers left');
  make();
  assert.ok(!supervisor.answers('blue'));
  const failure = await supervisor.keep('blue');
  assert.equal(failure?.code, 'plane.failed');
  assert.match(failure.message, /the resolver of blue .*\/nowhere\/dnsmasq is not installed/);
  const [row] = supervisor.health();
  assert.deepEqual(row, { zone: 'blue', up: false, pid: null, restarts: row!.restarts, lastError: failure.message });
  while (supervisor.health()[0]!.restarts < 2) await delay(10);
  await supervisor.end('blue');
  assert.deepEqual(supervisor.health(), []);
  await assert.rejects(supervisor.keep('../blue'), RangeError);
});

test('a folder that would not survive a configuration is refused', () => {
  for (const folder of ['names', '/tmp/a b', '/tmp/#'])
    assert.throws(() => new DnsmasqSupervisor({ folder, runAs: null }, log), /config\.invalid/);
});
