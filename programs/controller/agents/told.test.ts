/** What polls tell besides traffic, as people see it: against the real process, over real TLS. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CreateVrouterReply, VrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import { TestGateway, wireguardKey } from '../testing/gateway.ts';
import { ControllerProcess } from '../testing/spawn.ts';

test('what a gateway can hold is kept as it was told last; a version that it says it has is only believed with its hash', async () => {
  await using undo = new AsyncDisposableStack();
  const data = mkdtempSync(join(tmpdir(), 'vr-told-'));
  undo.defer(() => rmSync(data, { recursive: true, force: true }));
  const controller = await ControllerProcess.start(data);
  undo.defer(async () => void (await controller.end('SIGKILL')));
  const made = await controller.call('POST', '/v1/vrouters', { name: 'told' });
  const gateway = await TestGateway.join((made.json as CreateVrouterReply).join.string);
  undo.defer(() => gateway.close());
  const status = async () => (await controller.call('GET', '/v1/vrouters/told/status')).json as VrouterStatus;
  assert.equal((await status()).capabilities, null);
  const capabilities = { kinds: ['link', 'route'], mac: '02:00:00:00:00:01' };
  const first = await gateway.poll({ capabilities });
  assert.ok(Math.abs(first.committedUnixMs! - Date.now()) < 60_000);
  const applied = async () => {
    const metrics = String((await controller.call('GET', '/metrics')).json);
    return Number(/vrouter_config_convergence_seconds_count (\d+)/.exec(metrics)![1]);
  };
  const before = await applied();
  const links = [{ name: 'wg0', rxPackets: 1, rxBytes: 2, txPackets: 3, txBytes: 4, drops: 5 }];
  const more = { links, routes: { default: { programmed: 2, failed: 1 } }, natSessions: 7, steps: 9, stepsFailed: 1 };
  const stats = { epoch: 'e', peers: [], drops: {}, objects: 1, reconciles: 1, driftRepaired: 0, ...more };
  await gateway.poll({ appliedVersion: 1, appliedHash: 'ab'.repeat(32), stats });
  assert.equal(await applied(), before, 'a version of another state is none of ours');
  const told = await status();
  assert.deepEqual(told.capabilities, capabilities, 'also when it is not said again');
  const { links: shown, routes, natSessions, steps, stepsFailed } = told.stats!;
  assert.deepEqual({ links: shown, routes, natSessions, steps, stepsFailed }, more);
  const peer = { name: 'a', publicKey: wireguardKey() };
  assert.equal((await controller.call('POST', '/v1/vrouters/told/peers', peer)).status, 201);
  await gateway.poll();
  await gateway.poll({ appliedVersion: 2, appliedHash: gateway.storedHash });
  assert.equal(await applied(), before + 1);
});
