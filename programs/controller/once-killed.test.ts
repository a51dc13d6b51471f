/** The real controller is killed with -9 while things are made under a key: asked again, it has made each once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CreatePeerReply, PeerList } from '@vrouter/api/rest/peers.ts';
import { wireguardKey } from './testing/gateway.ts';
import { ControllerProcess } from './testing/spawn.ts';

const data = mkdtempSync(join(tmpdir(), 'vrouter-once-killed-'));
let controller: ControllerProcess | null = null;

after(async () => {
  await controller?.end('SIGKILL');
  rmSync(data, { recursive: true, force: true });
});

interface Asked {
  readonly name: string;
  readonly key: string;
  readonly body: { readonly name: string; readonly publicKey: string };
}

const asking = (name: string): Asked => ({ name, key: `key-${name}`, body: { name, publicKey: wireguardKey() } });

async function post(
  { rest, token }: ControllerProcess,
  { key, body }: Asked,
): Promise<{ status: number; text: string; again: boolean }> {
  const response = await fetch(`${rest}/v1/vrouters/v/peers`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify(body),
  });
  const again = response.headers.get('idempotency-replayed') === 'true';
  return { status: response.status, text: await response.text(), again };
}

/** Sends the request and reads nothing: whatever is answered is lost. */
function sendAndForget({ rest, token }: ControllerProcess, { key, body }: Asked): () => void {
  const { hostname, port } = new URL(rest);
  const text = JSON.stringify(body);
  const socket = connect(Number(port), hostname, () => {
    socket.write(
      `POST /v1/vrouters/v/peers HTTP/1.1\r\nhost: ${hostname}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\nidempotency-key: ${key}\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
    );
  });
  socket.pause();
  socket.on('error', () => {});
  return () => socket.destroy();
}

test('killed between commit and reply, or anywhere else: each is made once, and its answer is the same again', async () => {
  controller = await ControllerProcess.start(data);
  assert.equal((await controller.call('POST', '/v1/vrouters', { name: 'v' })).status, 201);
  const all: Asked[] = [];
  let replayed = 0;

  // As soon as the answer is in the store, the process dies: its caller has read nothing of it.
  for (let round = 0; round < 3; round++) {
    const asked = asking(`committed${round}`);
    all.push(asked);
    const store = new DatabaseSync(join(data, 'controller.db'), { readOnly: true });
    const count = store.prepare('SELECT count(*) AS n FROM answers');
    const before = Number(count.get()!.n);
    const forget = sendAndForget(controller, asked);
    const end = Date.now() + 10_000;
    while (Number(count.get()!.n) === before) {
      assert.ok(Date.now() < end, 'it is committed');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await controller.end('SIGKILL');
    store.close();
    forget();
    controller = await ControllerProcess.start(data);
    const answer = await post(controller, asked);
    assert.deepEqual([answer.status, answer.again], [201, true]);
    assert.equal((JSON.parse(answer.text) as CreatePeerReply).peer.name, asked.name);
    replayed++;
  }

  // Anywhere: before, within and after the change.
  for (const [round, waitMs] of [0, 1, 2, 4, 8].entries()) {
    const burst = Array.from({ length: 6 }, (_, i) => asking(`burst${round}n${i}`));
    all.push(...burst);
    const alive: ControllerProcess = controller;
    const firsts = burst.map((asked) => post(alive, asked).catch(() => null));
    await delay(waitMs);
    await controller.end('SIGKILL');
    const heard = await Promise.all(firsts);
    controller = await ControllerProcess.start(data);
    for (const [i, asked] of burst.entries()) {
      const answer = await post(controller, asked);
      assert.equal(answer.status, 201, answer.text);
      const first = heard[i];
      if (first !== null && first !== undefined) {
        assert.deepEqual([answer.text, answer.again], [first.text, true], 'who was answered is answered the same');
      }
      if (answer.again) replayed++;
    }
  }

  const { peers } = (await controller.call('GET', '/v1/vrouters/v/peers?limit=1000')).json as PeerList;
  assert.deepEqual(peers.map((peer) => peer.name).sort(), all.map((asked) => asked.name).sort());
  const { version } = (await controller.call('GET', '/v1/vrouters/v/status')).json as { version: number };
  assert.equal(version, 1 + all.length, 'one version each');
  assert.ok(replayed >= 3);
});
