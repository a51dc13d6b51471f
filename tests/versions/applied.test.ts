/** What lies between what a gateway has and what it should have. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type DiffReply, diffReply } from '@vrouter/api/rest/versions.ts';
import { Rest } from '../../programs/controller/testing/rest.ts';
import { openDesk } from '../../programs/controller/testing/store.ts';
import { PlaneGateway } from '../dry-run/gateway.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-applied-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('diff?from=applied is what the gateway has still to do', async () => {
  const desk = await openDesk(join(folder, 'c.db'));
  const rest = await Rest.over(desk);
  const applied = async (): Promise<DiffReply> =>
    diffReply.parse((await rest.call('GET', '/v1/vrouters/v/diff?from=applied')).json);
  assert.equal((await rest.call('POST', '/v1/vrouters', { name: 'v', networks: ['10.77.0.0/24'] })).status, 201);
  const gateway = await PlaneGateway.join(desk, 'v');
  assert.deepEqual([(await applied()).from, (await applied()).changes], [1, []]);
  for (const prefix of ['172.16.0.0/16', '172.17.0.0/16', '172.18.0.0/16'])
    assert.equal((await rest.call('POST', '/v1/vrouters/v/routes', { prefix, blackhole: true })).status, 201);
  await rest.call('DELETE', '/v1/vrouters/v/routes?prefix=172.17.0.0/16');
  const reply = await applied();
  assert.deepEqual([reply.from, reply.to], [1, 5]);
  assert.deepEqual(
    reply.changes.map(({ op, key }) => [op, key]),
    [
      ['add', 'route/default/172.16.0.0/16'],
      ['add', 'route/default/172.18.0.0/16'],
    ],
  );
  const done = await gateway.poll();
  assert.deepEqual(
    done.steps.map(({ key }) => key),
    reply.changes.map(({ key }) => key),
  );
  assert.deepEqual((await applied()).changes, []);
  await gateway.stop();
  await desk.db.destroy();
});
