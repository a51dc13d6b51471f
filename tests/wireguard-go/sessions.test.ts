/** Our engine and wireguard-go, each in a namespace of its own: who starts, over what, and what they survive. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { generatePrivateKey } from '@vrouter/host/crypto/system.ts';
import { needs } from '../world/needs.ts';
import { ip, LAB_NEEDS, Lab, type Ours, PORT, ping, reaches, until, type WireguardGo } from './lab.ts';

const skip = needs(...LAB_NEEDS);
const THEIR_PORT = 40_000;

interface Pair {
  readonly lab: Lab;
  readonly ours: Ours;
  readonly go: WireguardGo;
  readonly namespace: string;
  readonly number: number;
}

async function withPair(body: (pair: Pair) => Promise<void>): Promise<void> {
  const lab = new Lab();
  try {
    const { namespace, number } = lab.spoke();
    const ours = await lab.engine();
    await ours.gateway();
    const go = await lab.wireguardGo(namespace);
    go.address(2);
    await go.set(`listen_port=${THEIR_PORT}`);
    await body({ lab, ours, go, namespace, number });
  } finally {
    await lab.close();
  }
}

const endpointOf = (number: number, family: 4 | 6, host: number, port: number): string =>
  family === 4 ? `192.168.${number}.${host}:${port}` : `[fd00:${number}::${host}]:${port}`;

/** What wireguard-go is told of us. */
function introduceUs({ ours, number }: Pair, options: { family?: 4 | 6; psk?: Uint8Array } = {}): string[] {
  return [
    `public_key=${ours.publicKey.toHex()}`,
    ...(options.psk === undefined ? [] : [`preshared_key=${options.psk.toHex()}`]),
    ...(options.family === undefined ? [] : [`endpoint=${endpointOf(number, options.family, 1, PORT)}`]),
    'replace_allowed_ips=true',
    'allowed_ip=10.99.0.0/16',
    'allowed_ip=fd99::/64',
  ];
}

/** What we are told of wireguard-go. */
async function introduceThem(
  { ours, go }: Pair,
  options: { endpoint?: string | null; psk?: Uint8Array | null; keepalive?: number } = {},
): Promise<void> {
  await ours.do({
    do: 'peer.set',
    link: 'wg0',
    publicKey: go.publicKey.toBase64(),
    presharedKey: options.psk?.toBase64() ?? null,
    allowedIps: ['10.99.0.2/32', 'fd99::2/128'],
    endpoint: options.endpoint ?? null,
    persistentKeepalive: options.keepalive ?? 0,
  });
}

async function forgetEachOther({ ours, go }: Pair): Promise<void> {
  await ours.do({ do: 'peer.remove', link: 'wg0', publicKey: go.publicKey.toBase64() });
  await go.set(`public_key=${ours.publicKey.toHex()}`, 'remove=true');
  go.forgetLog();
}

async function bothInside({ namespace }: Pair): Promise<void> {
  for (const to of ['10.99.0.1', 'fd99::1']) {
    await reaches(namespace, to);
    assert.deepEqual(await ping(namespace, to, 5), { sent: 5, received: 5 }, to);
  }
}

const handshakeAt = async ({ ours, go }: Pair): Promise<number> =>
  (await ours.peer(go.publicKey)).lastHandshakeUnixMs ?? 0;

