/** Runs of `vrouterctl apply` that end in the middle: the controller is killed, somebody interrupts. Run again, they go on. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Vrouter } from '@vrouter/api/rest/vrouters.ts';
import { compare } from '../../programs/cli/apply/compare.ts';
import { readVrouter } from '../../programs/cli/apply/present.ts';
import { readSources } from '../../programs/cli/apply/read.ts';
import { type Run, run } from '../../programs/cli/apply/run.ts';
import { dice, keyFrom } from '../../programs/cli/apply/worlds.testing.ts';
import { controllerAt } from '../../programs/cli/clients/controller.ts';
import { ApplyWorld, ended } from './world.ts';

const PEERS = 400;
const roll = dice(1);
const file = `vrouters:\n  e:\n    networks: [10.77.0.0/16]\n    peers:\n${Array.from(
  { length: PEERS },
  (_, i) => `      p${i}: { publicKey: ${keyFrom(roll)}, allowedIps: [10.8.${i & 255}.${i >> 8}/32] }\n`,
).join('')}`;

async function peersOf(world: ApplyWorld): Promise<number> {
  const { status, json } = await world.controller.call('GET', '/v1/vrouters/e');
  return status === 200 ? (json as Vrouter).peers : -1;
}

/** Begins a run, and waits until some of the peers are there. */
async function begun(world: ApplyWorld) {
  const path = join(world.folder, 'e.yaml');
  writeFileSync(path, file);
  const child = world.start(['apply', '-f', path, '--yes']);
  const end = ended(child);
  while ((await peersOf(world)) < 20) await delay(5);
  return { child, end };
}

async function goesOn(world: ApplyWorld, there: number): Promise<void> {
  assert.ok(there >= 20 && there < PEERS, `${there} were there`);
  const again = await world.apply(file);
  assert.deepEqual([again.status, again.err.replaceAll(/\d+ of \d+ calls made\n/g, '')], [0, '']);
  assert.match(again.out, new RegExp(`\\n${PEERS - there} created\\n$`));
  assert.equal(await peersOf(world), PEERS);
}

test('a controller that is killed in the middle', async () => {
  await using world = await ApplyWorld.start();
  const { end } = await begun(world);
  await world.controller.end('SIGKILL');
  const { status, err } = await end;
  assert.equal(status, 1);
  assert.match(
    err,
    /error: cannot reach the controller .*; \d+ of 401 changes were not made; run it again and it goes on \(controller\.unreachable\)\n$/,
  );
  await world.restart();
  await goesOn(world, await peersOf(world));
});

test('an interrupt: what is on its way is awaited', async () => {
  await using world = await ApplyWorld.start();
  const { child, end } = await begun(world);
  child.kill('SIGINT');
  const { status, err, out } = await end;
  assert.equal(status, 1);
  const there = await peersOf(world);
  assert.match(out, new RegExp(`\\n${there + 1} created\\n`), 'what was made was told');
  assert.match(err, new RegExp(`^interrupted: ${PEERS - there} of 401 changes were not made`));
  await goesOn(world, there);
});

const lan = (mtu: number): string =>
  `vrouters: { e: { ports: { lan: { tap: t0, mtu: ${mtu} } }, routes: [{ prefix: 10.1.0.0/16, interface: lan }] } }`;

/** Replaces a port and the route that goes by it, and does something once the first of it, the route, is removed. */
async function replacing(world: ApplyWorld, then: (abort: AbortController) => void): Promise<Run> {
  assert.equal((await world.apply(lan(1500))).status, 0);
  const sources = { file: undefined, text: world.controller.token, sessions: null, folders: [] };
  const controller = controllerAt(world.controller.rest, sources, null);
  const { vrouters } = readSources([{ file: 'f', text: lan(1400) }]);
  const { steps } = compare(vrouters, new Map([['e', (await readVrouter(controller, 'e'))!]]), false);
  const abort = new AbortController();
  const progress = (writes: number): void => {
    if (writes === 1) then(abort);
  };
  return run(steps, { controller, signal: abort.signal, progress });
}

const states = ({ outcomes }: Run): string[] => outcomes.map(({ step, state }) => `${step.kind} ${state}`);

test('an interrupt in the middle of a replacement: what was removed is made anew, the rest not begun', async () => {
  await using world = await ApplyWorld.start();
  const done = await replacing(world, (abort) => abort.abort());
  assert.deepEqual([states(done), done.interrupted, done.ended], [['port notTried', 'route done'], true, null]);
  const again = await world.apply(lan(1400));
  assert.deepEqual([again.status, again.err], [0, '']);
  assert.match(again.out, /\n2 replaced\n$/);
});

test('a controller that is killed there: what is removed is told, and made anew the next time', async () => {
  await using world = await ApplyWorld.start();
  const done = await replacing(world, () => void world.controller.child.kill('SIGKILL'));
  assert.deepEqual(states(done), ['port failed', 'route removed']);
  assert.equal(done.ended?.code, 'controller.unreachable');
  await world.restart();
  const again = await world.apply(lan(1400));
  assert.deepEqual([again.status, again.err], [0, '']);
  assert.match(again.out, /\n1 created, 1 replaced\n$/);
});
