/** Three controllers on one PostgreSQL, with real gateways behind a balancer: whichever dies, nobody has more to do than to connect again. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CreatePeerReply, PeerList } from '@vrouter/api/rest/peers.ts';
import type { VrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import { newKeyPair } from '@vrouter/api/wireguard/keys.ts';
import { PostgresServer } from '../../programs/controller/testing/postgres.testing.ts';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';
import { waitFor } from '../../programs/demo/world/wait.ts';
import { Balancer } from '../world/balancer.ts';
import { needs } from '../world/needs.ts';
import { makeVrouter, ok, RealGateway } from './gateways.ts';

const CHANGES = 60;
/** The change after which one controller is killed. */
const KILL_AT = 20;

test('one of three controllers is killed under changes: none is lost, and gateways have but to connect anew', {
  skip: needs('postgres'),
  timeout: 120_000,
}, async () => {
  await using undo = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'vr-'));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const server = undo.use(await PostgresServer.start());
  const url = await server.database('fleet');

  // They are one controller to the gateways: one store, one authority.
  const controllers: ControllerProcess[] = [];
  // Nobody but the balancer is told of to gateways.
  const ports: number[] = [];
  const balancer = await Balancer.start(ports);
  undo.defer(() => balancer.close());
  const told = ['--agent-address', `127.0.0.1:${balancer.port}`];
  for (const name of ['c0', 'c1', 'c2']) {
    const data = join(folder, name);
    mkdirSync(data, { mode: 0o700 });
    for (const shared of ['ca', 'admin-token']) {
      const first = join(folder, 'c0', shared);
      if (controllers.length > 0 && existsSync(first)) cpSync(first, join(data, shared), { recursive: true });
    }
    const controller = await ControllerProcess.start(data, [0, 0], ['--store', url, ...told]);
    undo.defer(async () => void (await controller.end('SIGKILL')));
    controllers.push(controller);
    ports.push(portOf(controller));
  }

  const gateways: RealGateway[] = [];
  for (const name of ['north', 'south']) {
    const gateway = undo.use(new RealGateway(folder, name));
    gateway.start(await makeVrouter(controllers[gateways.length]!, name));
    gateways.push(gateway);
    await applied(controllers[2]!, gateway, 1);
  }

  const victim = controllers.find((controller) => balancer.openTo(portOf(controller)) > 0)!;
  let [waiting, before] = [0, 0];
  const said = new Map<string, string[]>(gateways.map(({ name }) => [name, []]));
  for (let n = 0; n < CHANGES; n++) {
    if (n === KILL_AT) {
      [waiting, before] = [balancer.openTo(portOf(victim)), sum(balancer.given)];
      void victim.end('SIGKILL');
    }
    const { name } = gateways[n % 2]!;
    const body = { name: `p${n}`, publicKey: (await newKeyPair()).publicKey };
    // A change that the killed one did not answer is made at another, as people would.
    const there = controllers[n % 3]!;
    const answer =
      (await there.call('POST', `/v1/vrouters/${name}/peers`, body).catch(() => null)) ??
      (await controllers.find((one) => one !== victim)!.call('POST', `/v1/vrouters/${name}/peers`, body));
    const code = (answer.json as { error?: { code: string } }).error?.code;
    assert.ok(answer.status === 201 || code === 'peer.exists', JSON.stringify(answer.json));
    said.get(name)!.push(body.publicKey);
    await delay(10);
  }

  const living = controllers.filter((controller) => controller !== victim);
  for (const gateway of gateways) {
    const wanted = said.get(gateway.name)!.sort();
    for (const controller of living) {
      const { peers } = await ok<PeerList>(controller.call('GET', `/v1/vrouters/${gateway.name}/peers`));
      assert.deepEqual(peers.map((peer) => peer.publicKey).sort(), wanted, 'every living controller has them all');
      assert.equal(new Set(peers.flatMap((peer) => peer.addresses)).size, 2 * wanted.length, 'no address twice');
    }
    await applied(living[0]!, gateway, 1 + wanted.length);
    assert.deepEqual((await gateway.api.peers()).map((peer) => peer.publicKey).sort(), wanted);
    assert.ok(!gateway.log.includes('poll failed'), gateway.log);
    assert.equal((await gateway.api.status()).controller.state, 'connected');
  }
  assert.ok(waiting > 0, 'or nobody would have had anything to notice');
  const made = sum(balancer.given) - before;
  // A gateway's client keeps up to two, and may take the second before it mends the first.
  assert.ok(made <= 2 * waiting, `of those that lost one, once each: ${made} for ${waiting}`);

  // It comes back on the same ports and knows what happened meanwhile.
  const own = [Number(new URL(victim.rest).port), portOf(victim)] as const;
  const more = ['--store', url, ...told];
  const again = await ControllerProcess.start(join(folder, `c${controllers.indexOf(victim)}`), own, more);
  undo.defer(async () => void (await again.end('SIGKILL')));
  const status = await ok<VrouterStatus>(again.call('GET', '/v1/vrouters/north/status'));
  assert.equal(status.version, 1 + said.get('north')!.length);
  assert.notEqual(status.appliedVersion, null);

  // What is said at one reaches a gateway that waits at another without a pause.
  const gateway = gateways[0]!;
  const elsewhere = [...living, again].find((controller) => balancer.openTo(portOf(controller)) === 0) ?? again;
  await delay(300);
  const began = performance.now();
  const { version } = await ok<CreatePeerReply>(
    elsewhere.call('POST', '/v1/vrouters/north/peers', { name: 'last', publicKey: (await newKeyPair()).publicKey }),
  );
  await waitFor('the last change', 10_000, async () =>
    (await gateway.api.status()).appliedVersion === version ? true : null,
  );
  const ms = performance.now() - began;
  assert.ok(ms < 2000, `well below the gateway's own pace of 5 s: ${ms} ms`);
});

/** Where it listens for gateways, which is not where they are sent. */
function portOf(controller: ControllerProcess): number {
  return controller.agentsPort;
}

async function applied(controller: ControllerProcess, gateway: RealGateway, version: number): Promise<void> {
  await gateway.until(`version ${version}`, ({ appliedVersion }) => appliedVersion === version);
  // Where it does not poll it is known within one look more.
  await waitFor(`the controllers to know of ${gateway.name}`, 20_000, async () => {
    const status = await ok<VrouterStatus>(controller.call('GET', `/v1/vrouters/${gateway.name}/status`));
    return status.connected && status.appliedVersion === version ? true : null;
  });
}

function sum(counts: ReadonlyMap<number, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
