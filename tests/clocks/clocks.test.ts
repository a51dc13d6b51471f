/** Wrong clocks and certificates that have ended: real programs, real TLS. Nobody is locked out who should not be, and all is told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needs } from '../world/needs.ts';
import { ClockLab } from './lab.ts';

const skip = needs('faketime');
const HOUR = 3600;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

for (const [name, off, text] of [
  ['ahead', YEAR, /365 days ahead of the controller's; set it \(NTP\)/],
  ['behind', -YEAR, /365 days behind the controller's; set it \(NTP\)/],
] as const) {
  test(`a gateway whose clock is a year ${name} joins, hears of changes and renews when it is time, not before`, {
    skip,
  }, async () => {
    await using lab = new ClockLab();
    lab.set('gateway', off);
    await lab.startController();
    await lab.startGateway(await lab.joinString());
    const controller = await lab.until(
      'it polls',
      ({ state, clockOffsetMs }) => state === 'connected' && clockOffsetMs !== null,
    );
    assert.ok(Math.abs(controller.clockOffsetMs! + off * 1000) < 5000);
    assert.equal(controller.certificateState, 'good');
    assert.equal(controller.outlook?.condition, 'clockWrong');
    await lab.change('first');
    assert.match(lab.log, text);
    // A restart begins without knowing the controller's clock.
    await lab.stopGateway();
    await lab.startGateway();
    await lab.until('it polls again', ({ state }) => state === 'connected');
    await lab.change('second');
    const issued = await lab.issued();
    assert.ok(issued <= 2, `${issued} certificates: by the wrong clock one would be due at each poll`);
    await lab.gateway.renewCertificate();
    const before = controller.certificateExpiresUnixMs!;
    await lab.until('another certificate', ({ certificateExpiresUnixMs }) => certificateExpiresUnixMs! > before);
    await lab.change('third');
  });

  test(`a gateway's clock jumps a year ${name} while it runs, and back`, { skip }, async () => {
    await using lab = new ClockLab();
    await lab.startController();
    await lab.startGateway(await lab.joinString());
    await lab.until('it polls', ({ state }) => state === 'connected');
    for (const [round, seconds] of [off, 0].entries()) {
      await lab.jump('gateway', seconds);
      // New connections, so that certificates are looked at.
      await lab.stopController();
      await lab.startController();
      await lab.change(`round-${round}`);
      const { clockOffsetMs } = await lab.until(
        'the offset to be known',
        (now) => now.state === 'connected' && Math.abs(now.clockOffsetMs! + seconds * 1000) < 5000,
      );
      assert.ok(clockOffsetMs !== null);
    }
    assert.equal(await lab.issued(), 1, 'and no certificate was asked for before its time');
  });
}

test("the controller's clock is put back a year, and set right again", { skip }, async () => {
  await using lab = new ClockLab();
  await lab.startController();
  await lab.startGateway(await lab.joinString());
  await lab.change('before');
  for (const [name, off] of [
    ['back', -YEAR],
    ['right', 0],
  ] as const) {
    await lab.jump('controller', off);
    await lab.change(name);
    await lab.stopController();
    await lab.startController();
    await lab.change(`${name}-restarted`);
  }
});

test("the controller's clock runs three days ahead, and a year: who was refused comes back with the right time", {
  skip,
}, async () => {
  await using lab = new ClockLab();
  await lab.startController();
  await lab.startGateway(await lab.joinString());
  await lab.change('before');
  await lab.jump('controller', 3 * DAY);
  await lab.change('three-days');
  await lab.jump('controller', 0);
  await lab.change('back-from-three-days');
  await lab.jump('controller', YEAR);
  const { lastError } = await lab.until('to be refused', ({ state }) => state === 'refused', 60_000);
  assert.match(lastError!, /ended 36\d days ago by this controller's clock, too long to renew it/);
  await lab.jump('controller', 0);
  // Refused ones ask again every five minutes; a person need not wait so long.
  await lab.gateway.renewCertificate();
  await lab.until('it polls again', ({ state }) => state === 'connected');
  await lab.change('back-from-a-year');
});

for (const [name, seconds] of [
  ['an hour', 9 * HOUR],
  ['nearly a week', 7 * DAY + 7 * HOUR],
] as const)
  test(`a certificate that ended ${name} ago is renewed by itself, and the audit knows`, { skip }, async () => {
    await using lab = new ClockLab();
    await lab.startController();
    await lab.startGateway(await lab.joinString());
    await lab.change('before');
    await lab.stopGateway();
    await lab.stopController();
    // Both slept.
    lab.set('controller', seconds);
    lab.set('gateway', seconds);
    await lab.startController();
    assert.equal((await lab.vrouterStatus()).certificate?.state, 'ended');
    await lab.startGateway();
    await lab.until('it polls', ({ state, certificateState }) => state === 'connected' && certificateState === 'good');
    await lab.change('after');
    const { certificate } = await lab.vrouterStatus();
    assert.equal(certificate?.state, 'good');
    assert.equal(await lab.issued(), 2);
  });

test('a certificate that ended eight days ago is refused and told; the plane goes on, and a new join string helps', {
  skip,
}, async () => {
  await using lab = new ClockLab();
  await lab.startController();
  await lab.startGateway(await lab.joinString());
  await lab.change('before');
  await lab.stopGateway();
  await lab.stopController();
  for (const who of ['controller', 'gateway'] as const) lab.set(who, 8 * DAY + 9 * HOUR);
  await lab.startController();
  const { certificate } = await lab.vrouterStatus();
  assert.ok(certificate!.lockoutInMs < 0);
  await lab.startGateway();
  const { lastError, outlook } = await lab.until('to be refused', ({ state }) => state === 'refused');
  assert.match(lastError!, /ended 8 days ago .*join again with a new join string \(vrouterctl vrouter token\)/);
  assert.equal(outlook?.condition, 'lockedOut');
  assert.ok(
    (await lab.gateway.peers()).some((peer) => peer.name === 'before'),
    'what it knew is on the plane',
  );
  await lab.stopGateway();
  await lab.startGateway(await lab.joinString());
  await lab.until('it polls', ({ state }) => state === 'connected');
  await lab.change('after');
});
