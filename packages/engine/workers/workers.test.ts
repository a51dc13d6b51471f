/** Two workers in one thread, driven by hand: what goes where, and what happens when the other does not listen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatKey } from '@vrouter/core/bytes.ts';
import { makeEndpoint } from '@vrouter/core/endpoint.ts';
import { millis } from '@vrouter/core/time.ts';
import { fingerprint, generatePrivateKey, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import type { Action } from '../control/messages.ts';
import { Engine } from '../engine.ts';
import type { DatagramSocket } from '../ports/datagram.ts';
import { MemoryNetwork } from '../ports/memory.ts';
import { readCounters } from '../stats/reader.ts';
import { echoPacket, ip, udpPacket } from '../testing/packets.testing.ts';
import { WireguardClient } from '../testing/wireguard-client.testing.ts';
import { makeBells } from './bell.ts';
import { makeRing } from './ring.ts';
import { ownerOf } from './share.ts';

const PORT = 51820;
const GATEWAY = '192.0.2.1';
const MOVED = '192.0.2.99';

/** Worker 0 has the only socket that hears; worker 1 can only send. So everything for worker 1 comes to the wrong socket. */
class Pair {
  readonly network = new MemoryNetwork();
  readonly engines: Engine[] = [];
  readonly clients: WireguardClient[] = [];
  now = millis(1000);
  readonly clock = { now: () => this.now, unixMs: () => 1_700_000_000_000 + this.now };
  #key = '';

  constructor(ringBytes: number) {
    const bells = makeBells(2);
    const rings = [
      [null, makeRing(ringBytes)],
      [makeRing(ringBytes), null],
    ];
    const mute: DatagramSocket = {
      localPort: PORT,
      refused: 0,
      receive: () => 0,
      send: (rows) => {
        for (let row = 0; row < rows.count; row++) {
          const bytes = rows.region[row]!.bytes.slice(rows.offset[row], rows.offset[row]! + rows.length[row]!);
          this.network.pass(makeEndpoint(ip(GATEWAY), PORT), rows.endpoint[row]!, bytes);
        }
        return rows.count;
      },
      onReadable: () => {},
      close: async () => {},
    };
    for (const index of [0, 1])
      this.engines.push(
        new Engine(
          {
            clock: this.clock,
            crypto: systemCrypto(),
            rng: systemRng(),
            fingerprint,
            openUdp: index === 0 ? this.network.host(GATEWAY) : async () => mute,
            setAlarm: () => {},
            pause: () => Promise.resolve(),
          },
          'test',
          { index, workers: 2, bells, rings },
        ),
      );
  }

  async do(...actions: Action[]): Promise<void> {
    for (const engine of this.engines)
      assert.deepEqual(
        await engine.apply(actions),
        actions.map(() => null),
      );
  }

