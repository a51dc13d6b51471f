/** Several controllers without a balancer: gateways learn where they are, go on to another when one dies, and keep what they know. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import type { ControllerAddress } from '@vrouter/api/gateway/gateway.ts';
import type { ControllerList } from '@vrouter/api/rest/controllers.ts';
import type { PeerList } from '@vrouter/api/rest/peers.ts';
import { PostgresServer } from '../../programs/controller/testing/postgres.testing.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { needs } from '../world/needs.ts';
import { makePeer, makeVrouter, ok, RealGateway } from './gateways.ts';

const CHANGES = 60;
/** The changes before which a controller is killed. */
const KILLS = [15, 35];
/** A poll is made at least this often, ms; and some for two cores that others use too. */
const ONE_POLL_MS = 5000 + 2000;

const urlsOf = (addresses: readonly ControllerAddress[] | undefined): string[] =>
  (addresses ?? []).map(({ url }) => url).sort();

test('of three controllers any two are killed under changes: nothing is lost, and no gateway waits longer than a poll', {
  skip: needs('postgres'),
  timeout: 240_000,
}, async () => {
  await using undo = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'vr-'));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const server = undo.use(await PostgresServer.start());
  const url = await server.database('fleet');
  const keyFile = join(folder, 'ca.key');
  writeFileSync(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 });
  const controllers: ControllerProcess[] = [];
  const start = async (n: number, ports: readonly [number, number] = [0, 0]): Promise<ControllerProcess> => {
    const data = join(folder, `c${n}`);
    mkdirSync(data, { mode: 0o700, recursive: true });
    // For the test's own calls; the authority they get by themselves.
    if (n > 0) cpSync(join(folder, 'c0', 'admin-token'), join(data, 'admin-token'));
    const controller = await ControllerProcess.start(data, ports, ['--store', url, '--ca-key-file', keyFile]);
    undo.defer(async () => void (await controller.end('SIGKILL')));
    controllers[n] = controller;
    return controller;
  };

  // Gateways join while there is one; its address alone is in their join strings.
  const first = await start(0);
  const gateways: RealGateway[] = [];
  for (const name of ['north', 'south', 'west']) {
    const gateway = undo.use(new RealGateway(folder, name));
    gateway.start(await makeVrouter(first, name));
    gateways.push(gateway);
  }
  for (const gateway of gateways) await gateway.until('to poll', ({ controller }) => controller.state === 'connected');
  await start(1);
  await start(2);
  const all = controllers.map(({ agents }) => agents).sort();
  assert.equal(new Set(all).size, 3);
  for (const gateway of gateways) {
    await gateway.until('to know all', ({ controller }) => urlsOf(controller.addresses).join() === all.join(), 30_000);
    const { controller } = await gateway.api.status();
    const sources = Object.fromEntries(controller.addresses!.map(({ url: at, source }) => [at, source]));
    assert.deepEqual(sources, {
      [all[0]!]: 'learnt',
      [all[1]!]: 'learnt',
      [all[2]!]: 'learnt',
      [first.agents]: 'join',
    });
  }

  // All three poll at the first. It dies, and then whichever of the others has more of them.
  const said = new Map<string, string[]>(gateways.map(({ name }) => [name, []]));
  const states = new Set<string>();
  const alive = [...controllers];
  let slowestMs = 0;
  for (let n = 0; n < CHANGES; n++) {
    if (KILLS.includes(n)) {
      const asked = await Promise.all(gateways.map(async ({ api }) => (await api.status()).controller.url));
      const busiest = alive.toSorted((a, b) => count(asked, b.agents) - count(asked, a.agents))[0]!;
      assert.ok(count(asked, busiest.agents) > 0, 'or nobody would have anything to notice');
      alive.splice(alive.indexOf(busiest), 1);
      void busiest.end('SIGKILL');
    }
    const gateway = gateways[n % gateways.length]!;
    const began = performance.now();
    const { version, publicKey } = await makePeer(alive[n % alive.length]!, gateway.name, `p${n}`);
    said.get(gateway.name)!.push(publicKey);
    if (KILLS.includes(n) || n % 5 === 0) {
      await gateway.until(`version ${version}`, (status) => {
        states.add(status.controller.state);
        return status.appliedVersion >= version;
      });
      slowestMs = Math.max(slowestMs, performance.now() - began);
    }
  }
  assert.equal(alive.length, 1);
  const [survivor] = alive;
  for (const gateway of gateways) {
    const wanted = said.get(gateway.name)!.sort();
    await gateway.until('all changes', ({ appliedVersion }) => appliedVersion === 1 + wanted.length);
    const { peers } = await ok<PeerList>(survivor!.call('GET', `/v1/vrouters/${gateway.name}/peers`));
    assert.deepEqual(peers.map((peer) => peer.publicKey).sort(), wanted);
    assert.deepEqual((await gateway.api.peers()).map((peer) => peer.publicKey).sort(), wanted);
    const { controller } = await gateway.api.status();
    assert.equal(controller.url, survivor!.agents);
    const dead = controller.addresses!.find(({ url: at }) => at === first.agents)!;
    assert.equal(dead.state, 'failing');
    assert.match(dead.lastError!, /ECONNREFUSED|UND_ERR_SOCKET/);
  }
  assert.deepEqual([...states], ['connected'], 'nobody was without a controller');
  assert.ok(slowestMs < ONE_POLL_MS, `the slowest change took ${slowestMs} ms`);

  // What was learnt is kept: a gateway that starts again does not need the one that its join string names.
  const north = gateways[0]!;
  await north.stop();
  north.start(null);
  await north.until('to poll again', ({ controller }) => controller.state === 'connected');

  // One comes back, on its ports, and is found to work again while another one is asked.
  const back = await start(0, [Number(new URL(first.rest).port), first.agentsPort]);
  await gateways[1]!.until(
    'the first to be seen to work',
    ({ controller }) => controller.addresses!.find(({ url: at }) => at === back.agents)!.state === 'working',
    90_000,
  );

  // A rotation at one is one of all. Gateways with certificates of either intermediate go from one controller to the other.
  await ok(survivor!.call('POST', '/v1/ca/rotate'));
  for (const [index, gateway] of gateways.entries()) {
    const { certificateExpiresUnixMs: before } = (await gateway.api.status()).controller;
    if (index > 0) await gateway.api.renewCertificate();
    await gateway.until(
      'another certificate',
      ({ controller }) => index === 0 || controller.certificateExpiresUnixMs! > before!,
    );
  }
  await survivor!.end('SIGKILL');
  for (const gateway of gateways) {
    const { version } = await makePeer(back, gateway.name, 'rotated');
    await gateway.until('a change at the other', ({ appliedVersion }) => appliedVersion === version);
    assert.equal((await gateway.api.status()).controller.url, back.agents);
    assert.doesNotMatch(gateway.log, /certificate\.required|poll\.identity/);
  }
  const ports = [Number(new URL(survivor!.rest).port), survivor!.agentsPort] as const;
  const revived = await start(controllers.indexOf(survivor!), ports);

  // One is taken out for good: first it must not run, then gateways forget it.
  const leaving = controllers.find((one) => one !== revived && one !== back)!;
  const n = controllers.indexOf(leaving);
  const again = await start(n, [0, leaving.agentsPort]);
  const list = async () => (await ok<ControllerList>(revived.call('GET', '/v1/controllers'))).controllers;
  const { id } = await waitFor(
    'it to be among them',
    20_000,
    async () => (await list()).find((one) => one.urls[0] === again.agents && one.state === 'running') ?? null,
  );
  const refused = await revived.call('DELETE', `/v1/controllers/${id}`);
  assert.equal((refused.json as { error: { code: string } }).error.code, 'controller.running');
  await again.end('SIGTERM');
  await ok(revived.call('DELETE', `/v1/controllers/${id}`));
  const left = all.filter((at) => at !== again.agents);
  for (const gateway of gateways)
    await gateway.until(
      'to forget it',
      ({ controller }) => urlsOf(controller.addresses).join() === left.join(),
      30_000,
    );

  // Whatever they are told, what the join string named stays.
  await back.end('SIGTERM');
  const gone = (await list()).find((one) => one.urls[0] === back.agents)!;
  await ok(revived.call('DELETE', `/v1/controllers/${gone.id}`));
  for (const gateway of gateways) {
    // The answer that brings this says who is left.
    const { version } = await makePeer(revived, gateway.name, 'last');
    const { controller } = await gateway.until('the last change', ({ appliedVersion }) => appliedVersion === version);
    assert.deepEqual(urlsOf(controller.addresses), [first.agents, revived.agents].sort());
  }
});

