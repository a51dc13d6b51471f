/** Two rosters on one store: what a gateway tells at one controller is seen at the other. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { PollRequest } from '@vrouter/api/agent/agent.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { GRACE_MS } from '../ca/provider.ts';
import { statusOfVrouter } from '../desk/status.ts';
import { createVrouter } from '../desk/vrouters.ts';
import { type GatewayRow, insertGateway, revokeGatewaysOf } from '../store/gateways.ts';
import { openDesk, type TestDesk, tester } from '../testing/store.ts';
import { Roster } from './roster.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-roster-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function rowOf(desk: TestDesk, id: string, vrouterId: string): GatewayRow {
  return {
    id,
    vrouterId,
    wireguardPublicKey: 'k',
    hostname: 'h',
    softwareVersion: '0.1.0',
    plane: null,
    registeredUnixMs: desk.clock.unixMs,
    revokedUnixMs: null,
    lastPollUnixMs: null,
    storedVersion: null,
    appliedVersion: null,
    told: null,
    tokenId: 't',
    csrFingerprint: 'f',
    joinReply: '{}',
  };
}

test('who is admitted, heard and revoked at one controller is so at the other', async () => {
  const desk = await openDesk(join(folder, 'a.db'));
  const { vrouter } = await createVrouter(desk, tester, createVrouterRequest.parse({ name: 'v' }));
  const [here, there] = [new Roster(desk.db, GRACE_MS, true), new Roster(desk.db, GRACE_MS, true)];
  const admit = async (id: string) => {
    const row = rowOf(desk, id, vrouter.id);
    await desk.db.transaction().execute((tx) => insertGateway(tx, row));
    return here.add(row, null);
  };
  const gateway = await admit('one');
  assert.equal((await there.find('one'))?.id, 'one', 'also before anybody has told of it');
  assert.equal(await there.find('nobody'), undefined);

  const poll: PollRequest = {
    gatewayId: 'one',
    bootId: 'b',
    seq: 1,
    nonce: null,
    storedVersion: 7,
    storedHash: null,
    appliedVersion: 6,
    waitMs: 0,
    full: false,
    held: { version: 8, removes: 12, reason: 'much' },
    stats: { epoch: 'e', peers: [], drops: { noRoute: 3 }, objects: 1, reconciles: 1, driftRepaired: 0 },
    errors: [{ key: 'link/wg0', code: 'plane.failed', message: 'no' }],
    plane: 'userspace',
    version: '0.1.1',
  };
  gateway.heard(poll, desk.clock.unixMs, () => true);
  gateway.connected = true;
  await here.flush();
  await there.refreshAll();
  const head = desk.desired.get('v');
  const seen = statusOfVrouter(head, there.of(vrouter.id), desk.clock.unixMs);
  assert.deepEqual(seen, statusOfVrouter(head, gateway, desk.clock.unixMs));
  assert.deepEqual([seen.connected, seen.storedVersion, seen.held?.removes], [true, 7, 12]);

  const session = there.byId('one');
  await there.refreshAll();
  assert.equal(there.byId('one'), session, 'whoever polls there keeps its session');
  await desk.db.transaction().execute((tx) => revokeGatewaysOf(tx, vrouter.id, desk.clock.unixMs));
  await there.refresh(vrouter.id);
  assert.equal(there.of(vrouter.id), undefined);
  assert.ok(session!.revoked);
  await desk.db.destroy();
});
