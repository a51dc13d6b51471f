/** A whole controller whose certificates come from a real step-ca, and a gateway that lives through its absence. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { registerReply, renewReply } from '@vrouter/api/agent/agent.ts';
import type { CaReply } from '@vrouter/api/rest/ca.ts';
import type { CreateVrouterReply } from '@vrouter/api/rest/vrouters.ts';
import { StepClient } from '../../programs/controller/ca/step/client.ts';
import { makeRequest, prepareJoin, register, TestGateway } from '../../programs/controller/testing/gateway.ts';
import { ControllerProcess, spawnController } from '../../programs/controller/testing/spawn.ts';
import { needs } from '../world/needs.ts';
import { PROVISIONER, StepLab } from './lab.ts';

const skip = needs('step-ca');
const data = mkdtempSync(join(tmpdir(), 'vr-step-controller-'));
const gateways: TestGateway[] = [];
let lab: StepLab;
let controller: ControllerProcess;

before(async () => {
  if (skip !== false) return;
  lab = await StepLab.start();
  controller = await ControllerProcess.start(data, [0, 0], options());
});

after(async () => {
  for (const gateway of gateways) gateway.close();
  await controller?.end('SIGKILL');
  await lab?.[Symbol.asyncDispose]();
  rmSync(data, { recursive: true, force: true });
});

function options(): string[] {
  const provisioner = ['--step-ca-provisioner', PROVISIONER, '--step-ca-password-file', lab.passwordFile];
  return ['--step-ca', lab.url, '--step-ca-fingerprint', lab.fingerprint, ...provisioner];
}

async function joinString(name: string): Promise<string> {
  const { json } = await controller.call('POST', '/v1/vrouters', { name });
  return (json as CreateVrouterReply).join.string;
}

async function joined(name: string): Promise<TestGateway> {
  const gateway = await TestGateway.join(await joinString(name));
  gateways.push(gateway);
  await gateway.poll();
  return gateway;
}

const codeOf = (answer: { json: unknown }): string => (answer.json as { error: { code: string } }).error.code;
const ca = async (): Promise<CaReply> => (await controller.call('GET', '/v1/ca')).json as CaReply;

test("a gateway joins, polls and renews; join strings name step-ca's root", { skip }, async () => {
  assert.equal(controller.rootFingerprint, lab.fingerprint);
  const gateway = await joined('first');
  const { csr, key } = await makeRequest();
  const renewed = renewReply.parse((await gateway.post('/vrouter/renew', { csr })).json);
  assert.equal(renewed.roots?.length, 1);
  gateway.rekey(key, renewed.certificateChain);
  await gateway.poll();
  const told = await ca();
  assert.deepEqual([told.kind, told.state, told.issuers.length], ['step-ca', 'working', 1]);
  const rotation = await controller.call('POST', '/v1/ca/rotate');
  assert.deepEqual([rotation.status, codeOf(rotation)], [501, 'intent.unsupported']);
});

test('the CA is away: gateways go on, a join waits and burns no token, all is told, and a restart changes nothing', {
  skip,
}, async () => {
  const gateway = await joined('away');
  const joining = { ...(await prepareJoin(await joinString('later'))), request: await makeRequest() };
  await lab.down();
  const refused = await register(joining);
  assert.deepEqual([refused.status, codeOf(refused)], [503, 'ca.unreachable']);
  const renewal = await gateway.post('/vrouter/renew', { csr: (await makeRequest()).csr });
  assert.equal(codeOf(renewal), 'ca.unreachable');
  await gateway.poll();
  const told = await ca();
  assert.equal(told.state, 'failing');
  assert.match(told.lastError!, /ECONNREFUSED/);
  assert.match(String((await controller.call('GET', '/metrics')).json), /ca_working 0\n/);
  const ports = [Number(new URL(controller.rest).port), Number(new URL(controller.agents).port)] as const;
  await controller.end('SIGKILL');
  controller = await ControllerProcess.start(data, ports, options());
  gateway.reconnect();
  const first = await gateway.send(gateway.next());
  assert.equal(first.status, 409, 'known, and told to go on');
  gateway.nonce = (first.json as { nextNonce: string }).nextNonce;
  await gateway.poll();
  assert.equal((await ca()).state, 'failing');
  await lab.up();
  const late = await register(joining);
  assert.equal(late.status, 200, JSON.stringify(late.json));
  const another = new TestGateway(joining, registerReply.parse(late.json));
  gateways.push(another);
  await another.poll();
  assert.equal((await ca()).state, 'working');
});

test('a revoked gateway is shut out at once, and the CA hears of it', { skip }, async () => {
  const gateway = await joined('revoked');
  const { csr, key } = await makeRequest();
  const { certificateChain } = renewReply.parse((await gateway.post('/vrouter/renew', { csr })).json);
  const identity = { key, cert: certificateChain.join('') };
  const client = new StepClient(lab.url, [gateway.root], Date.now);
  await client.renew(identity);
  assert.equal((await controller.call('POST', '/v1/vrouters/revoked/revoke')).status, 200);
  assert.equal(codeOf(await gateway.send(gateway.next())), 'poll.identity');
  let said = '';
  for (let i = 0; i < 100 && said === ''; i++) {
    said = await client.renew(identity).then(
      () => '',
      (thrown: Error) => thrown.message,
    );
    await delay(50);
  }
  assert.match(said, /401/);
  client.close();
});

test('a revocation while the CA is away reaches it when it is back', { skip }, async () => {
  const gateway = await joined('revoked-away');
  const { csr, key } = await makeRequest();
  const { certificateChain } = renewReply.parse((await gateway.post('/vrouter/renew', { csr })).json);
  const identity = { key, cert: certificateChain.join('') };
  await lab.down();
  assert.equal((await controller.call('POST', '/v1/vrouters/revoked-away/revoke')).status, 200);
  assert.equal(codeOf(await gateway.send(gateway.next())), 'poll.identity', 'refused here without asking anybody');
  await lab.up();
  const client = new StepClient(lab.url, [gateway.root], Date.now);
  let said = '';
  for (const end = Date.now() + 40_000; said === '' && Date.now() < end; await delay(500))
    said = await client.renew(identity).then(
      () => '',
      (thrown: Error) => thrown.message,
    );
  assert.match(said, /401/);
  client.close();
});

test('another root than the gateways know is refused at the start', { skip }, async () => {
  const args = options().map((value) => (value === lab.fingerprint ? 'ab'.repeat(32) : value));
  const copy = mkdtempSync(join(tmpdir(), 'vr-step-other-'));
  try {
    // A folder whose gateways know the embedded root.
    await (await ControllerProcess.start(copy)).end('SIGTERM');
    const child = spawnController(['--data', copy, '--rest', '127.0.0.1:0', '--agents', '127.0.0.1:0', ...args]);
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 1);
    assert.match(said, /gateways of this controller know the root [0-9a-f]{64}.*\(config\.invalid\)/);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});

for (const [why, args] of [
  ['a part without the whole', ['--step-ca-provisioner', 'x']],
  ['http', ['--step-ca', 'http://127.0.0.1:1']],
  ['no fingerprint', ['--step-ca', 'https://127.0.0.1:1', '--step-ca-provisioner', 'x', '--step-ca-key', 'y']],
  ['grace of eight days', ['--certificate-grace', '8']],
] as const)
  test(`usage: ${why}`, async () => {
    const child = spawnController(['--data', join(data, 'never'), ...args]);
    const [code] = (await once(child, 'exit')) as [number];
    assert.equal(code, 2);
  });
