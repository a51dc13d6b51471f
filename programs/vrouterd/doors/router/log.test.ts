/** What the log has of calls: a line each, short and of ASCII, however much a client sends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { MemoryIntents } from './memory.testing.ts';
import { Client } from './world.testing.ts';

const huge = `10.0.0.0\n\u{1f600}${'x'.repeat(1_000_000)}`;

test('text of clients is in the log as far as in messages, and as one line', async () => {
  const lines: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) });
  const client = new Client(new MemoryIntents(), () => 'eth0', 100, log);
  const calls = [
    () => client.createVlan(100),
    () => client.createVlan(101, { subnet: huge }),
    () => client.createVlan(101, { gateway: huge }),
    () => client.createVlan(101, { networkName: huge }),
    () => client.configureNat(100, huge),
    () => client.removeNat(100, huge),
    () => client.removeNat(100, `10.0.0.0/${huge}`),
    () => client.configureDns(100, { [huge]: huge }),
    () => client.configureDns(100, { web: huge }),
    () => client.configureDns(100, { web: '10.0.100.2' }, huge),
    () => client.configureDns(100, { web: '10.0.100.2' }, `a.${'b.'.repeat(100_000)}c`),
    () => client.addPort(huge, 80, '10.0.100.2:80'),
    () => client.addPort('tcp', 80, `${huge}:80`),
    () => client.removePort(huge, 80),
  ];
  for (const call of calls) {
    const { error } = await call();
    assert.match(error, /^[ -~]{0,600}$/);
  }
  assert.equal(lines.length, calls.length);
  for (const line of lines) assert.match(line, /^[ -~]{1,1500}\n$/);
  assert.deepEqual(
    lines.slice(0, 2).map((line) => JSON.parse(line).subnet),
    ['10.0.100.0/24', `10.0.0.0\\u000a\\ud83d\\ude00${'x'.repeat(53)}...`],
  );
});
