/** What depends on the clock, over real TLS with a clock that the test moves: tokens that end, certificates that end, grace, limits. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { registerReply, renewReply } from '@vrouter/api/agent/agent.ts';
import { createTokenRequest } from '@vrouter/api/rest/join-tokens.ts';
import { createVrouterRequest } from '@vrouter/api/rest/vrouters.ts';
import { pino } from 'pino';
import { Authority } from '../ca/authority.ts';
import { createToken, removeToken } from '../desk/join-tokens.ts';
import { createVrouter, revokeGateway } from '../desk/vrouters.ts';
import { History } from '../history/history.ts';
import { Metrics } from '../metrics/metrics.ts';
import { RotationWatch } from '../rotation/watch.ts';
import { lastAudit } from '../store/audit.ts';
import { type Answer, makeRequest, prepareJoin, register, TestGateway, wireguardKey } from '../testing/gateway.ts';
import { openDesk, type TestDesk, tester } from '../testing/store.ts';
import { JoinService } from './join.ts';
import { type AgentListener, agentListener, deletion, sourceOf } from './listener.ts';
import { PollService } from './poll.ts';
import { RenewService } from './renew.ts';

const HOUR_MS = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), 'vrouter-listener-'));
let desk: TestDesk;
let listener: AgentListener;
const gateways: TestGateway[] = [];

before(async () => {
  // TLS itself judges certificates by the real clock, so the test starts there and moves ours.
  const clock = { unixMs: Date.now() };
  const unixMs = (): number => clock.unixMs;
  const authority = await Authority.open(join(folder, 'ca'), null, unixMs);
  const opened = await openDesk(join(folder, 'store.db'), clock);
  const { db, desired, roster, events } = opened;
  const metrics = new Metrics();
  const joins = new JoinService(db, desired, roster, authority, events, metrics, 'controller', unixMs, () => []);
  const rotations = new RotationWatch(opened, pino({ level: 'silent' }));
  const poll = new PollService(desired, new History(db, unixMs), events, metrics, rotations, unixMs, {
    controllers: () => [],
    deleted: (id) => deletion(db, id),
  });
  const renew = new RenewService(db, desired, authority, events, unixMs);
  const services = { db, provider: authority, roster, join: joins, poll, renew, controllerId: 'controller', unixMs };
  listener = await agentListener(services, await authority.server(['127.0.0.1'], null, 0), pino({ level: 'silent' }));
  await listener.listen({ host: '127.0.0.1', port: 0 });
  const { port } = listener.server.address() as AddressInfo;
  desk = { ...opened, agentsUrls: () => [`https://127.0.0.1:${port}`], rootFingerprint: authority.rootFingerprint };
});

after(async () => {
  for (const gateway of gateways) gateway.close();
  await listener.close();
  await desk.db.destroy();
  rmSync(folder, { recursive: true, force: true });
});

async function joinString(name: string): Promise<string> {
  return (await createVrouter(desk, tester, createVrouterRequest.parse({ name }))).join.string;
}

function codeOf(answer: Answer): string {
  return (answer.json as { error?: { code: string } }).error?.code ?? `${answer.status}`;
}

async function at<T>(laterMs: number, work: () => Promise<T>): Promise<T> {
  const start = desk.clock.unixMs;
  desk.clock.unixMs = start + laterMs;
  try {
    return await work();
  } finally {
    desk.clock.unixMs = start;
  }
}

test('a token ends after an hour and some skew, and says no more than a wrong one', async () => {
  const joining = await prepareJoin(await joinString('expiry'));
  const late = await at(HOUR_MS + 61_000, () => register(joining));
  assert.equal(codeOf(late), 'join.refused');
  const wrong = await register({
    ...joining,
    token: `${joining.token.slice(0, -1)}${joining.token.endsWith('A') ? 'B' : 'A'}`,
  });
  assert.deepEqual(late.json, wrong.json);
  const [, expired] = await lastAudit(desk.db, 2);
  assert.equal(expired!.reason, 'expired');
  assert.equal((await at(HOUR_MS + 59_000, () => register(joining))).status, 200);
});

test('a retry gets the same answer for ten minutes', async () => {
  const joining = await prepareJoin(await joinString('retry'));
  const first = registerReply.parse((await register(joining)).json);
  const again = registerReply.parse((await at(9 * 60_000, () => register(joining))).json);
  assert.deepEqual(again.certificateChain, first.certificateChain);
  assert.equal(codeOf(await at(11 * 60_000, () => register(joining))), 'join.refused');
});

test('a certificate ends, is renewed within a week, and not after', async () => {
  const joining = await prepareJoin(await joinString('grace'));
  const gateway = new TestGateway(joining, registerReply.parse((await register(joining)).json));
  gateways.push(gateway);
  const poll = async () => {
    const answer = await gateway.send(gateway.next());
    if (answer.status === 200) gateway.take(answer);
    return answer;
  };
  assert.equal((await poll()).status, 200);
  assert.equal((await at(8 * HOUR_MS + 4 * 60_000, poll)).status, 200, 'clocks may differ by five minutes');
  assert.equal(
    codeOf(await at(8 * HOUR_MS + 5 * 60_000 + 1000, poll)),
    'certificate.required',
    'also on a connection that was good',
  );
  const request = await makeRequest();
  const renew = () => gateway.post('/vrouter/renew', { csr: request.csr });
  const late = await at(8 * HOUR_MS + 8 * 24 * HOUR_MS, renew);
  assert.equal(codeOf(late), 'certificate.required');
  assert.match(JSON.stringify(late.json), /ended 8 days ago .* too long to renew it; join again/);
  const renewed = await at(20 * HOUR_MS, renew);
  assert.equal(renewed.status, 200);
  const [row] = await lastAudit(desk.db, 1);
  assert.equal(row!.action, 'certificate.renew');
  assert.match(row!.reason!, /ended/);
  assert.equal(renewReply.parse(renewed.json).certificateChain.length, 2);
  // A certificate from later on says that our clock was put back, which is not the gateway's fault.
  gateway.rekey(request.key, renewReply.parse(renewed.json).certificateChain);
  assert.equal((await poll()).status, 200);
});

test('a revoked gateway is refused on the connection that it has, and the poll that was held ends', async () => {
  const joining = await prepareJoin(await joinString('revoked'));
  const gateway = new TestGateway(joining, registerReply.parse((await register(joining)).json));
  gateways.push(gateway);
  await gateway.poll();
  const held = gateway.send(gateway.next({ waitMs: 25_000 }));
  const { id } = desk.desired.get('revoked').row;
  while (desk.roster.of(id)!.held.size === 0) await delay(5);
  const from = performance.now();
  assert.equal(await revokeGateway(desk, tester, 'revoked'), gateway.reply.gatewayId);
  assert.equal(codeOf(await held), 'poll.identity');
  assert.ok(performance.now() - from < 1000, 'the held poll ended at once');
  assert.equal(codeOf(await gateway.send(gateway.next())), 'poll.identity');
  assert.equal(codeOf(await gateway.post('/vrouter/renew', { csr: (await makeRequest()).csr })), 'poll.identity');
  // Its own request again, within ten minutes, is no way back in either.
  assert.equal(codeOf(await register(joining)), 'join.refused');
  await assert.rejects(revokeGateway(desk, tester, 'revoked'), /no gateway/);
});

test('a token is for so many joins, from where it says, until it is revoked; the answer says no more than of a wrong one', async () => {
  await joinString('terms');
  const make = async (terms: object) => {
    const made = await createToken(desk, tester, 'terms', createTokenRequest.parse(terms));
    return prepareJoin(made.join.string);
  };
  const again = async (joining: Awaited<ReturnType<typeof make>>) =>
    register({ ...joining, request: await makeRequest(), wireguardPublicKey: wireguardKey() });
  const twice = await make({ uses: 2, sourcePrefix: '127.0.0.0/8' });
  assert.equal((await register(twice)).status, 200);
  assert.equal((await again(twice)).status, 200);
  const used = await again(twice);
  const elsewhere = await register(await make({ sourcePrefix: '192.0.2.0/24' }));
  const revoked = await make({});
  const first = await register(revoked);
  assert.equal(first.status, 200);
  await removeToken(desk, tester, 'terms', revoked.token.slice(4, 12));
  const refused = await register(revoked);
  assert.equal(codeOf(refused), 'join.refused', 'not even to whom has lost the answer');
  assert.deepEqual([used.json, elsewhere.json], [refused.json, refused.json]);
  const reasons = (await lastAudit(desk.db, 12))
    .filter(({ outcome }) => outcome === 'refused')
    .map(({ reason }) => reason);
  assert.deepEqual(reasons.slice(0, 3), ['revoked', 'elsewhere', 'used']);
});

test('who fails too often must wait, even with a good token', async () => {
  const joining = await prepareJoin(await joinString('limit'));
  const answers = [];
  for (let i = 0; i < 30; i++) answers.push(codeOf(await register({ ...joining, token: 'vrj_nonsense' })));
  assert.ok(answers.slice(0, 10).every((code) => code === 'join.refused'));
  assert.equal(answers.at(-1), 'request.limited');
  assert.equal(codeOf(await register(joining)), 'request.limited');
  assert.equal((await at(10_000, () => register(joining))).status, 200, 'and the token was not burnt');
});

for (const [ip, source] of [
  ['192.0.2.7', '192.0.2.7'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['::1', '::/64'],
] as const)
  test(`limits know ${ip} as ${source}`, () => assert.equal(sourceOf({ ip }), source));
