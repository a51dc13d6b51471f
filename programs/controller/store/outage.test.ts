/** The real controller, and a gateway that polls, while PostgreSQL crashes, is away, and comes back. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CreatePeerReply } from '@vrouter/api/rest/peers.ts';
import type { CreateVrouterReply } from '@vrouter/api/rest/vrouters.ts';
import { needs } from '../../../tests/world/needs.ts';
import { TestGateway, wireguardKey } from '../testing/gateway.ts';
import { PostgresServer } from '../testing/postgres.testing.ts';
import { ControllerProcess } from '../testing/spawn.ts';

test('while PostgreSQL is away gateways are answered and changes refused; then all goes on', {
  skip: needs('postgres'),
  timeout: 60_000,
}, async () => {
  await using undo = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'vr-out-'));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const server = undo.use(await PostgresServer.start());
  const url = await server.database('outage');
  const controller = await ControllerProcess.start(join(folder, 'data'), [0, 0], ['--store', url]);
  undo.defer(async () => void (await controller.end('SIGKILL')));
  const made = await controller.call('POST', '/v1/vrouters', { name: 'v' });
  const gateway = await TestGateway.join((made.json as CreateVrouterReply).join.string);
  undo.defer(() => gateway.close());
  const add = (name: string) => controller.call('POST', '/v1/vrouters/v/peers', { name, publicKey: wireguardKey() });
  assert.equal((await gateway.poll()).version, 1);

  for (let round = 1; round <= 2; round++) {
    await server.down('SIGQUIT');
    const refused = await add(`lost${round}`);
    assert.equal(refused.status, 503);
    assert.equal((refused.json as { error: { code: string } }).error.code, 'store.unavailable');
    assert.deepEqual((await gateway.poll({ waitMs: 100 })).ops, []);
    await server.up();
    const added = await add(`found${round}`);
    assert.equal(added.status, 201, JSON.stringify(added.json));
    const { version } = added.json as CreatePeerReply;
    assert.equal(version, 1 + round, 'what was refused was not made');
    assert.equal((await gateway.poll()).version, version);
  }
  await server.down('SIGQUIT');
  const ms = await controller.end('SIGTERM');
  assert.equal(controller.child.exitCode, 0);
  assert.ok(ms < 2000, `and it ends in good order without its store, in ${ms} ms`);
});
