/** The supervisor and real engines that stand still (SIGSTOP), as one that is stuck does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserspaceDriver } from '@vrouter/drivers/userspace/driver.ts';
import { pino } from 'pino';
import { EngineSupervisor } from './engine.ts';
import type { Patience } from './watch.ts';

const patience: Patience = { lookMs: 100, tellAfter: 3, giveUpAfter: 20 };

function world(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'vr-engine-'));
  const said: { readonly level: number; readonly msg: string }[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void said.push(JSON.parse(line)) });
  const socketPath = join(folder, 'engine.sock');
  const logPath = join(folder, 'engine.log');
  const pids = new Set<number>();
  const supervisor = (start = true, patient: Patience = patience): EngineSupervisor => {
    const made = new EngineSupervisor({ socketPath, logPath, start, workers: 1 }, log, patient);
    t.after(() => made.close());
    return made;
  };
  const pidOf = (engine: EngineSupervisor): number => {
    const { pid } = engine.running()!;
    pids.add(pid);
    return pid;
  };
  t.after(() => {
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    rmSync(folder, { recursive: true });
  });
  return { supervisor, pidOf, messages: () => said.map(({ msg }) => msg), said };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(what: string, so: () => boolean, ms = 15_000): Promise<void> {
  for (const end = performance.now() + ms; !so(); await sleep(10)) assert.ok(performance.now() < end, what);
}

test('an engine that does not answer is told of, then killed, and another is started in its place', async (t) => {
  const { supervisor, pidOf, messages } = world(t);
  const engine = supervisor();
  const client = await engine.connect(AbortSignal.timeout(15_000));
  const stuck = pidOf(engine);
  process.kill(stuck, 'SIGSTOP');
  await until('a word about it', () => messages().includes('the engine is there and does not answer'));
  await client.closed;
  await until('its end', () => !isAlive(stuck));
  assert.ok(messages().includes('the engine does not answer: it is killed, and another started'));
  await engine.connect(AbortSignal.timeout(15_000));
  assert.notEqual(pidOf(engine), stuck);
});

test('one that was stuck already when the daemon came is found by its socket, and replaced', async (t) => {
  const { supervisor, pidOf } = world(t);
  const before = supervisor(true, { ...patience, giveUpAfter: 1_000_000 });
  await before.connect(AbortSignal.timeout(15_000));
  const stuck = pidOf(before);
  before.close();
  process.kill(stuck, 'SIGSTOP');
  const after = supervisor();
  await after.connect(AbortSignal.timeout(30_000));
  await until('its end', () => !isAlive(stuck));
  assert.notEqual(pidOf(after), stuck);
});

test('one that is slow, and one that somebody else runs, are told of and left alone', async (t) => {
  const { supervisor, pidOf, messages } = world(t);
  const engine = supervisor();
  await engine.connect(AbortSignal.timeout(15_000));
  const slow = pidOf(engine);
  process.kill(slow, 'SIGSTOP');
  await until('a word about it', () => messages().includes('the engine is there and does not answer'));
  process.kill(slow, 'SIGCONT');
  await until('good news', () => messages().includes('the engine answers again'));
  engine.close();
  const other = supervisor(false);
  await other.connect(AbortSignal.timeout(15_000));
  process.kill(slow, 'SIGSTOP');
  const refusal = 'the engine does not answer, and is not ours to replace';
  await until('a word about that', () => messages().includes(refusal));
  assert.ok(isAlive(slow));
});

test('who asks an engine that stands still is answered when their patience ends', async (t) => {
  const { supervisor, pidOf } = world(t);
  const engine = supervisor(true, { ...patience, giveUpAfter: 1_000_000 });
  const driver = new UserspaceDriver((signal) => engine.connect(signal));
  await driver.observe('all', AbortSignal.timeout(15_000));
  process.kill(pidOf(engine), 'SIGSTOP');
  for (const ask of [
    (signal: AbortSignal) => driver.observe('all', signal),
    (signal: AbortSignal) => driver.counters(signal),
    (signal: AbortSignal) => driver.natSessions(10, signal),
    (signal: AbortSignal) => engine.connectAside(signal),
  ])
    await assert.rejects(ask(AbortSignal.timeout(200)), (thrown: { problem?: { code: string } }) => {
      assert.equal(thrown.problem?.code, 'timeout');
      return true;
    });
  await driver.close();
});

test('an engine tells what it found on its machine', async (t) => {
  const { supervisor, pidOf, said } = world(t);
  const engine = supervisor();
  await engine.connect(AbortSignal.timeout(15_000));
  pidOf(engine);
  const { machine } = engine.running()!;
  assert.ok(machine !== null);
  assert.equal(machine.workers, 1);
  assert.ok(['recvmmsg', 'dgram'].includes(machine.udp));
  assert.equal(
    said.some(({ msg }) => /slower than it could be/.test(msg)),
    machine.udp === 'dgram' || machine.crypto === 'node-crypto',
  );
});
