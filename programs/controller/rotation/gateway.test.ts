/** Over the wire, with the controller as a process that is killed: what gateways of now and of before are told, and what their word does. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { PEER_SUCCESSOR, type PollRequest } from '@vrouter/api/agent/agent.ts';
import { changeRotationReply, rotationReply } from '@vrouter/api/rest/rotations.ts';
import { createVrouterReply } from '@vrouter/api/rest/vrouters.ts';
import { TestGateway, wireguardKey } from '../testing/gateway.ts';
import { ControllerProcess } from '../testing/spawn.ts';

test('an older gateway keeps the peer as it is; a newer one is told the next key, and its word makes it the peer own', {
  timeout: 60_000,
}, async () => {
  const data = mkdtempSync(join(tmpdir(), 'vrouter-rotating-'));
  let controller = await ControllerProcess.start(data);
  const ports = [new URL(controller.rest).port, new URL(controller.agents).port].map(Number) as [number, number];
  let gateway: TestGateway | null = null;
  try {
    const made = createVrouterReply.parse((await controller.call('POST', '/v1/vrouters', { name: 'v' })).json);
    const at = await TestGateway.join(made.join.string);
    gateway = at;
    const [old, next] = [wireguardKey(), wireguardKey()] as const;
    await controller.call('POST', '/v1/vrouters/v/peers', { name: 'a', publicKey: old });
    await at.poll();
    const request = { what: 'key', peers: [{ peer: 'a', publicKey: next }] };
    const begun = await controller.call('POST', '/v1/vrouters/v/rotations', request);
    const { id } = changeRotationReply.parse(begun.json).rotation;
    const shown = async () =>
      rotationReply.parse((await controller.call('GET', `/v1/vrouters/v/rotations/${id}`)).json).rotation.peers[0]!;
    const keys = (): string[] => [...at.state.keys()].filter((key) => key.startsWith('peer'));
    /** Polls until the gateway has these keys; the controller looks every five seconds by itself. */
    const until = async (wanted: readonly string[], poll: Partial<PollRequest>): Promise<void> => {
      for (let tries = 0; tries < 200; tries++) {
        await at.poll(poll);
        if (keys().sort().join() === [...wanted].sort().join()) return;
        await delay(50);
      }
      assert.deepEqual(keys(), wanted);
    };

    // It says nothing of what it can, and then refuses what it cannot read: so it is not told.
    await at.poll();
    assert.deepEqual(keys(), [`peer/wg0/${old}`]);
    assert.match((await shown()).reason ?? '', /cannot have two keys/);

    const can = { features: [PEER_SUCCESSOR], succeeded: [] };
    await until([`peer/wg0/${old}`, `peerSuccessor/wg0/${old}`], can);
    assert.equal((await shown()).state, 'offered');

    await controller.end('SIGKILL');
    controller = await ControllerProcess.start(data, ports);
    // It does not know the nonce of a gateway that polled before.
    at.bootId += '1';
    at.nonce = null;
    await at.poll(can);
    const succeeded = [{ interface: 'wg0', publicKey: old, rotation: id }];
    await until([`peer/wg0/${next}`], { ...can, succeeded });
    const { state, effect } = await shown();
    assert.deepEqual([state, effect], ['switched', 'none']);
  } finally {
    gateway?.close();
    await controller.end('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
});
