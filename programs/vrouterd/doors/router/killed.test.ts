/** The door as a program: killed at any moment it comes back with what it has answered for (24), and health does not wait for anybody (25). */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newerClient, sessionOver } from './client.testing.ts';

const program = new URL('router.testing.ts', import.meta.url).pathname;

function run(...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function serve(t: TestContext, folder: string, planeMs = 0): Promise<ChildProcess> {
  const child = run('serve', join(folder, 'db'), join(folder, 's'), String(planeMs));
  t.after(() => child.kill('SIGKILL'));
  const [said] = await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')]);
  assert.equal(String(said), 'ready\n');
  return child;
}

function place(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'router-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

const clientOf = (folder: string) => newerClient(sessionOver(connect(join(folder, 's'))));

test('24: kill -9 in the middle of calls: all that was answered for is there, and nothing that was not said', async (t) => {
  const folder = place(t);
  const answered = new Map<number, boolean>();
  for (let round = 0; round < 4; round++) {
    const child = await serve(t, folder, 3);
    const client = clientOf(folder);
    const listed = async (): Promise<number[]> => (await client.listVLANs({})).vlans.map(({ vlanId }) => vlanId);
    const there = await listed();
    for (const [vlanId, isThere] of answered) assert.equal(there.includes(vlanId), isThere, `VLAN ${vlanId}`);
    assert.ok(there.every((vlanId) => vlanId >= 100 && vlanId < 140));
    assert.equal((await client.getHealth({})).activeVlans, there.length);
    setTimeout(() => child.kill('SIGKILL'), 60 + round * 35);
    const exit = once(child, 'exit');
    for (let i = 0; ; i++) {
      const vlanId = 100 + ((i * 7 + round) % 40);
      const isDeletion = there.includes(vlanId);
      // Until it is answered nobody knows.
      answered.delete(vlanId);
      const request = { vlanId, subnet: `10.0.${vlanId}.0/24`, gateway: `10.0.${vlanId}.1` };
      const answer = await (isDeletion ? client.deleteVLAN({ vlanId }) : client.createVLAN(request)).catch(() => null);
      if (answer === null) break;
      assert.equal(answer.error, '');
      answered.set(vlanId, !isDeletion);
    }
    await exit;
  }
  assert.ok(answered.size > 5, `${answered.size} calls were answered`);
});

/** 98 in 100 answers to a question for health came within so many ms while 100 mixed calls ran, and what it may be here. */
async function healthUnderLoad(
  t: TestContext,
  folder: string,
): Promise<{ readonly mostMs: number; readonly limitMs: number }> {
  const client = clientOf(folder);
  const load = run('load', join(folder, 's'), '100');
  t.after(() => load.kill('SIGKILL'));
  const took: number[] = [];
  // How late this process itself is woken: what others do to the machine is not the door's doing.
  const late: number[] = [];
  let done = false;
  load.once('exit', () => {
    done = true;
  });
  while (!done) {
    const began = performance.now();
    await client.getHealth({});
    const answered = performance.now();
    took.push(answered - began);
    await sleep(2);
    late.push(performance.now() - answered - 2);
  }
  assert.equal(load.exitCode, 0);
  const nearly = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length * 0.98)]!;
  const mostMs = nearly(took);
  t.diagnostic(`98 in 100 ${mostMs.toFixed(1)} ms, worst ${took.at(-1)!.toFixed(1)} ms of ${took.length}`);
  // Two have to be woken for an answer, the one that asks and the one that is asked.
  return { mostMs, limitMs: 50 + 2 * nearly(late) };
}

test('25: health is answered within 50 ms while 100 mixed calls run', async (t) => {
  const folder = place(t);
  await serve(t, folder, 5);
  await clientOf(folder).getHealth({});
  // A machine that is busy with others may hold up any three answers of some hundred, but not each time.
  for (let round = 1; ; round++) {
    const { mostMs, limitMs } = await healthUnderLoad(t, folder);
    if (mostMs < limitMs) return;
    assert.ok(round < 4, `${mostMs} ms, and ${limitMs} ms would have been fine`);
  }
});
