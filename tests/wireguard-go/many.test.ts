/** 5,000 peers: configured, counted, and a sample of them real: 200 minds of ours and three wireguard-go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { millis } from '@vrouter/core/time.ts';
import type { Action } from '@vrouter/engine/control/messages.ts';
import { echoPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { systemRng } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { needs } from '../world/needs.ts';
import { LAB_NEEDS, Lab, ping, reaches, residentBytes, until, type WireguardGo } from './lab.ts';

const PEERS = 5000;
const MINDS = 200;
const GOS = 3;
const CONFIGURE_SECONDS = 60;
const BYTES_PER_PEER = 100_000;

const clock = { now: () => millis(performance.now()), unixMs: () => Date.now() };
const rng = systemRng();

/** Peer n has 10.99.(n / 200 + 1).(n % 200 + 1). */
const addressOf = (n: number): string => `10.99.${Math.floor(n / 200) + 1}.${(n % 200) + 1}`;

function peerAction(n: number, publicKey: Uint8Array): Action {
  return {
    do: 'peer.set',
    link: 'wg0',
    publicKey: publicKey.toBase64(),
    presharedKey: null,
    allowedIps: [`${addressOf(n)}/32`],
    persistentKeepalive: 0,
  };
}

function randomKey(): Uint8Array {
  const key = new Uint8Array(32);
  rng.fill(key);
  return key;
}

test('5,000 peers: configured soon, in bounded memory, and 203 real ones shake hands and are answered', {
  skip: needs(...LAB_NEEDS),
  timeout: 200_000,
}, async (t) => {
  const lab = new Lab();
  const clients: WireguardClient[] = [];
  const sockets: { close(): Promise<void> }[] = [];
  let timer: NodeJS.Timeout | undefined;
  try {
    const ours = await lab.engine(null);
    await ours.gateway(0);
    const [device] = await ours.client!.dump([{ is: 'wireguard', link: 'wg0' }]);
    assert.ok(device?.is === 'wireguard' && device.localPort !== null);
    const at = `127.0.0.1:${device.localPort}`;
    const gos: WireguardGo[] = [];
    for (let i = 0; i < GOS; i++) gos.push(await lab.wireguardGo(lab.island(`i${i}`), { outside: true }));
    for (let i = 0; i < MINDS; i++) {
      const socket = await openUdp({ address: '127.0.0.1', port: 0, receiveBufferBytes: 1 << 16 });
      sockets.push(socket);
      clients.push(new WireguardClient(socket, clock));
    }

    const real = [...gos.map((go) => go.publicKey), ...clients.map((client) => client.device.publicKey)];
    const keys = [...real, ...Array.from({ length: PEERS - real.length }, randomKey)];
    const empty = residentBytes(ours.pid);
    const began = performance.now();
    await ours.do(...keys.map((key, n) => peerAction(n, key)));
    const seconds = (performance.now() - began) / 1000;
    const bytes = (residentBytes(ours.pid) - empty) / PEERS;
    t.diagnostic(`configured in ${seconds.toFixed(2)} s, ${Math.round(bytes)} resident bytes a peer`);
    assert.ok(seconds < CONFIGURE_SECONDS, `${seconds} s to configure`);
    assert.ok(bytes < BYTES_PER_PEER, `${bytes} bytes a peer`);
    const rows = await ours.client!.dump();
    assert.equal(rows.filter((row) => row.is === 'peer').length, PEERS);

    const shook = performance.now();
    clients.forEach((client, i) => {
      client.connect(ours.publicKey.toBase64(), at);
      client.send(echoPacket({ src: addressOf(GOS + i), dst: '10.99.0.1' }));
    });
    timer = setInterval(() => {
      for (const client of clients) if (client.device.wakeAt() <= clock.now()) client.tick();
    }, 100);
    await until('200 echo replies', () => clients.every((client) => client.inbox.length > 0), 60);
    t.diagnostic(`${MINDS} handshakes and answers in ${((performance.now() - shook) / 1000).toFixed(2)} s`);
    for (const [i, client] of clients.entries()) {
      const [reply] = client.inbox;
      assert.deepEqual([reply?.[20], reply?.subarray(16, 20).join('.')], [0, addressOf(GOS + i)]);
    }

    for (const [n, go] of gos.entries()) {
      const [high, low] = addressOf(n).split('.').slice(2).map(Number);
      go.address(low!, high!);
      await go.set(`public_key=${ours.publicKey.toHex()}`, `endpoint=${at}`, 'allowed_ip=10.99.0.0/16');
      await reaches(go.namespace, '10.99.0.1');
      assert.deepEqual(await ping(go.namespace, '10.99.0.1', 5), { sent: 5, received: 5 });
    }
    const shaken = (await ours.client!.dump()).filter((row) => row.is === 'peer' && row.lastHandshakeUnixMs !== null);
    assert.equal(shaken.length, MINDS + GOS);

    // All of them leave, and the sample knows it.
    await ours.do(...keys.map((key): Action => ({ do: 'peer.remove', link: 'wg0', publicKey: key.toBase64() })));
    assert.equal((await ours.client!.dump()).filter((row) => row.is === 'peer').length, 0);
    const [first] = clients;
    first!.inbox.length = 0;
    first!.send(echoPacket({ src: addressOf(GOS), dst: '10.99.0.1' }));
    await sleep(300);
    assert.equal(first!.inbox.length, 0);
  } finally {
    clearInterval(timer);
    for (const socket of sockets) await socket.close();
    await lab.close();
  }
});
