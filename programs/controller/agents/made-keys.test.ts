/** The original's way to join, with a key that the controller makes: refused, and with the switch as it promises. Real processes, real TLS. */
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { registerReply, renewReply } from '@vrouter/api/agent/agent.ts';
import { type AuditRow, auditList } from '@vrouter/api/rest/system.ts';
import { createVrouterReply, vrouterStatus } from '@vrouter/api/rest/vrouters.ts';
import {
  makeRequest,
  prepareJoin,
  register,
  registerAsOriginal,
  TestGateway,
  wireguardKey,
} from '../testing/gateway.ts';
import { ControllerProcess } from '../testing/spawn.ts';

const base = mkdtempSync(join(tmpdir(), 'vrouter-made-keys-'));
after(() => rmSync(base, { recursive: true, force: true }));

async function started(name: string, ...more: string[]) {
  const data = join(base, name);
  mkdirSync(data, { mode: 0o700 });
  const controller = await ControllerProcess.start(data, [0, 0], more);
  const made = await controller.call('POST', '/v1/vrouters', { name: 'edge' });
  return { data, controller, joining: await prepareJoin(createVrouterReply.parse(made.json).join.string) };
}

async function lastAudit(controller: ControllerProcess): Promise<AuditRow> {
  return auditList.parse((await controller.call('GET', '/v1/audit?last=1')).json).audit[0]!;
}

async function statusOf(controller: ControllerProcess) {
  return vrouterStatus.parse((await controller.call('GET', '/v1/vrouters/edge/status')).json);
}

const madeKeys = async (controller: ControllerProcess): Promise<number> =>
  Number(/^vrouter_controller_made_keys (\d+)$/m.exec(String((await controller.call('GET', '/metrics')).json))?.[1]);

test('without the switch a join without a request is refused, the audit says why, and the token is still good', async () => {
  const { controller, joining } = await started('off');
  try {
    const answer = await registerAsOriginal(joining);
    assert.equal(answer.status, 400);
    const { error } = answer.json as { error: { code: string; message: string; field: string } };
    assert.deepEqual([error.code, error.field], ['input.invalid', 'csr']);
    assert.match(error.message, /makes no keys for gateways/);
    const row = await lastAudit(controller);
    assert.deepEqual([row.action, row.outcome, row.subject], ['gateway.join', 'refused', joining.token.slice(4, 12)]);
    assert.match(row.reason!, /^noRequest: it wants a key that the controller makes, which is off$/);
    assert.equal((await statusOf(controller)).registered, false);
    assert.equal((await register(joining)).status, 200);
    const status = await statusOf(controller);
    assert.deepEqual([status.registered, status.keyMadeBy], [true, 'gateway']);
    assert.equal(await madeKeys(controller), 0);
  } finally {
    await controller.end('SIGKILL');
  }
});

test('with the switch it gets key, certificate and chain, is seen, and a lost answer is given again to whoever has the token', async () => {
  const { data, controller, joining } = await started('on', '--allow-controller-made-keys');
  let gateway: TestGateway | null = null;
  try {
    const first = await registerAsOriginal(joining);
    assert.equal(first.status, 200, JSON.stringify(first.json));
    const reply = registerReply.parse(first.json);
    const leaf = new X509Certificate(reply.certificateChain[0]!);
    assert.ok(leaf.checkPrivateKey(createPrivateKey(reply.clientKey!)), 'the key is that of the certificate');
    assert.deepEqual(reply.roots, [joining.root]);
    assert.match((await lastAudit(controller)).reason!, /its key was made by the controller/);
    const again = registerReply.parse((await registerAsOriginal(joining)).json);
    assert.deepEqual([again.clientKey, again.gatewayId], [reply.clientKey, reply.gatewayId]);
    const other = await registerAsOriginal({ ...joining, wireguardPublicKey: wireguardKey() });
    assert.equal((other.json as { error: { code: string } }).error.code, 'join.refused', 'it is used for anybody else');

    const status = await statusOf(controller);
    assert.deepEqual([status.registered, status.keyMadeBy, status.hostname], [true, 'controller', 'unknown']);
    assert.equal(await madeKeys(controller), 1);
    const secret = reply.clientKey!.split('\n')[1]!;
    for (const name of readdirSync(data))
      if (name.startsWith('controller.db')) assert.ok(!readFileSync(join(data, name)).includes(secret), name);
    assert.ok(!controller.log().includes(secret));

    // It polls with that key, and with a key of its own after a renewal.
    const withKey = { ...joining, request: { key: reply.clientKey!, csr: '' } };
    gateway = new TestGateway(withKey, reply);
    assert.ok((await gateway.poll()).version > 0);
    const own = await makeRequest();
    const renewed = await gateway.post('/vrouter/renew', { csr: own.csr });
    gateway.rekey(own.key, renewReply.parse(renewed.json).certificateChain);
    await gateway.poll();
    assert.equal((await statusOf(controller)).keyMadeBy, 'gateway');
    assert.equal(await madeKeys(controller), 0);
  } finally {
    gateway?.close();
    await controller.end('SIGKILL');
  }
});

test('with the switch a gateway that brings a request is served as ever', async () => {
  const { controller, joining } = await started('both', '--allow-controller-made-keys');
  try {
    const reply = registerReply.parse((await register(joining)).json);
    assert.equal(reply.clientKey, undefined);
    assert.equal((await statusOf(controller)).keyMadeBy, 'gateway');
  } finally {
    await controller.end('SIGKILL');
  }
});
