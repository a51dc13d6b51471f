/** REKEY_AFTER_TIME for real: 130 s with wireguard-go, once as the session's initiator and once as its responder, and no packet lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { needs } from '../world/needs.ts';
import { LAB_NEEDS, Lab, PORT, ping, reaches, until } from './lab.ts';

const SECONDS = 128;
const INTERVAL = 0.25;

test('sessions are renewed after 120 s by the end that started them, and no packet is lost', {
  skip: needs(...LAB_NEEDS),
  timeout: 280_000,
}, async () => {
  const lab = new Lab();
  try {
    const ours = await lab.engine();
    await ours.gateway();
    const clients = [];
    for (const [low, theyStart] of [
      [2, true],
      [3, false],
    ] as const) {
      const { namespace, number } = lab.spoke();
      const go = await lab.wireguardGo(namespace);
      go.address(low);
      const us = [`public_key=${ours.publicKey.toHex()}`, 'allowed_ip=10.99.0.0/16'];
      await go.set('listen_port=40000', ...us, ...(theyStart ? [`endpoint=192.168.${number}.1:${PORT}`] : []));
      await ours.do({
        do: 'peer.set',
        link: 'wg0',
        publicKey: go.publicKey.toBase64(),
        presharedKey: null,
        allowedIps: [`10.99.0.${low}/32`],
        endpoint: theyStart ? null : `192.168.${number}.2:40000`,
        persistentKeepalive: 0,
      });
      if (!theyStart)
        await until('our handshake', async () => (await ours.peer(go.publicKey)).lastHandshakeUnixMs !== null);
      await reaches(namespace, '10.99.0.1');
      clients.push({ go, theyStart, namespace, first: (await ours.peer(go.publicKey)).lastHandshakeUnixMs! });
    }
    await Promise.all(
      clients.map(async ({ go, theyStart, namespace, first }) => {
        const count = SECONDS / INTERVAL;
        assert.deepEqual(await ping(namespace, '10.99.0.1', count, INTERVAL), { sent: count, received: count });
        const second = (await ours.peer(go.publicKey)).lastHandshakeUnixMs!;
        const age = (second - first) / 1000;
        assert.ok(age > 115 && age < SECONDS + 2, `renewed after ${age} s`);
        // Whoever started, started again; the other end did not.
        const started = go.said('Sending handshake initiation');
        const answered = go.said('Received handshake initiation');
        assert.deepEqual([started > 0, answered > 0], [theyStart, !theyStart], `${started} ${answered}`);
        assert.ok(Math.max(started, answered) >= 2);
      }),
    );
  } finally {
    await lab.close();
  }
});