test(
  'either end starts, over IPv4 and over IPv6, with IPv4 and IPv6 inside, with a pre-shared key and without',
  {
    skip,
    timeout: 120_000,
  },
  () =>
    withPair(async (pair) => {
      for (const family of [4, 6] as const)
        for (const psk of [undefined, generatePrivateKey()]) {
          const { ours, go, number } = pair;
          const us = introduceUs(pair, psk === undefined ? {} : { psk });
          // They know where we are.
          await introduceThem(pair, { psk: psk ?? null });
          await go.set(...us, `endpoint=${endpointOf(number, family, 1, PORT)}`);
          await bothInside(pair);
          assert.deepEqual(
            [go.said('Received handshake initiation'), go.said('Sending handshake initiation') > 0],
            [0, true],
          );
          assert.equal((await ours.peer(go.publicKey)).endpoint, endpointOf(number, family, 2, THEIR_PORT));
          await forgetEachOther(pair);
          // We know where they are.
          await go.set(...us);
          await introduceThem(pair, { endpoint: endpointOf(number, family, 2, THEIR_PORT), psk: psk ?? null });
          await until('our handshake', async () => (await handshakeAt(pair)) > 0);
          assert.deepEqual(
            [go.said('Received handshake initiation') > 0, go.said('Sending handshake initiation')],
            [true, 0],
          );
          await bothInside(pair);
          await forgetEachOther(pair);
        }
      const { 'wireguard.notAuthentic': forged = 0, 'wireguard.replay': replayed = 0 } = await pair.ours.drops();
      assert.deepEqual([forged, replayed], [0, 0]);
    }),
);

test(
  'a pre-shared key changes on both sides: the session goes on, and no other begins while the keys differ',
  { skip, timeout: 120_000 },
  () =>
    withPair(async (pair) => {
      const { go, namespace, ours } = pair;
      await introduceThem(pair);
      await go.set(...introduceUs(pair, { family: 4 }));
      await reaches(namespace, '10.99.0.1');
      const before = await handshakeAt(pair);
      const psk = generatePrivateKey();
      await introduceThem(pair, { psk });
      assert.deepEqual(await ping(namespace, '10.99.0.1', 20, 0.2, 1), { sent: 20, received: 20 });
      assert.equal(await handshakeAt(pair), before);
      // They forget the session, so that the next packet begins another.
      await go.set(`public_key=${ours.publicKey.toHex()}`, 'remove=true');
      await go.set(...introduceUs(pair, { family: 4 }));
      assert.deepEqual(await ping(namespace, '10.99.0.1', 3, 0.2, 1), { sent: 3, received: 0 });
      await go.set(...introduceUs(pair, { psk }));
      await bothInside(pair);
      assert.ok((await handshakeAt(pair)) > before);
    }),
);

test('a client that changes its port, its address, its family, is followed', { skip, timeout: 120_000 }, () =>
  withPair(async (pair) => {
    const { go, namespace, number, ours } = pair;
    await introduceThem(pair);
    await go.set(...introduceUs(pair, { family: 4 }));
    await reaches(namespace, '10.99.0.1');
    const began = await handshakeAt(pair);
    const at = async (endpoint: string): Promise<void> => {
      await bothInside(pair);
      assert.equal((await ours.peer(go.publicKey)).endpoint, endpoint);
    };
    await at(endpointOf(number, 4, 2, THEIR_PORT));
    await go.set('listen_port=40001');
    await at(endpointOf(number, 4, 2, 40_001));
    assert.equal(await handshakeAt(pair), began, 'in the same session');
    // Where wireguard-go clings to an address that has gone, it lets go of it with its next handshake.
    ip('-n', namespace, 'addr', 'add', `192.168.${number}.77/24`, 'dev', 'eth0');
    ip('-n', namespace, 'addr', 'del', `192.168.${number}.2/24`, 'dev', 'eth0');
    // The last address of a network takes its neighbours with it; give it back if the kernel did so.
    ip('-n', namespace, 'addr', 'replace', `192.168.${number}.77/24`, 'dev', 'eth0');
    await at(endpointOf(number, 4, 77, 40_001));
    await go.set(...introduceUs(pair, { family: 6 }));
    await at(endpointOf(number, 6, 2, 40_001));
  }),
);

