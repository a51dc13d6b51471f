/** Who is among the controllers, who leaves, and what gateways are told of it; with clocks that the test moves. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ProblemError } from '@vrouter/core/problem.ts';
import { pino } from 'pino';
import { lastAudit } from '../store/audit.ts';
import { openDesk, type TestDesk, tester } from '../testing/store.ts';
import { Fleet, GONE_MS, RUNNING_MS } from './fleet.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-fleet-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const log = pino({ level: 'silent' });

/** A controller of the name in the desk's store, on port 8443 of a host of its name. */
function enter(desk: TestDesk, name: string, urls = [`https://${name}:8443`]): Promise<Fleet> {
  const dataFolder = join(folder, `${name}-data`);
  mkdirSync(dataFolder, { recursive: true });
  return Fleet.enter({ ...desk, shared: true, dataFolder, urls, log });
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const thrown = await work.then(
    () => null,
    (why: unknown) => why,
  );
  assert.ok(thrown instanceof ProblemError, String(thrown));
  return thrown.problem.code;
}

const idOf = (fleet: Fleet, host: string): string =>
  fleet.list().find(({ urls }) => urls[0] === `https://${host}:8443`)!.id;

test('each tells of all: its own address first, and all of them in one order', async () => {
  const desk = await openDesk(join(folder, 'all.db'));
  const a = await enter(desk, 'a');
  assert.deepEqual(a.urls(), ['https://a:8443']);
  const b = await enter(desk, 'b');
  await a.tick();
  for (const [fleet, first, second] of [
    [a, 'a', 'b'],
    [b, 'b', 'a'],
  ] as const) {
    assert.deepEqual(fleet.urls(), [`https://${first}:8443`, `https://${second}:8443`]);
    assert.deepEqual(fleet.told(), ['https://a:8443', 'https://b:8443']);
    assert.deepEqual(
      fleet
        .list()
        .map(({ urls, self, state }) => [urls[0], self, state])
        .sort(),
      [
        ['https://a:8443', first === 'a', 'running'],
        ['https://b:8443', first === 'b', 'running'],
      ],
    );
  }
  // It comes back under another address and is the same one.
  const again = await enter(desk, 'b', ['https://new-b:8443']);
  await a.tick();
  assert.deepEqual(a.told(), ['https://a:8443', 'https://new-b:8443']);
  assert.equal(again.list().length, 2);
  // Behind one name they are one address.
  await enter(desk, 'c', ['https://a:8443']);
  await a.tick();
  assert.deepEqual(a.told(), ['https://a:8443', 'https://new-b:8443']);
  await desk.db.destroy();
});

test('one that stops or dies stays for seven days, then it is told no more', async () => {
  const desk = await openDesk(join(folder, 'age.db'));
  const start = desk.clock.unixMs;
  const a = await enter(desk, 'a');
  const stopped = await enter(desk, 'b');
  const dead = await enter(desk, 'c');
  const stateAt = async (ms: number) => {
    desk.clock.unixMs = start + ms;
    await a.tick();
    return Object.fromEntries(a.list().map(({ urls, state }) => [urls[0]![8], state]));
  };
  await stopped.leave();
  await stopped.tick();
  assert.deepEqual(await stateAt(RUNNING_MS), { a: 'running', b: 'stopped', c: 'running' });
  assert.deepEqual(await stateAt(RUNNING_MS + 1), { a: 'running', b: 'stopped', c: 'lost' });
  assert.deepEqual(await stateAt(GONE_MS), { a: 'running', b: 'stopped', c: 'lost' });
  assert.equal(a.told().length, 3);
  assert.equal(a.list().find(({ state }) => state === 'lost')!.leavesUnixMs, start + GONE_MS);
  assert.deepEqual(await stateAt(GONE_MS + 15_000), { a: 'running' });
  assert.deepEqual(a.told(), ['https://a:8443']);
  // It was only asleep.
  await dead.tick();
  await a.tick();
  assert.deepEqual(a.told(), ['https://a:8443', 'https://c:8443']);
  await desk.db.destroy();
});

test('a person takes out who does not run, and nobody else', async () => {
  const desk = await openDesk(join(folder, 'remove.db'));
  const a = await enter(desk, 'a');
  const b = await enter(desk, 'b');
  await a.tick();
  const [idA, idB] = [idOf(a, 'a'), idOf(a, 'b')];
  assert.equal(await refusal(a.remove(tester, idB)), 'controller.running');
  assert.equal(await refusal(a.remove(tester, idA)), 'controller.running', 'nor itself');
  assert.equal(await refusal(a.remove(tester, 'nobody')), 'controller.notFound');
  await b.leave();
  assert.equal((await a.remove(tester, idB)).id, idB);
  assert.deepEqual(a.told(), ['https://a:8443']);
  assert.equal(await refusal(a.remove(tester, idB)), 'controller.notFound');
  const [row] = await lastAudit(desk.db, 1);
  assert.deepEqual([row!.action, row!.subject, row!.reason], ['controller.remove', idB, 'https://b:8443']);
  await desk.db.destroy();
});

test('a store that is away changes nothing of what gateways are told', async () => {
  const desk = await openDesk(join(folder, 'away.db'));
  const a = await enter(desk, 'a');
  await enter(desk, 'b');
  await a.tick();
  await desk.db.destroy();
  await assert.rejects(a.tick());
  assert.deepEqual(a.told(), ['https://a:8443', 'https://b:8443']);
});
