/** The real daemon with intents from its file, its engine, and wireguard-go: whoever is killed, the tunnel is there again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineClient } from '@vrouter/engine/control/client.ts';
import { needs } from '../world/needs.ts';
import { LAB_NEEDS, Lab, PORT, ping, reaches } from './lab.ts';
import { Daemon } from './vrouterd.ts';

async function newestLabel(client: EngineClient): Promise<string | null> {
  const row = (await client.dump()).find((one) => one.is === 'peer');
  return row?.is === 'peer' ? row.handshakeTimestamp : null;
}

test('vrouterd with intents of its file: wireguard-go gets through, across kill -9 of the daemon and of the engine', {
  skip: needs(...LAB_NEEDS),
  timeout: 120_000,
}, async () => {
  const lab = new Lab();
  const { namespace, number } = lab.spoke();
  let daemon: Daemon | null = null;
  let last: EngineClient | null = null;
  try {
    const go = await lab.wireguardGo(namespace);
    go.address(2);
    daemon = new Daemon(lab, [
      { kind: 'gatewayInterface', name: 'wg0', type: 'wireguard', vrf: 'default', listenPort: PORT, mtu: 1420 },
      { kind: 'address', interface: 'wg0', address: '10.99.0.1/24' },
      {
        kind: 'peer',
        interface: 'wg0',
        name: 'go',
        publicKey: go.publicKey.toBase64(),
        presharedKey: null,
        allowedIps: ['10.99.0.2/32'],
        endpoint: null,
        persistentKeepalive: 0,
      },
    ]);
    daemon.start();
    const first = await daemon.engine();
    last = first.client;
    await go.set(
      `public_key=${first.publicKey.toHex()}`,
      `endpoint=192.168.${number}.1:${PORT}`,
      'allowed_ip=10.99.0.0/24',
    );
    await reaches(namespace, '10.99.0.1');

    // The daemon dies and comes back while packets pass; the engine does not notice.
    const passing = ping(namespace, '10.99.0.1', 40, 0.1);
    await daemon.end('SIGKILL');
    daemon.start();
    assert.deepEqual(await passing, { sent: 40, received: 40 });

    // The engine dies; the daemon starts another, with the same key, which greets its peer. The daemon knows where that is: it looks
    // every few seconds, and whenever somebody asks.
    const [row] = await daemon.api.peers();
    assert.equal(row?.endpoint?.startsWith(`192.168.${number}.2:`), true);
    const label = await newestLabel(first.client);
    assert.match(label ?? '', /^40{7}[0-9a-f]{16}$/);
    process.kill(first.pid, 'SIGKILL');
    await first.client.closed;
    first.client.close();
    const second = await daemon.engine();
    // What was recorded before is old to the new engine too.
    assert.ok(((await newestLabel(second.client)) ?? '') >= label!);
    last = second.client;
    assert.notEqual(second.pid, first.pid);
    assert.deepEqual(second.publicKey, first.publicKey);
    const began = performance.now();
    await reaches(namespace, '10.99.0.1');
    const seconds = (performance.now() - began) / 1000;
    assert.ok(seconds < 10, `${seconds} s: nobody was greeted, the silence of 6.5 found it out`);
  } finally {
    // The daemon stops its engine, also one that this test never got to see; a daemon that is dead leaves it to us.
    await daemon?.stop();
    last?.close();
    await lab.close();
  }
});
