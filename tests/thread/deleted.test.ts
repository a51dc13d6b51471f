/** A vrouter is deleted while its gateway polls, or while it does not: it is told so, stops asking, and does what its own file says. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ControllerProcess } from '../../programs/controller/testing/spawn.ts';
import { makePeer, makeVrouter, ok, RealGateway } from './gateways.ts';

/** An interface and a network that are this host's own. */
const OWN = `intents:
  - { kind: vrf, name: own }
  - { kind: route, vrf: own, prefix: 192.0.2.0/24, blackhole: true }
`;

const polls = async (controller: ControllerProcess): Promise<number> => {
  const metrics = String((await controller.call('GET', '/metrics')).json);
  return [...metrics.matchAll(/^vrouter_controller_polls_total\{[^}]*\} (\d+)$/gm)].reduce(
    (n, m) => n + Number(m[1]),
    0,
  );
};

for (const policy of ['keep', 'flush'] as const)
  test(`a deleted gateway stops asking, and ${policy === 'keep' ? 'keeps' : 'takes away'} what its controller has said`, {
    timeout: 120_000,
  }, async () => {
    await using undo = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'vr-'));
    undo.defer(() => rmSync(folder, { recursive: true, force: true }));
    const controller = await ControllerProcess.start(join(folder, 'c'));
    undo.defer(async () => void (await controller.end('SIGKILL')));
    const gateway = undo.use(new RealGateway(folder, 'edge'));
    const file = `${policy === 'flush' ? 'onDeleted: flush\n' : ''}${OWN}`;
    gateway.start(await makeVrouter(controller, 'edge'), file);
    const { version } = await makePeer(controller, 'edge', 'phone');
    await gateway.until('the peer', ({ appliedVersion }) => appliedVersion === version);

    await ok(controller.call('DELETE', '/v1/vrouters/edge'));
    const hasWhatItShould = async (): Promise<void> => {
      const [interfaces, peers] = [await gateway.api.interfaces(), await gateway.api.peers()];
      const kept = policy === 'keep';
      assert.deepEqual([interfaces.some(({ name }) => name === 'wg0'), peers.length], kept ? [true, 1] : [false, 0]);
      const { failing } = await gateway.api.stats();
      assert.deepEqual(failing, []);
    };
    const told = await gateway.until('to be told', (status) => status.controller.state === 'deleted');
    assert.match(
      told.controller.lastError!,
      /the vrouter of this gateway \(edge\) was deleted at .*\(gateway.deleted\)/,
    );
    assert.equal(told.appliedVersion, policy === 'keep' ? version : 0);
    await hasWhatItShould();
    const before = await polls(controller);
    await delay(6000);
    assert.equal(await polls(controller), before, 'nothing more is asked');

    // After a restart it asks once, is told again, and is as it was.
    await gateway.stop();
    gateway.start(null, file);
    await gateway.until('to be told again', (status) => status.controller.state === 'deleted');
    await hasWhatItShould();
    await gateway.stop();

    // Another join string is a new beginning.
    gateway.start(await makeVrouter(controller, 'other'), file);
    await gateway.until('to poll', (status) => status.controller.state === 'connected' && status.name === 'other');
    const next = await makePeer(controller, 'other', 'tablet');
    await gateway.until('its peer', ({ appliedVersion }) => appliedVersion === next.version);
    assert.deepEqual(
      (await gateway.api.peers()).map(({ name }) => name),
      ['tablet'],
    );
  });
