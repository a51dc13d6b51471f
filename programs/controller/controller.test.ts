/** The whole client flow against the real process, over real TLS. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { renewReply } from '@vrouter/api/agent/agent.ts';
import type { CaReply } from '@vrouter/api/rest/ca.ts';
import type { CreatePeerReply, PeerList } from '@vrouter/api/rest/peers.ts';
import type { CreateVrouterReply, VrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import { StateHash } from '@vrouter/intent/version/hash.ts';
import { Authority } from './ca/authority.ts';
import { sha256 } from './ca/keys.ts';
import { readRequest } from './ca/request.ts';
import { makeRequest, prepareJoin, register, TestGateway, wireguardKey } from './testing/gateway.ts';
import { place } from './testing/place.ts';
import { ControllerProcess } from './testing/spawn.ts';

const data = mkdtempSync(join(tmpdir(), 'vrouter-controller-'));
let controller: ControllerProcess;
const gateways: TestGateway[] = [];

before(async () => {
  controller = await ControllerProcess.start(data);
});

after(async () => {
  for (const gateway of gateways) gateway.close();
  await controller.end('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

async function makeVrouter(name: string, networks?: readonly string[]): Promise<string> {
  const { status, json } = await controller.call('POST', '/v1/vrouters', { name, networks });
  assert.equal(status, 201, JSON.stringify(json));
  return (json as CreateVrouterReply).join.string;
}

async function joined(name: string): Promise<TestGateway> {
  const gateway = await TestGateway.join(await makeVrouter(name));
  gateways.push(gateway);
  return gateway;
}

async function addPeer(vrouter: string, name: string): Promise<CreatePeerReply> {
  const body = { name, publicKey: wireguardKey() };
  const { status, json } = await controller.call('POST', `/v1/vrouters/${vrouter}/peers`, body);
  assert.equal(status, 201, JSON.stringify(json));
  return json as CreatePeerReply;
}

function codeOf(answer: { json: unknown }): string {
  return (answer.json as { error: { code: string } }).error.code;
}

function hashOf(state: ReadonlyMap<string, unknown>): string {
  const hash = new StateHash(sha256);
  for (const [key, intent] of state) hash.add(key, intent);
  return hash.hex();
}

test('join, first state, delta, and the hash of each', async () => {
  const gateway = await joined('flow');
  assert.equal(gateway.reply.assignedIp, '10.77.0.1');
  assert.equal(gateway.reply.name, 'flow');
  const first = await gateway.poll();
  assert.equal(first.baseVersion, null);
  assert.equal(first.version, 1);
  assert.deepEqual([...gateway.state.keys()].sort(), [
    'address/wg0/10.77.0.1/24',
    'address/wg0/fd77::1/64',
    'gatewayInterface/wg0',
  ]);
  assert.equal(first.hash, hashOf(gateway.state));

  const { peer, version } = await addPeer('flow', 'laptop');
  assert.deepEqual(peer.addresses, ['10.77.0.2/32', 'fd77::2/128']);
  const second = await gateway.poll();
  assert.equal(second.baseVersion, 1);
  assert.equal(second.version, version);
  assert.deepEqual(
    second.ops.map((op) => op.key),
    [`peer/wg0/${peer.publicKey}`],
  );
  assert.equal(second.hash, hashOf(gateway.state));

  assert.equal(
    (await controller.call('DELETE', `/v1/vrouters/flow/peers/${encodeURIComponent(peer.publicKey)}`)).status,
    200,
  );
  const third = await gateway.poll();
  assert.deepEqual(third.ops, [{ op: 'remove', key: `peer/wg0/${peer.publicKey}` }]);
  assert.equal(third.hash, hashOf(gateway.state));
  const nothing = await gateway.poll();
  assert.deepEqual(nothing.ops, []);
  assert.equal(nothing.baseVersion, 3);
  assert.equal(nothing.pollAfterMs, 5000, 'who does not wait here is told to pause');
});

test('a hash that is not ours gets everything', async () => {
  const gateway = await joined('resync');
  await gateway.poll();
  await addPeer('resync', 'a');
  gateway.storedHash = 'ab'.repeat(32);
  assert.equal((await gateway.poll()).baseVersion, null);
  assert.equal((await gateway.poll({ full: true })).baseVersion, null);
  assert.equal((await gateway.poll()).baseVersion, 2);
});

test('a version that we never had is not taken away without a word', async () => {
  const gateway = await joined('ahead');
  await gateway.poll();
  const mine = { version: gateway.storedVersion, hash: gateway.storedHash };
  Object.assign(gateway, { storedVersion: 99, storedHash: 'ab'.repeat(32) });
  for (const changes of [{}, { full: true }]) {
    const reply = await gateway.poll(changes);
    assert.deepEqual([reply.version, reply.baseVersion, reply.hash], [99, 99, 'ab'.repeat(32)]);
    assert.deepEqual(reply.ops, []);
  }
  const status = (await controller.call('GET', '/v1/vrouters/ahead/status')).json as VrouterStatus;
  assert.match(status.held?.reason ?? '', /version 99.*restored/);
  // What is made now passes the lost version by and by, and is still not what the gateway has.
  const held = gateway.send(gateway.next({ waitMs: 20_000 }));
  await delay(50);
  const { version } = await addPeer('ahead', 'a');
  assert.equal(gateway.take(await held).version, 99);
  assert.deepEqual((await controller.call('POST', '/v1/vrouters/ahead/confirm-shrink')).json, { version });
  const all = await gateway.poll();
  assert.deepEqual([all.version, all.baseVersion, all.confirmShrink], [version, null, true]);
  assert.equal(all.hash, hashOf(gateway.state));
  await gateway.poll();
  const after = (await controller.call('GET', '/v1/vrouters/ahead/status')).json as VrouterStatus;
  assert.equal(after.held, null);
  // A version of ours with another's hash, before what was lost, is a fault of the gateway's and mended as ever.
  Object.assign(gateway, { storedVersion: mine.version, storedHash: 'cd'.repeat(32) });
  assert.equal((await gateway.poll()).baseVersion, null);
});

test('a held poll is answered at once by a change', async () => {
  const gateway = await joined('held');
  await gateway.poll();
  const latencies: number[] = [];
  for (let i = 0; i < 5; i++) {
    const held = gateway.send(gateway.next({ waitMs: 20_000 }));
    await delay(60);
    await addPeer('held', `p${i}`);
    const committed = performance.now();
    const reply = gateway.take(await held);
    latencies.push(performance.now() - committed);
    assert.equal(reply.ops.length, 1);
    assert.equal(reply.version, 2 + i);
    assert.ok((reply.heldMs ?? 0) >= 50);
  }
  assert.ok(Math.min(...latencies) < 100, `ms after the answer to REST: ${latencies.join(' ')}`);
  const timeout = await gateway.poll({ waitMs: 150 });
  assert.deepEqual(timeout.ops, []);
});

test('an identical retry gets the same answer, anything else is a replay', async () => {
  const gateway = await joined('replay');
  const body = gateway.next();
  const first = await gateway.send(body);
  const again = await gateway.send(body);
  assert.deepEqual(again, first);
  gateway.take(first);
  const changed = await gateway.send({ ...body, appliedVersion: 7 });
  assert.equal(changed.status, 409);
  assert.equal(codeOf(changed), 'poll.replay');
  const { nextNonce } = changed.json as { nextNonce: string };
  assert.equal((await gateway.send({ ...gateway.next(), nonce: 'made up' })).status, 409);
  const stale = await gateway.send({ ...gateway.next(), seq: 1, nonce: nextNonce });
  assert.equal(stale.status, 409);
  gateway.nonce = (stale.json as { nextNonce: string }).nextNonce;
  assert.equal((await gateway.send(gateway.next())).status, 200);
});

test('who is not the gateway that its certificate says is refused', async () => {
  const gateway = await joined('identity');
  const other = await gateway.send(gateway.next({ gatewayId: '00000000-0000-4000-8000-000000000000' }));
  assert.equal(other.status, 403);
  assert.equal(codeOf(other), 'poll.identity');
  // Another authority that calls itself and the gateway by the same names.
  const folder = join(data, 'impostor');
  const impostor = await Authority.open(folder, null, Date.now);
  const request = await makeRequest();
  const csr = await readRequest(request.csr);
  assert.ok(csr.ok);
  const forged = await impostor.issue(gateway.reply.gatewayId, csr.value);
  gateway.rekey(request.key, forged.chain);
  assert.equal(codeOf(await gateway.send(gateway.next())), 'certificate.required');
});

test('a revoked gateway is shut out at once, and another one can join', async () => {
  const gateway = await joined('revoke');
  await gateway.poll();
  const from = performance.now();
  const held = gateway.send(gateway.next({ waitMs: 25_000 }));
  await delay(100);
  const { status, json } = await controller.call('POST', '/v1/vrouters/revoke/revoke');
  assert.deepEqual([status, json], [200, { revoked: gateway.reply.gatewayId }]);
  assert.equal(codeOf(await held), 'poll.identity');
  assert.ok(performance.now() - from < 3000, 'the held poll ended at once');
  assert.equal(codeOf(await gateway.send(gateway.next())), 'poll.identity');
  const again = await controller.call('POST', '/v1/vrouters/revoke/revoke');
  assert.deepEqual([again.status, codeOf(again)], [404, 'intent.notFound']);
  const token = await controller.call('POST', '/v1/vrouters/revoke/tokens');
  const another = await TestGateway.join((token.json as { join: { string: string } }).join.string);
  gateways.push(another);
  assert.equal((await another.poll()).baseVersion, null);
});

test('how long a certificate lasts, and when its gateway is locked out, is in the status and in the metrics', async () => {
  await joined('lifetime');
  const { certificate } = (await controller.call('GET', '/v1/vrouters/lifetime/status')).json as VrouterStatus;
  assert.equal(certificate?.state, 'good');
  assert.ok(Math.abs(certificate!.lockoutInMs - (7 * 24 + 8) * 3_600_000) < 60_000);
  const metrics = String((await controller.call('GET', '/metrics')).json);
  const [, seconds] = /certificate_lockout_seconds\{vrouter="lifetime"\} (\S+)/.exec(metrics) ?? [];
  assert.ok(Math.abs(Number(seconds) - (7 * 24 + 8) * 3600) < 60);
  assert.match(metrics, /certificates\{state="good"\} [1-9]/);
  assert.match(metrics, /ca_working 1\n/);
});

test('the grace is a matter of policy', async () => {
  const other = mkdtempSync(join(tmpdir(), 'vrouter-grace-'));
  const strict = await ControllerProcess.start(other, [0, 0], ['--certificate-grace', '0.5']);
  try {
    const { json } = await strict.call('POST', '/v1/vrouters', { name: 'strict' });
    gateways.push(await TestGateway.join((json as CreateVrouterReply).join.string));
    const { certificate } = (await strict.call('GET', '/v1/vrouters/strict/status')).json as VrouterStatus;
    assert.ok(Math.abs(certificate!.lockoutInMs - 20 * 3_600_000) < 60_000, '8 h and half a day');
  } finally {
    await strict.end('SIGKILL');
    rmSync(other, { recursive: true, force: true });
  }
});

test('a rotation of the intermediate is noticed by nobody, not even over a kill -9', async () => {
  const gateway = await joined('rotation');
  await gateway.poll();
  const held = gateway.send(gateway.next({ waitMs: 3000 }));
  const before = (await controller.call('GET', '/v1/ca')).json as CaReply;
  const rotated = await controller.call('POST', '/v1/ca/rotate');
  assert.equal(rotated.status, 200);
  const { issuers } = rotated.json as CaReply;
  assert.deepEqual(
    issuers.map(({ active }) => active),
    [true, false],
  );
  assert.equal(issuers[1]!.serial, before.issuers[0]!.serial);
  assert.equal((await held).status, 200, 'a poll that was held ended as if nothing had been');
  gateway.take(await held);
  const ports = [Number(new URL(controller.rest).port), Number(new URL(controller.agents).port)] as const;
  for (const kill of [false, true]) {
    if (kill) {
      await controller.end('SIGKILL');
      controller = await ControllerProcess.start(data, ports);
    }
    // New connections: the listener shows the new chain, the gateway the old one.
    gateway.reconnect();
    const answer = await gateway.send(gateway.next());
    if (answer.status === 409) gateway.nonce = (answer.json as { nextNonce: string }).nextNonce;
    else assert.equal(answer.status, 200);
  }
  assert.equal(gateway.reply.certificateChain[1], gateway.reply.certificateChain.at(-1));
  const request = await makeRequest();
  const renewed = renewReply.parse((await gateway.post('/vrouter/renew', { csr: request.csr })).json);
  assert.notEqual(renewed.certificateChain[1], gateway.reply.certificateChain[1], 'the new one issues');
  gateway.rekey(request.key, renewed.certificateChain);
  await gateway.poll();
  await (await joined('rotation-after')).poll();
});

test('a resumed TLS session is still known for whose it is', async () => {
  const gateway = await joined('resumed');
  let resumed = false;
  for (let i = 0; i < 3; i++) {
    await gateway.poll();
    for (const sockets of Object.values(gateway.agent.freeSockets))
      for (const socket of sockets ?? []) resumed ||= (socket as TLSSocket).isSessionReused();
    gateway.reconnect();
    await delay(20);
  }
  assert.ok(resumed, 'or this test says nothing');
});

test('malformed, unknown, wrong, used and expired tokens are told the same', async () => {
  const good = await prepareJoin(await makeVrouter('tokens'));
  const id = good.token.slice(4, 12);
  const secret = good.token.slice(13);
  const tries = ['nonsense', `vrj_aaaaaaaa_${secret}`, `vrj_${id}_${'A'.repeat(43)}`];
  const answers = [];
  for (const token of tries) answers.push(await register({ ...good, token }));
  assert.equal((await register(good)).status, 200, 'failures do not burn the token');
  answers.push(await register({ ...good, wireguardPublicKey: wireguardKey() }));
  answers.push(await register({ ...good, request: await makeRequest() }));
  for (const answer of answers) {
    assert.equal(answer.status, 403);
    assert.deepEqual(answer.json, answers[0]!.json);
  }
  assert.equal(codeOf(answers[0]!), 'join.refused');
  const audit = (await controller.call('GET', '/v1/audit?last=8')).json as { audit: { reason: string | null }[] };
  const reasons = audit.audit.map((row) => row.reason);
  for (const reason of ['malformed', 'unknown', 'wrongSecret', 'used']) assert.ok(reasons.includes(reason), reason);
  assert.ok(!JSON.stringify(audit).includes(secret), 'no secret is written down');
});

test('a join that lost its answer is repeated alike', async () => {
  const joining = await prepareJoin(await makeVrouter('retry'));
  const first = await register(joining);
  const second = await register(joining);
  assert.equal(second.status, 200);
  const certificate = (answer: { json: unknown }) => (answer.json as { certificateChain: string[] }).certificateChain;
  assert.deepEqual(certificate(second), certificate(first));
});

test('a new gateway takes the place of the old one, which is refused from then on', async () => {
  const old = await joined('replace');
  await old.poll();
  const held = old.send(old.next({ waitMs: 20_000 }));
  await delay(30);
  const { json } = await controller.call('POST', '/v1/vrouters/replace/tokens');
  const fresh = await TestGateway.join((json as CreateVrouterReply).join.string);
  gateways.push(fresh);
  assert.equal(codeOf(await held), 'poll.identity');
  assert.equal(codeOf(await old.send(old.next())), 'poll.identity');
  assert.equal((await fresh.poll()).version, 1);
});

test('a certificate is renewed, for a new key too', async () => {
  const gateway = await joined('renew');
  const request = await makeRequest();
  const answer = await gateway.post('/vrouter/renew', { csr: request.csr });
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  gateway.rekey(request.key, renewReply.parse(answer.json).certificateChain);
  assert.equal((await gateway.poll()).version, 1);
  assert.equal(codeOf(await gateway.post('/vrouter/renew', { csr: 'no request' })), 'input.invalid');
});

test('status, statistics and errors of a gateway are seen over REST', async () => {
  const gateway = await joined('seen');
  const { peer } = await addPeer('seen', 'phone');
  await gateway.poll();
  const stats = {
    epoch: 'e1',
    peers: [
      {
        interface: 'wg0',
        publicKey: peer.publicKey,
        endpoint: '192.0.2.7:4000',
        lastHandshakeUnixMs: 1_700_000_000_000,
        rxBytes: 10,
        txBytes: 20,
        rxPackets: 1,
        txPackets: 2,
      },
    ],
    drops: { noRoute: 3 },
    objects: 9,
    reconciles: 1,
    driftRepaired: 0,
  };
  const errors = [{ key: 'link/wg0', code: 'plane.failed', message: 'no' }];
  await gateway.poll({ stats, errors, appliedVersion: 2, clockOffsetMs: 12 });
  const status = (await controller.call('GET', '/v1/vrouters/seen/status')).json as VrouterStatus;
  assert.equal(status.registered && status.connected, true);
  assert.equal(status.appliedVersion, 2);
  assert.equal(status.plane, 'fake');
  assert.equal(status.clockOffsetMs, 12);
  assert.deepEqual(status.errors, errors);
  assert.equal(status.stats?.drops.noRoute, 3);
  const row = (await controller.call('GET', '/v1/vrouters/seen/peers/phone')).json as CreatePeerReply;
  assert.equal(row.peer.live?.endpoint, '192.0.2.7:4000');
  assert.equal(row.peer.live?.rxBytes, 10);
  assert.ok(row.gateway.publicKey !== null);
  const events = await fetch(`${controller.rest}/v1/events`, {
    headers: { 'last-event-id': '0', authorization: `Bearer ${controller.token}` },
  });
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('version.applied')) text += (await reader.read()).value ?? assert.fail(text);
  await reader.cancel();
});

test('kill -9 and a start end in the same state, and polling goes on', async () => {
  const gateway = await joined('crash');
  await gateway.poll();
  const { peer, version } = await addPeer('crash', 'before');
  const ports = [Number(new URL(controller.rest).port), Number(new URL(controller.agents).port)] as const;
  await controller.end('SIGKILL');
  controller = await ControllerProcess.start(data, ports);
  const replayed = await gateway.send(gateway.next()).catch(() => gateway.send(gateway.next()));
  assert.equal(replayed.status, 409, 'nonces live in memory');
  gateway.nonce = (replayed.json as { nextNonce: string }).nextNonce;
  const reply = await gateway.poll();
  assert.equal(reply.baseVersion, 1, 'deltas survive');
  assert.equal(reply.version, version);
  assert.deepEqual(
    reply.ops.map((op) => op.key),
    [`peer/wg0/${peer.publicKey}`],
  );
  assert.equal(reply.hash, hashOf(gateway.state));
  const next = await addPeer('crash', 'after');
  assert.equal(next.version, version + 1);
  assert.deepEqual(next.peer.addresses, ['10.77.0.3/32', 'fd77::3/128']);
});

test('whatever was acknowledged before a kill -9 is there after it', async () => {
  // Large enough for as many peers as a fast machine makes in that time.
  await makeVrouter('torn', ['10.80.0.0/16', 'fd80::/64']);
  const acknowledged: string[] = [];
  for (let round = 0; round < 3; round++) {
    const writers = [0, 1, 2].map(async (writer) => {
      for (let i = 0; ; i++) {
        const name = `r${round}w${writer}n${i}`;
        const answer = await controller
          .call('POST', '/v1/vrouters/torn/peers', { name, publicKey: wireguardKey() })
          .catch(() => null);
        if (answer === null) return;
        assert.equal(answer.status, 201, JSON.stringify(answer.json));
        acknowledged.push(name);
      }
    });
    await delay(150 + 70 * round);
    await controller.end('SIGKILL');
    await Promise.all(writers);
    controller = await ControllerProcess.start(data);
  }
  const { peers } = (await controller.call('GET', '/v1/vrouters/torn/peers?limit=1000')).json as PeerList;
  const names = new Set(peers.map((peer) => peer.name));
  assert.ok(acknowledged.length > 10);
  for (const name of acknowledged) assert.ok(names.has(name), name);
  assert.ok(names.size <= acknowledged.length + 9, 'at most what was under way more');
  assert.equal(new Set(peers.flatMap((peer) => peer.addresses)).size, 2 * peers.length);
  const gateway = await TestGateway.join(
    ((await controller.call('POST', '/v1/vrouters/torn/tokens')).json as CreateVrouterReply).join.string,
  );
  gateways.push(gateway);
  const reply = await gateway.poll();
  assert.equal(reply.version, 1 + peers.length, 'one version per change');
  assert.equal(reply.hash, hashOf(gateway.state));
});

test('a confirmed shrink is said in the next full state, and no longer once more is removed', async () => {
  const gateway = await joined('shrink');
  await addPeer('shrink', 'a');
  await addPeer('shrink', 'b');
  await gateway.poll();
  await controller.call('DELETE', '/v1/vrouters/shrink/peers/a');
  const { json } = await controller.call('POST', '/v1/vrouters/shrink/confirm-shrink');
  assert.deepEqual(json, { version: 4 });
  const confirmed = await gateway.send(gateway.next());
  const reply = gateway.take(confirmed);
  assert.equal(reply.baseVersion, null);
  assert.equal(reply.confirmShrink, true);
  await controller.call('DELETE', '/v1/vrouters/shrink/peers/b');
  assert.equal((await gateway.poll({ full: true })).confirmShrink, false);
});

test('a deleted vrouter has no gateway', async () => {
  const gateway = await joined('deleted');
  await gateway.poll();
  const held = gateway.send(gateway.next({ waitMs: 20_000 }));
  await delay(30);
  assert.equal((await controller.call('DELETE', '/v1/vrouters/deleted')).status, 200);
  assert.equal(codeOf(await held), 'gateway.deleted');
  assert.equal(codeOf(await gateway.send(gateway.next())), 'gateway.deleted');
});

test('keys are for their owner alone', () => {
  const store = place.postgres === null ? ['controller.db'] : [];
  for (const path of ['ca/root.pem', 'ca/intermediate.pem', 'controller.json', 'admin-token', ...store])
    assert.equal(statSync(join(data, path)).mode & 0o077, 0, path);
});

test('SIGTERM answers held polls, closes streams and ends within two seconds', async () => {
  const gateway = await joined('stop');
  await gateway.poll();
  const held = gateway.send(gateway.next({ waitMs: 20_000 }));
  await delay(50);
  const events = await fetch(`${controller.rest}/v1/events`, {
    headers: { authorization: `Bearer ${controller.token}` },
  });
  const ms = await controller.end('SIGTERM');
  assert.match(await events.text(), /^retry: /, 'a stream ends in good order');
  assert.ok(ms < 2000, `${ms} ms`);
  assert.equal(controller.child.exitCode, 0);
  const answer = await held;
  assert.equal(answer.status, 200);
  assert.ok(gateway.take(answer).pollAfterMs > 0, 'everyone comes back, but not all at once');
});