  /** wg0, and a client on each worker: 10.77.0.2 on 0, 10.77.0.3 on 1. */
  async start(): Promise<this> {
    const key = generatePrivateKey();
    this.#key = systemCrypto().publicKey(key).toBase64();
    await this.do(
      { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
      { do: 'wireguard.set', link: 'wg0', listenPort: PORT, privateKey: formatKey(key) },
      { do: 'address.add', link: 'wg0', address: '10.77.0.1/24' },
      { do: 'route.set', vrf: 'default', prefix: '10.77.0.0/24', link: 'wg0', nextHop: null },
    );
    for (const worker of [0, 1]) {
      const client = new WireguardClient(
        await this.network.host(`192.0.2.${10 + worker}`)({ port: 0 }),
        this.clock,
        keyOn(worker),
      );
      client.connect(this.#key, `${GATEWAY}:${PORT}`);
      this.clients.push(client);
      await this.peer(client, `10.77.0.${2 + worker}/32`);
    }
    return this;
  }

  peer(client: WireguardClient, allowed: string): Promise<void> {
    const { publicKey } = client;
    return this.do({ do: 'peer.set', link: 'wg0', publicKey, allowedIps: [allowed], persistentKeepalive: 0 });
  }

  /** Moves datagrams and parcels until all is quiet. */
  settle(): void {
    for (let busy = true; busy; ) {
      busy = this.network.deliver() > 0;
      for (const engine of this.engines)
        if (engine.arrivalsWaiting) {
          engine.arrivals();
          busy = true;
        }
    }
  }

  counters() {
    return readCounters(this.engines.map((engine) => engine.readStats))!;
  }
}

function keyOn(worker: number): Uint8Array {
  for (;;) {
    const key = generatePrivateKey();
    if (ownerOf(systemCrypto().publicKey(key), 2) === worker) return key;
  }
}

const payload = Uint8Array.of(1, 2, 3, 4);
const there = udpPacket({ src: '10.77.0.2', dst: '10.77.0.3' }, payload);
const back = udpPacket({ src: '10.77.0.3', dst: '10.77.0.2' }, payload);

test('peers of two workers talk, though every datagram comes to the first one', async () => {
  const pair = await new Pair(1 << 16).start();
  const [a, b] = pair.clients as [WireguardClient, WireguardClient];
  for (const client of [a, b]) {
    client.send(echoPacket({ src: client === a ? '10.77.0.2' : '10.77.0.3', dst: '10.77.0.1' }));
    pair.settle();
    assert.equal(client.inbox.length, 1, 'an echo reply');
  }
  for (let i = 0; i < 3; i++) {
    a.send(there);
    b.send(back);
  }
  pair.settle();
  assert.deepEqual(
    [a, b].map((client) => client.inbox.slice(1)),
    [back, there].map((packet) => {
      const hopped = udpPacket(
        packet === back
          ? { src: '10.77.0.3', dst: '10.77.0.2', ttl: 63 }
          : { src: '10.77.0.2', dst: '10.77.0.3', ttl: 63 },
        payload,
      );
      return [hopped, hopped, hopped];
    }),
  );
  const { links, drops } = pair.counters();
  assert.deepEqual(drops, {});
  assert.deepEqual([links[0]!.rxPackets, links[0]!.txPackets], [8, 8]);
  // Each peer's row is alive at its owner and nowhere else.
  for (const [worker, client] of pair.clients.entries()) {
    const rows = pair.engines.map((engine) => engine.ownPeers().filter((row) => row.is === 'peer'));
    assert.deepEqual(
      rows.map((own) => own.length),
      [1, 1],
    );
    const row = rows[worker]![0]!;
    assert.deepEqual([row.publicKey, row.rxPackets, row.txPackets], [client.publicKey, 4, 4]);
    const other = pair.engines[1 - worker]!;
    assert.deepEqual(other.ownPeers([{ is: 'peer', link: 'wg0', publicKey: client.publicKey }]), []);
    const [shadow] = other.dump([{ is: 'peer', link: 'wg0', publicKey: client.publicKey }]);
    assert.ok(shadow?.is === 'peer' && shadow.endpoint === null && shadow.rxPackets === 0);
  }
});

test('allowed IPs that move to a peer of the other worker take the packets along', async () => {
  const pair = await new Pair(1 << 16).start();
  const [a, b] = pair.clients as [WireguardClient, WireguardClient];
  b.send(echoPacket({ src: '10.77.0.3', dst: '10.77.0.1' }));
  a.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  pair.settle();
  const third = new WireguardClient(await pair.network.host(MOVED)({ port: 0 }), pair.clock, keyOn(0));
  third.connect(pair.engines[0]!.dump().find((row) => row.is === 'wireguard')!.publicKey, `${GATEWAY}:${PORT}`);
  await pair.peer(third, '10.77.0.3/32');
  third.send(echoPacket({ src: '10.77.0.3', dst: '10.77.0.1' }));
  pair.settle();
  a.send(there);
  pair.settle();
  assert.deepEqual([third.inbox.length, b.inbox.length], [2, 1]);
});

test('a worker that does not take its parcels costs counted packets and holds up nobody', async () => {
  const pair = await new Pair(1 << 12).start();
  const [a, b] = pair.clients as [WireguardClient, WireguardClient];
  for (const [client, src] of [
    [a, '10.77.0.2'],
    [b, '10.77.0.3'],
  ] as const) {
    client.send(echoPacket({ src, dst: '10.77.0.1' }));
    pair.settle();
  }
  for (let i = 0; i < 200; i++) a.send(there);
  pair.network.deliver();
  a.send(echoPacket({ src: '10.77.0.2', dst: '10.77.0.1' }));
  pair.network.deliver();
  assert.equal(a.inbox.length, 2, 'its own worker goes on');
  pair.settle();
  const { drops } = pair.counters();
  assert.equal(b.inbox.length - 1 + drops.workerFull!, 200);
  assert.ok(b.inbox.length > 20, 'what found room came');
});

test('a parcel for a link that has gone meanwhile is a counted drop', async () => {
  const pair = await new Pair(1 << 16).start();
  const [a, b] = pair.clients as [WireguardClient, WireguardClient];
  for (const [client, src] of [
    [a, '10.77.0.2'],
    [b, '10.77.0.3'],
  ] as const) {
    client.send(echoPacket({ src, dst: '10.77.0.1' }));
    pair.settle();
  }
  a.send(there);
  pair.network.deliver();
  await pair.do({ do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: false });
  pair.settle();
  // And so is the error about it, which would leave by the same link.
  assert.deepEqual(pair.counters().drops, { linkDown: 2 });
  await pair.do(
    { do: 'peer.remove', link: 'wg0', publicKey: a.publicKey },
    { do: 'peer.remove', link: 'wg0', publicKey: b.publicKey },
  );
  assert.deepEqual(
    pair.engines.map((engine) => engine.ownPeers()),
    [[], []],
  );
});
