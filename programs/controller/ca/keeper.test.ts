/** What has its time, with a real store and the embedded authority, and a clock that the test moves. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { ControllerEvent } from '@vrouter/api/rest/system.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { pino } from 'pino';
import { createVrouter } from '../desk/vrouters.ts';
import { lastAudit } from '../store/audit.ts';
import { openDesk, tester } from '../testing/store.ts';
import { Authority } from './authority.ts';
import { CertificateKeeper } from './keeper.ts';
import type { ServerCredentials } from './provider.ts';

const HOUR_MS = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), 'vrouter-keeper-'));
after(() => rmSync(folder, { recursive: true, force: true }));

async function keeperOf(name: string) {
  const desk = await openDesk(join(folder, `${name}.db`));
  const provider = await Authority.open(join(folder, name), null, desk.unixMs);
  const log = pino({ level: 'silent' });
  const keeper = await CertificateKeeper.start({ ...desk, provider, hosts: ['router.example'], log });
  const used: ServerCredentials[] = [];
  keeper.serve((credentials) => used.push(credentials));
  const told: ControllerEvent[] = [];
  desk.events.subscribe((event) => told.push(event));
  return { desk, provider, keeper, used, told };
}

test("the listener's certificate is made anew each day, and at once when the clock was put back behind its begin", async () => {
  const { desk, keeper, used } = await keeperOf('listener');
  const first = keeper.server;
  desk.clock.unixMs += 23 * HOUR_MS;
  await keeper.tick();
  assert.equal(used.length, 0);
  desk.clock.unixMs += 2 * HOUR_MS;
  await keeper.tick();
  assert.equal(used.length, 1);
  assert.notEqual(keeper.server.key, first.key);
  assert.equal(used[0], keeper.server);
  desk.clock.unixMs -= 365 * 24 * HOUR_MS;
  await keeper.tick();
  assert.equal(used.length, 2);
  assert.ok(used[1]!.notBeforeUnixMs < desk.clock.unixMs);
  await desk.db.destroy();
});

test('a renewal that is late is told at 70 %, at 85 % and at the end, once each, and again after the next one', async () => {
  const { desk, keeper, told } = await keeperOf('late');
  await createVrouter(desk, tester, createVrouterRequest.parse({ name: 'late' }));
  const { id: vrouterId } = desk.desired.get('late').row;
  const begin = desk.clock.unixMs;
  const times = { notBeforeUnixMs: begin, notAfterUnixMs: begin + 10 * HOUR_MS };
  const gateway = desk.roster.add(
    {
      id: 'gw',
      vrouterId,
      wireguardPublicKey: '',
      hostname: '',
      softwareVersion: '',
      plane: null,
      registeredUnixMs: begin,
      revokedUnixMs: null,
      lastPollUnixMs: null,
      storedVersion: null,
      appliedVersion: null,
      tokenId: '',
      csrFingerprint: '',
      joinReply: '{}',
      told: null,
    },
    times,
  );
  const states = async (hours: number): Promise<string[]> => {
    desk.clock.unixMs = begin + hours * HOUR_MS;
    const before = told.length;
    await keeper.tick();
    await keeper.tick();
    return told.slice(before).flatMap(({ type, text }) => {
      assert.equal(type, 'certificate.late');
      return /is (late|critical|ended);/.exec(text)![1]!;
    });
  };
  assert.deepEqual(await states(6.9), []);
  assert.deepEqual(await states(7.1), ['late']);
  assert.deepEqual(await states(8.6), ['critical']);
  assert.deepEqual(await states(10.1), ['ended']);
  gateway.certificate = { notBeforeUnixMs: begin + 10 * HOUR_MS, notAfterUnixMs: begin + 20 * HOUR_MS };
  assert.deepEqual(await states(11), []);
  assert.deepEqual(await states(18), ['late']);
  await desk.db.destroy();
});

test('a rotation changes what the listener shows, and is in the audit', async () => {
  const { desk, keeper, used, told } = await keeperOf('rotation');
  const before = keeper.describe();
  const { issuers } = await keeper.rotate(tester);
  assert.equal(issuers.length, 2);
  assert.equal(issuers[1]!.serial, before.issuers[0]!.serial);
  assert.equal(used.length, 1);
  assert.deepEqual(
    told.map(({ type, subject }) => [type, subject]),
    [['ca.rotated', issuers[0]!.serial]],
  );
  const [row] = await lastAudit(desk.db, 1);
  assert.deepEqual([row!.action, row!.subject, row!.outcome], ['ca.rotate', issuers[0]!.serial, 'done']);
  await desk.db.destroy();
});
