import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { parseLogLine, ZoneLog } from './log.ts';

const at = 'Nov 29 19:24:47 dnsmasq[25965]:';

for (const [line, event] of [
  [`${at} read /run/names/blue/marks/7 - 0 names`, { is: 'read', path: '/run/names/blue/marks/7' }],
  [`${at} started, version 2.90 cachesize 150`, null],
  [`${at} warning: no upstream servers configured`, null],
  [`${at} warning: interface blue does not currently exist`, null],
  [`${at} using only locally-known addresses for blue.example`, null],
  ['Nov 29 19:24:47 dnsmasq[1]: read /run/names/blue/marks/7 - 0 names', null],
  [
    `${at} failed to load names from /x/names: Permission denied`,
    { is: 'unread', text: 'failed to load names from /x/names: Permission denied' },
  ],
  [
    `${at} cannot read /x/forwarders: Permission denied`,
    { is: 'unread', text: 'cannot read /x/forwarders: Permission denied' },
  ],
  [
    `${at} failed to create listening socket for 172.18.0.1: Address already in use`,
    { is: 'complaint', text: 'failed to create listening socket for 172.18.0.1: Address already in use' },
  ],
  [
    'dnsmasq: failed to create listening socket for 172.18.0.1: Address already in use',
    { is: 'complaint', text: 'failed to create listening socket for 172.18.0.1: Address already in use' },
  ],
  [
    'dnsmasq: bad option at line 3 of /x/dnsmasq.conf',
    { is: 'complaint', text: 'bad option at line 3 of /x/dnsmasq.conf' },
  ],
  ['', null],
  ['anything', null],
] as const)
  test(`a line of the log: ${line.slice(0, 90)}`, () => assert.deepEqual(parseLogLine(line, 25_965), event));

test('lines are told once, when they are whole; a log that was emptied is read from its start', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'vrouter-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'log');
  assert.deepEqual(new ZoneLog(path).lines(), []);
  writeFileSync(path, 'old\n');
  const log = new ZoneLog(path);
  appendFileSync(path, 'one\ntw');
  assert.deepEqual(log.lines(), ['one']);
  appendFileSync(path, 'o\n');
  assert.deepEqual(log.lines(), ['two']);
  log.trim();
  assert.ok(statSync(path).size > 0);
  appendFileSync(path, `${'x'.repeat(300_000)}\nlast\n`);
  const seen = [...log.lines(), ...log.lines()];
  assert.equal(seen.at(-1), 'last');
  log.trim();
  assert.equal(statSync(path).size, 0);
  appendFileSync(path, 'anew\n');
  assert.deepEqual(log.lines(), ['anew']);
});
