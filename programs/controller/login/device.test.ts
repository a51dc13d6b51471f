/** Logins on machines without a browser, with a real provider: what the controller carries for them, and what is not taken twice. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { lastAudit } from '../store/audit.ts';
import { Browser } from '../testing/browser.ts';
import { SECRET, SECRET_CLIENT, TestProvider } from '../testing/oidc.testing.ts';
import { is, openScene, type Scening } from './scene.testing.ts';

const folder = mkdtempSync(join(tmpdir(), 'vrouter-device-'));
const at = await TestProvider.start();
at.people.set('s-kim', { groups: ['net-operators'], preferred_username: 'kim' });
at.people.set('s-max', { groups: ['chess'], preferred_username: 'max' });
after(async () => {
  await at[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});
let files = 0;
let sources = 0;
const from = () => ({ address: '192.0.2.7', source: `source ${sources++}` });

async function begin(more: Scening = {}, path = join(folder, `${files++}.db`)) {
  const set = await openScene(path, at, more);
  const begun = await set.login.beginDevice(from());
  const ask = (device = begun.device) => set.login.logIn({ device }, from());
  const approve = (subject: string) => new Browser().approveDevice(begun.verificationUriComplete!, subject);
  return { ...set, path, begun, ask, approve };
}

test('the person logs in elsewhere, and the handle becomes a session, once', async () => {
  const { ask, approve, begun, db, lastReason } = await begin();
  assert.match(begun.userCode, /^[A-Z]{4}-[A-Z]{4}$/);
  await assert.rejects(ask(), is('login.pending'));
  assert.deepEqual(await lastAudit(db, 1), [], 'waiting is no failure');
  await approve('s-kim');
  const { user, role } = await ask();
  assert.deepEqual([user, role], ['kim', 'operator']);
  await assert.rejects(ask(), is('login.refused'));
  assert.equal((await lastReason()).reason, 'device');
});

test('a controller beside this one goes on with it; a stranger with a handle of his own does not', async () => {
  const path = join(folder, 'two.db');
  const one = await begin({}, path);
  const two = await begin({}, path);
  await one.approve('s-kim');
  assert.equal((await two.ask(one.begun.device)).user, 'kim');
  const other = await begin();
  const bytes = Buffer.from(other.begun.device, 'base64');
  bytes[20]! ^= 1;
  for (const device of [
    bytes.toString('base64'),
    '',
    'x',
    other.begun.device.slice(0, 20),
    `${other.begun.userCode}`,
  ]) {
    await assert.rejects(other.ask(device), is('login.refused'), device);
    assert.equal((await other.lastReason()).reason, 'device');
  }
});

test('it needs a role, and ends with its time', async () => {
  const refused = await begin();
  await refused.approve('s-max');
  await assert.rejects(refused.ask(), is('login.noRole'));
  const late = await begin();
  late.clock.unixMs = late.begun.expiresUnixMs;
  await assert.rejects(late.ask(), is('login.refused'));
});

test('a client with a secret can do it too, since it is the controller that asks', async () => {
  const set = await begin({ provider: { clientId: SECRET_CLIENT, clientSecret: SECRET } });
  await set.approve('s-kim');
  assert.equal((await set.ask()).user, 'kim');
});

test('a provider that is away is told of', async () => {
  const { login, ask } = await begin();
  await at.down();
  try {
    await assert.rejects(login.beginDevice(from()), is('login.unavailable'));
    await assert.rejects(ask(), is('login.unavailable'));
  } finally {
    await at.up();
  }
  await assert.rejects(ask(), is('login.pending'));
});

test('nobody makes the controller ask without end', async () => {
  const { login } = await begin();
  const one = { address: '192.0.2.8', source: 'one' };
  for (let i = 0; i < 20; i++) await login.beginDevice(one);
  const asked = at.times('/device/auth');
  await assert.rejects(login.beginDevice(one), is('request.limited'));
  assert.equal(at.times('/device/auth'), asked);
});
