/** Polls that are not what they seem, against the real process over real TLS: another gateway's certificate, cut off, doubled, out of order. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import type { PollRequest } from '@vrouter/api/agent/agent.ts';
import { registerReply } from '@vrouter/api/agent/agent.ts';
import type { CreateVrouterReply } from '@vrouter/api/rest/vrouters.ts';
import { prepareJoin, register, TestGateway, wireguardKey } from '../testing/gateway.ts';
import { ControllerProcess } from '../testing/spawn.ts';

const data = mkdtempSync(join(tmpdir(), 'vr-foreign-'));
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

/** A gateway that has joined, with what its TLS shows, for sockets of a test's own. */
async function joined(name: string): Promise<{ gateway: TestGateway; key: string; cert: string }> {
  const { json } = await controller.call('POST', '/v1/vrouters', { name });
  const joining = await prepareJoin((json as CreateVrouterReply).join.string);
  const reply = registerReply.parse((await register(joining)).json);
  const gateway = new TestGateway(joining, reply);
  gateways.push(gateway);
  return { gateway, key: joining.request.key, cert: reply.certificateChain.join('') };
}

async function addPeer(vrouter: string, name: string): Promise<void> {
  const made = await controller.call('POST', `/v1/vrouters/${vrouter}/peers`, { name, publicKey: wireguardKey() });
  assert.equal(made.status, 201);
}

const codeOf = (answer: { json: unknown }): string => (answer.json as { error: { code: string } }).error.code;

async function socketOf(shown: { gateway: TestGateway; key: string; cert: string }): Promise<TLSSocket> {
  const { hostname, port } = new URL(shown.gateway.url);
  const socket = connect({
    host: hostname,
    port: Number(port),
    ca: shown.gateway.root,
    key: shown.key,
    cert: shown.cert,
  });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  return socket;
}

function post(body: PollRequest, length?: number): string {
  const text = JSON.stringify(body);
  const head = `POST /vrouter/poll HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${length ?? text.length}`;
  return `${head}\r\n\r\n${text}`;
}

test('a poll with another gateway’s certificate is refused, told apart by the certificate alone, and disturbs nobody', async () => {
  const [mine, other] = [await joined('mine'), await joined('other')];
  await mine.gateway.poll();
  await other.gateway.poll();
  await addPeer('mine', 'secret');
  const next = mine.gateway.next();
  // Word for word what the other gateway would send next, nonce and all.
  const stolen = await other.gateway.send(next);
  assert.deepEqual([stolen.status, codeOf(stolen)], [403, 'poll.identity']);
  assert.ok(!JSON.stringify(stolen.json).includes('secret'));
  // And under its own name it gets its own configuration alone, whoever's nonce it shows.
  const own = await other.gateway.send({ ...other.gateway.next(), nonce: next.nonce });
  assert.deepEqual([own.status, codeOf(own)], [409, 'poll.replay']);
  const answer = await mine.gateway.send(next);
  assert.equal(answer.status, 200, 'the nonce of the one that was copied is still good');
  assert.equal(mine.gateway.take(answer).ops.length, 1);
});

test('a poll that is cut off is no poll: the same one is good afterwards, and nothing of it was heard', async () => {
  const cut = await joined('cut');
  await cut.gateway.poll();
  await addPeer('cut', 'a');
  const next = cut.gateway.next({ appliedVersion: 77 });
  const text = post(next);
  for (const bytes of [30, text.length - 200, text.length - 1]) {
    const socket = await socketOf(cut);
    socket.write(text.slice(0, bytes));
    socket.end();
    await once(socket.resume(), 'close');
  }
  // The length says that it is whole, and it is not.
  const socket = await socketOf(cut);
  const half = JSON.stringify(next).slice(0, 100);
  socket.write(
    post(next)
      .split('\r\n\r\n')[0]!
      .replace(/content-length: \d+/, `content-length: ${half.length}`),
  );
  socket.write(`\r\n\r\n${half}`);
  const [said] = (await once(socket, 'data')) as [Buffer];
  assert.match(said.toString(), /^HTTP\/1\.1 400 [\s\S]*"code":"input\.invalid"/);
  socket.destroy();
  const status = await controller.call('GET', '/v1/vrouters/cut/status');
  assert.equal((status.json as { appliedVersion: number }).appliedVersion, 0, 'a poll that is not whole tells nothing');
  const answer = await cut.gateway.send(next);
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  assert.equal(cut.gateway.take(answer).ops.length, 1);
});

test('polls that come doubled and out of order, over connections of their own: one answer each, and the gateway goes on', async () => {
  const { gateway } = await joined('order');
  const first = await gateway.poll();
  await addPeer('order', 'a');
  const second = gateway.next();
  const doubled = await Promise.all([gateway.send(second), gateway.send(second), gateway.send(second)]);
  for (const answer of doubled) assert.deepEqual(answer, doubled[0]);
  gateway.take(doubled[0]!);
  const late = await gateway.send({ ...second, seq: second.seq - 1, nonce: null });
  assert.deepEqual([late.status, codeOf(late)], [409, 'poll.replay']);
  const { nextNonce } = late.json as { nextNonce: string };
  assert.notEqual(nextNonce, first.nextNonce);
  // The nonce that the good answer gave is worth nothing after a refusal; the fresh one is.
  const stale = await gateway.send(gateway.next());
  assert.equal(stale.status, 409);
  gateway.nonce = (stale.json as { nextNonce: string }).nextNonce;
  assert.deepEqual((await gateway.poll()).ops, []);
  const old = await gateway.send(second);
  assert.equal(old.status, 409, 'what was answered long ago is not answered again');
});
