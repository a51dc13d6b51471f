/** What is written as a number comes back as one, whichever database it was in. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { createVrouter } from '../desk/vrouters.ts';
import { openDesk, tester } from '../testing/store.ts';
import { lastAudit } from './audit.ts';
import { latestCertificate, latestCertificates } from './certificates.ts';
import { count, readCounters } from './counters.ts';
import { changesOf } from './intents.ts';
import { allVrouters, networksOf } from './vrouters.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-numbers-'));
after(() => rmSync(folder, { recursive: true, force: true }));

test('none of nothing is nothing', async () => {
  const desk = await openDesk(join(folder, 'b.db'));
  assert.deepEqual(await desk.db.selectFrom('counters').selectAll().where('name', 'in', []).execute(), []);
  await desk.db.destroy();
});

test('times, versions, counts and greatest values are numbers', async () => {
  const desk = await openDesk(join(folder, 'a.db'));
  await createVrouter(desk, tester, createVrouterRequest.parse({ name: 'v', networks: ['10.0.0.0/24', 'fd00::/64'] }));
  const [row] = await allVrouters(desk.db);
  assert.equal(row!.createdUnixMs, desk.clock.unixMs, 'more than 32 bits');
  assert.equal(row!.version, 1);
  const [, second] = await networksOf(desk.db, row!.id);
  assert.equal(second!.lowestFree, 2);
  assert.deepEqual(
    (await changesOf(desk.db, row!.id)).map(({ version, atUnixMs }) => [version, atUnixMs]),
    [[1, desk.clock.unixMs]],
  );
  await count(desk.db, 'changes');
  assert.equal((await readCounters(desk.db)).get('changes'), 2);
  assert.equal(typeof (await lastAudit(desk.db, 1))[0]!.id, 'number');

  const at = desk.clock.unixMs;
  await desk.db
    .insertInto('gateways')
    .values({
      id: 'g',
      vrouterId: row!.id,
      wireguardPublicKey: 'k',
      hostname: 'h',
      softwareVersion: '0',
      plane: null,
      registeredUnixMs: at,
      revokedUnixMs: null,
      lastPollUnixMs: null,
      storedVersion: null,
      appliedVersion: null,
      told: null,
      tokenId: 't',
      csrFingerprint: 'f',
      joinReply: '{}',
    })
    .execute();
  for (const [serial, end] of [
    ['1', at + 1],
    ['2', at + 9],
  ] as const)
    await desk.db
      .insertInto('certificates')
      .values({ serial, gatewayId: 'g', notBeforeUnixMs: at, notAfterUnixMs: end })
      .execute();
  assert.equal((await latestCertificate(desk.db, 'g'))?.notAfterUnixMs, at + 9);
  assert.equal(await latestCertificate(desk.db, 'nobody'), undefined);
  assert.deepEqual(
    [...(await latestCertificates(desk.db))].map(([id, row]) => [id, row.notAfterUnixMs]),
    [['g', at + 9]],
  );
  await desk.db.destroy();
});
