/** Thousands of peers that never answer, each to be called again and again: packets and control must not wait for that. */
import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { formatKey } from '@vrouter/core/bytes.ts';
import type { Action } from '@vrouter/engine/control/messages.ts';
import { echoPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { systemClock } from '@vrouter/host/clock/clock.ts';
import { generatePrivateKey, systemRng } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { INITIATIONS_AT_ONCE, INITIATIONS_PER_SECOND } from '@vrouter/protocols/wireguard/constants.ts';
import { dial, Engines, within } from './running.testing.ts';

const SILENT = 5000;
const SECONDS = 12;
/** One that is called in one go has the engine deaf for two to four seconds, every five. */
const PATIENCE_MS = 1000;

const engines = new Engines();

function silentPeers(port: number): Action[] {
  return Array.from({ length: SILENT }, (_, i) => {
    const key = new Uint8Array(32);
    systemRng().fill(key);
    return {
      do: 'peer.set',
      link: 'wg0',
      publicKey: formatKey(key),
      allowedIps: [`10.78.${i >> 8}.${i & 255}/32`],
      endpoint: `127.0.0.1:${port}`,
      persistentKeepalive: 25,
    };
  });
}

for (const workers of [1, 2])
  test(`${SILENT} silent peers, workers: ${workers}`, { timeout: 90_000 }, async (t) => {
    const engine = await engines.start(['--socket', engines.freshSocket(), '--workers', String(workers)]);
    const { client } = await dial(engine.socket);
    const done = async (actions: readonly Action[]): Promise<void> =>
      assert.ok((await client.apply(actions)).every((problem) => problem === null));
    await done([
      { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
      { do: 'wireguard.set', link: 'wg0', listenPort: 0, privateKey: formatKey(generatePrivateKey()) },
      { do: 'address.add', link: 'wg0', address: '10.77.0.1/24' },
      { do: 'route.set', vrf: 'default', prefix: '10.77.0.0/24', link: 'wg0', nextHop: null },
    ]);
    const [device] = await client.dump([{ is: 'wireguard', link: 'wg0' }]);
    assert.ok(device?.is === 'wireguard' && device.localPort !== null);

    const udp = await openUdp({ address: '127.0.0.1', port: 0 });
    t.after(() => udp.close());
    const talker = new WireguardClient(udp, systemClock());
    talker.connect(device.publicKey, `127.0.0.1:${device.localPort}`);
    await done([
      {
        do: 'peer.set',
        link: 'wg0',
        publicKey: talker.publicKey,
        allowedIps: ['10.77.0.2/32'],
        persistentKeepalive: 0,
      },
    ]);
    const ping = async (): Promise<number> => {
      const began = performance.now();
      talker.inbox.length = 0;
      talker.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
      await within('an echo reply', () => talker.inbox.length > 0, 20_000);
      return performance.now() - began;
    };
    await ping();

    const ear = createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
    ear.bind(0, '127.0.0.1');
    await once(ear, 'listening');
    t.after(() => ear.close());
    let heard = 0;
    ear.on('message', (bytes) => {
      if (bytes[0] === 1) heard++;
    });
    await done(silentPeers(ear.address().port));

    const began = performance.now();
    const before = heard;
    let slowestPing = 0;
    let slowestReply = 0;
    while (performance.now() - began < SECONDS * 1000) {
      slowestPing = Math.max(slowestPing, await ping());
      const asked = performance.now();
      await client.counters();
      await client.dump([{ is: 'peer', link: 'wg0', publicKey: talker.publicKey }]);
      slowestReply = Math.max(slowestReply, performance.now() - asked);
      await sleep(20);
    }
    const seconds = (performance.now() - began) / 1000;
    const rate = (heard - before) / seconds;
    t.diagnostic(
      `slowest echo ${slowestPing.toFixed(0)} ms, slowest control ${slowestReply.toFixed(0)} ms, ${rate.toFixed(0)} initiations/s`,
    );
    assert.ok(slowestPing < PATIENCE_MS, `${slowestPing} ms for an echo`);
    assert.ok(slowestReply < PATIENCE_MS, `${slowestReply} ms for control`);
    const most = workers * (INITIATIONS_PER_SECOND * seconds + INITIATIONS_AT_ONCE);
    assert.ok(heard - before <= most, `${heard - before} initiations`);
    // Bounded, but not put off for ever: by then everybody has been called about once.
    assert.ok(heard > 0.8 * SILENT, `${heard} initiations`);
    await client.stop();
    assert.equal(await engine.ended, 0);
  });