test('an address of another authority is never spoken to, whoever names it', { timeout: 120_000 }, async () => {
  await using undo = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'vr-'));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const ours = await ControllerProcess.start(join(folder, 'ours'));
  const strange = await ControllerProcess.start(join(folder, 'strange'));
  undo.defer(async () => void (await ours.end('SIGKILL')));
  undo.defer(async () => void (await strange.end('SIGKILL')));
  const gateway = undo.use(new RealGateway(folder, 'edge'));
  gateway.start(await makeVrouter(ours, 'edge'), `controllers: ["${strange.agents}"]\n`);
  await gateway.until('to poll', ({ controller }) => controller.state === 'connected');
  // With its own away the strange one is tried for sure.
  await ours.end('SIGKILL');
  const { controller } = await gateway.until('to have tried it', (status) =>
    status.controller.addresses!.some(({ url, state }) => url === strange.agents && state === 'failing'),
  );
  const tried = controller.addresses!.find(({ url }) => url === strange.agents)!;
  assert.equal(tried.source, 'file');
  assert.match(tried.lastError!, /certificate/i);
  assert.equal(tried.lastAnswerUnixMs, null);
  const metrics = String((await strange.call('GET', '/metrics')).json);
  assert.doesNotMatch(metrics, /vrouter_controller_polls_total\{/, 'nothing was asked of it');
  const own = await ControllerProcess.start(join(folder, 'ours'), [0, ours.agentsPort]);
  undo.defer(async () => void (await own.end('SIGKILL')));
  await gateway.until('to poll again', (status) => status.controller.state === 'connected', 40_000);
});

function count(urls: readonly (string | null)[], url: string): number {
  return urls.filter((one) => one === url).length;
}