test(
  'answers come from the address of ours that was asked, also when another is asked',
  { skip, timeout: 120_000 },
  () =>
    withPair(async (pair) => {
      const { go, lab, number } = pair;
      ip('-n', lab.hub, 'addr', 'add', `192.168.${number}.77/24`, 'dev', `c${number - 100}`);
      ip('-n', lab.hub, 'addr', 'add', `fd00:${number}::77/64`, 'dev', `c${number - 100}`, 'nodad');
      await introduceThem(pair);
      for (const [family, host] of [
        [4, 77],
        [4, 1],
        [6, 77],
        [6, 1],
        [4, 77],
      ] as const) {
        const asked = endpointOf(number, family, host, PORT);
        await go.set(...introduceUs(pair), `endpoint=${asked}`);
        await bothInside(pair);
        // wireguard-go sends to where the newest answer came from.
        assert.equal((await go.get()).get('endpoint'), asked);
      }
      // A handshake that we begin follows what was asked last.
      assert.equal((await pair.ours.peer(go.publicKey)).endpoint, endpointOf(number, 4, 2, THEIR_PORT));
      ip('-n', lab.hub, 'addr', 'del', `192.168.${number}.77/24`, 'dev', `c${number - 100}`);
      await go.set(...introduceUs(pair), `endpoint=${endpointOf(number, 4, 1, PORT)}`);
      await bothInside(pair);
      assert.equal((await go.get()).get('endpoint'), endpointOf(number, 4, 1, PORT));
    }),
);

test('either end is killed and comes back: one handshake, and packets pass', { skip, timeout: 120_000 }, () =>
  withPair(async (pair) => {
    const { go, namespace, ours } = pair;
    await introduceThem(pair);
    await go.set(...introduceUs(pair, { family: 4 }));
    await reaches(namespace, '10.99.0.1');
    const { endpoint } = await ours.peer(go.publicKey);

    await ours.kill();
    assert.deepEqual(await ping(namespace, '10.99.0.1', 2, 0.2, 1), { sent: 2, received: 0 });
    go.forgetLog();
    await ours.start();
    await ours.gateway();
    // As vrouterd does, which remembers where its peers were: the engine greets them, so nobody has to find out by silence.
    await introduceThem(pair, { endpoint });
    await reaches(namespace, '10.99.0.1', 10);
    assert.ok(go.said('Received handshake initiation') >= 1);
    await bothInside(pair);

    const before = await handshakeAt(pair);
    await go.kill();
    await go.start();
    go.address(2);
    await go.set(`listen_port=${THEIR_PORT}`, ...introduceUs(pair, { family: 4 }));
    await reaches(namespace, '10.99.0.1', 10);
    assert.ok((await handshakeAt(pair)) > before);
    await bothInside(pair);
  }),
);

test(
  'a restarted engine that does not know where its peer is, is found by the peer within the silence of 6.5',
  {
    skip,
    timeout: 120_000,
  },
  () =>
    withPair(async (pair) => {
      const { go, namespace, ours } = pair;
      await introduceThem(pair);
      await go.set(...introduceUs(pair, { family: 6 }));
      await reaches(namespace, 'fd99::1');
      await ours.kill();
      await ours.start();
      await ours.gateway();
      await introduceThem(pair);
      const began = performance.now();
      await reaches(namespace, 'fd99::1', 40);
      const seconds = (performance.now() - began) / 1000;
      assert.ok(seconds > 10, `${seconds} s: nothing was lost by the kill`);
    }),
);

test('persistent keepalives, theirs and ours, carry nothing', { skip, timeout: 120_000 }, () =>
  withPair(async (pair) => {
    const { go, namespace, ours } = pair;
    await introduceThem(pair);
    await go.set(...introduceUs(pair, { family: 4 }), 'persistent_keepalive_interval=1');
    await until('a handshake without a packet', async () => (await handshakeAt(pair)) > 0);
    const start = await ours.peer(go.publicKey);
    await until(
      'three keepalives of theirs',
      async () => (await ours.peer(go.publicKey)).rxBytes >= start.rxBytes + 96,
    );
    assert.equal((await ours.peer(go.publicKey)).rxPackets, start.rxPackets);
    await go.set(...introduceUs(pair), 'persistent_keepalive_interval=0');
    await introduceThem(pair, { keepalive: 1 });
    await sleep(100);
    const theirs = Number((await go.get()).get('rx_bytes'));
    await until('three keepalives of ours', async () => Number((await go.get()).get('rx_bytes')) >= theirs + 96);
    assert.equal((await ours.peer(go.publicKey)).txPackets, 0);
    await reaches(namespace, '10.99.0.1');
  }),
);
