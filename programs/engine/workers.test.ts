/** Engines with one worker and with several, seen from outside: eight WireGuard clients on loopback, all to all, in order, without loss. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { formatKey } from '@vrouter/core/bytes.ts';
import { millis } from '@vrouter/core/time.ts';
import type { EngineClient } from '@vrouter/engine/control/client.ts';
import type { Action, DumpRow } from '@vrouter/engine/control/messages.ts';
import type { DatagramRows, DatagramSocket } from '@vrouter/engine/ports/datagram.ts';
import { readCounters, readPeers } from '@vrouter/engine/stats/reader.ts';
import { echoPacket, udpPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { ownerOf, steeringProgram } from '@vrouter/engine/workers/share.ts';
import { generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { canSteer } from '@vrouter/host/udp/steered.ts';
import { dial, Engines, statsReaders, within } from './running.testing.ts';

const skip = canSteer(steeringProgram) ? false : 'this system has no SO_ATTACH_REUSEPORT_CBPF';
const CLIENTS = 8;
/** Packets of a round: everybody to everybody else, in two families. */
const ROUND = CLIENTS * (CLIENTS - 1) * 2;
/** A packet's number has two bytes. */
const MAX_ROUNDS = 0xffff;
/** So that no socket's buffer fills; the engine always has something to do. */
const ROUNDS_UNDER_WAY = 2;
const CHANGES = 1000;
const clock = { now: () => millis(performance.now()), unixMs: () => Date.now() };
const engines = new Engines();
type PeerRow = Extract<DumpRow, { is: 'peer' }>;

/** A socket that can be exchanged under its client, as by a machine that moves to another network. */
class Roaming implements DatagramSocket {
  #socket: DatagramSocket;
  #callback: () => void = () => {};

  constructor(socket: DatagramSocket) {
    this.#socket = socket;
    socket.onReadable(() => this.#callback());
  }
  get localPort(): number {
    return this.#socket.localPort;
  }
  get refused(): number {
    return this.#socket.refused;
  }
  receive(into: DatagramRows): number {
    return this.#socket.receive(into);
  }
  send(rows: DatagramRows): number {
    return this.#socket.send(rows);
  }
  onReadable(callback: () => void): void {
    this.#callback = callback;
  }
  async move(to: DatagramSocket): Promise<void> {
    const before = this.#socket;
    this.#socket = to;
    to.onReadable(() => this.#callback());
    await before.close();
  }
  close(): Promise<void> {
    return this.#socket.close();
  }
}

interface Member {
  readonly n: number;
  readonly key: Uint8Array;
  readonly socket: Roaming;
  client: WireguardClient;
}

/** A key whose peer lives on the worker. */
function keyOn(worker: number, workers: number): Uint8Array {
  for (;;) {
    const key = generatePrivateKey();
    if (ownerOf(systemCrypto().publicKey(key), workers) === worker) return key;
  }
}

const four = (n: number): string => `10.77.0.${n + 2}`;
const six = (n: number): string => `fd77::${n + 2}`;

/** An engine with eight peers that have all shaken hands. */
class Net {
  readonly control: EngineClient;
  readonly pid: number;
  readonly members: Member[] = [];
  readonly stop: () => Promise<number | null>;
  #gateway: { key: string; endpoint: string } = { key: '', endpoint: '' };

  private constructor(control: EngineClient, pid: number, stop: () => Promise<number | null>) {
    this.control = control;
    this.pid = pid;
    this.stop = stop;
  }

  static async start(t: TestContext, workers: number): Promise<Net> {
    const engine = await engines.start(['--socket', engines.freshSocket(), '--workers', String(workers)]);
    assert.match(engine.logs(), new RegExp(`"workers":${workers}`));
    const { client } = await dial(engine.socket);
    const net = new Net(client, engine.child.pid!, async () => {
      for (const { socket } of net.members) await socket.close();
      if (engine.child.exitCode === null) await client.stop();
      return engine.ended;
    });
    t.after(() => net.stop());
    await net.do([
      { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
      { do: 'wireguard.set', link: 'wg0', listenPort: 0, privateKey: formatKey(generatePrivateKey()) },
      { do: 'address.add', link: 'wg0', address: '10.77.0.1/24' },
      { do: 'address.add', link: 'wg0', address: 'fd77::1/64' },
      { do: 'route.set', vrf: 'default', prefix: '10.77.0.0/24', link: 'wg0', nextHop: null },
      { do: 'route.set', vrf: 'default', prefix: 'fd77::/64', link: 'wg0', nextHop: null },
    ]);
    await net.findGateway();
    for (let n = 0; n < CLIENTS; n++) {
      const socket = new Roaming(await openUdp({ address: '127.0.0.1', port: 0 }));
      const key = keyOn(n % workers, workers);
      net.members.push({ n, key, socket, client: net.#client(socket, key) });
      await net.do([
        {
          do: 'peer.set',
          link: 'wg0',
          publicKey: net.members[n]!.client.publicKey,
          allowedIps: [`${four(n)}/32`, `${six(n)}/128`],
          persistentKeepalive: 0,
        },
      ]);
    }
    for (const member of net.members) await net.greet(member);
    return net;
  }

  /** Asks where the engine listens, and tells the clients. */
  async findGateway(): Promise<void> {
    const [device] = await this.control.dump([{ is: 'wireguard', link: 'wg0' }]);
    assert.ok(device?.is === 'wireguard' && device.localPort !== null);
    this.#gateway = { key: device.publicKey, endpoint: `127.0.0.1:${device.localPort}` };
    for (const { client } of this.members) client.connect(this.#gateway.key, this.#gateway.endpoint);
  }

  async do(actions: readonly Action[]): Promise<void> {
    assert.deepEqual(
      await this.control.apply(actions),
      actions.map(() => null),
    );
  }

  /** A ping to the gateway, which brings up the session. */
  /** At rest, what lies in memory is what the engine says. */
  async sameFromOutside(): Promise<void> {
    const files = await statsReaders(this.control);
    assert.deepEqual(readCounters(files), await this.control.counters());
    const byKey = new Map(files.flatMap((read) => readPeers(read)!).map((peer) => [peer.publicKey, peer]));
    const rows = (await this.control.dump()).filter((row) => row.is === 'peer');
    assert.equal(byKey.size, rows.length);
    for (const row of rows) {
      const {
        link,
        publicKey,
        endpoint,
        lastHandshakeUnixMs,
        handshakeTimestamp,
        rxBytes,
        txBytes,
        rxPackets,
        txPackets,
      } = row;
      const said = {
        link,
        publicKey,
        endpoint,
        lastHandshakeUnixMs,
        handshakeTimestamp,
        rxBytes,
        txBytes,
        rxPackets,
        txPackets,
      };
      assert.deepEqual(byKey.get(publicKey), said);
    }
  }

  async greet({ n, client }: Member): Promise<void> {
    client.send(echoPacket({ src: four(n), dst: '10.77.0.1' }));
    await within(`client ${n} hears the gateway`, () => client.inbox.length === 1);
    client.inbox.length = 0;
  }

  /** The machine forgets everything but its key. */
  restart(member: Member): void {
    member.client = this.#client(member.socket, member.key);
  }

  async peers(): Promise<PeerRow[]> {
    const rows = await this.control.dump();
    const ours = new Set(this.members.map(({ client }) => client.publicKey));
    return rows.filter((row) => row.is === 'peer').filter((row) => ours.has(row.publicKey));
  }

  /**
   * One packet of each family from everybody to everybody else, `rounds` times and then for as long as `goOn` says; all must come, in
   * their order. Returns how many.
   */
  async exchange(least: number, goOn: () => boolean = () => false): Promise<number> {
    let rounds = 0;
    for (; rounds < least || (goOn() && rounds < MAX_ROUNDS); rounds++) {
      for (const from of this.members)
        from.client.sendAll(
          this.members
            .filter((to) => to !== from)
            .flatMap((to) => {
              const data = new Uint8Array(rounds % 3 === 0 ? 1200 : 40);
              data.set([from.n, to.n, rounds >>> 8, rounds & 0xff]);
              return [
                udpPacket({ src: four(from.n), dst: four(to.n) }, data),
                udpPacket({ src: six(from.n), dst: six(to.n) }, data),
              ];
            }),
        );
      const sent = (rounds + 1) * ROUND;
      const underWay = (): number => sent - this.members.reduce((sum, { client }) => sum + client.inbox.length, 0);
      for (const end = performance.now() + 5000; underWay() > ROUNDS_UNDER_WAY * ROUND && performance.now() < end; )
        await turn();
    }
    const each = rounds * (CLIENTS - 1) * 2;
    await within(
      'everything comes',
      () => this.members.every(({ client }) => client.inbox.length >= each),
      10_000,
    ).catch(async (thrown: unknown) => {
      const came = this.members.map(({ client }) => client.inbox.length);
      assert.fail(`${thrown}: ${came} of ${each}; ${JSON.stringify(await this.control.counters())}`);
    });
    for (const { n, client } of this.members) {
      const flows = new Map<string, number[]>();
      for (const packet of client.inbox) {
        const family = packet[0]! >>> 4;
        const at = family === 4 ? 28 : 48;
        const flow = `${family} ${packet[at]} ${packet[at + 1]}`;
        const rows = flows.get(flow) ?? [];
        rows.push((packet[at + 2]! << 8) | packet[at + 3]!);
        flows.set(flow, rows);
      }
      assert.equal(flows.size, 2 * (CLIENTS - 1), `flows to ${n}`);
      const inOrder = Array.from({ length: rounds }, (_, round) => round);
      for (const [flow, came] of flows) assert.deepEqual(came, inOrder, `flow ${flow}`);
      client.inbox.length = 0;
    }
    return each * CLIENTS;
  }

  #client(socket: Roaming, key: Uint8Array): WireguardClient {
    const client = new WireguardClient(socket, clock, key);
    client.connect(this.#gateway.key, this.#gateway.endpoint);
    return client;
  }
}

const sum = (rows: readonly PeerRow[], column: 'rxPackets' | 'txPackets'): number =>
  rows.reduce((total, row) => total + row[column], 0);

/** Seconds of CPU that the process has used, all threads. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

test('all to all over three workers; a peer roams, another restarts; the counters add up', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const net = await Net.start(t, 3);
  let packets = await net.exchange(50);
  const before = await net.peers();
  assert.equal(before.length, CLIENTS);
  assert.ok(before.every((row) => row.lastHandshakeUnixMs !== null));

  // Another address and port: the same session, at once, wherever the kernel might now hash the flow.
  const roamer = net.members[4]!;
  await roamer.socket.move(await openUdp({ address: '127.0.0.2', port: 0 }));
  await net.greet(roamer);
  packets += await net.exchange(20);
  const roamed = (await net.peers()).find((row) => row.publicKey === roamer.client.publicKey)!;
  assert.equal(roamed.endpoint, `127.0.0.2:${roamer.socket.localPort}`);
  const known = before.find((row) => row.publicKey === roamer.client.publicKey)!;
  assert.equal(roamed.lastHandshakeUnixMs, known.lastHandshakeUnixMs, 'no new handshake');

  const restarted = net.members[5]!;
  // A peer's handshakes are at least 1/50 s apart, and a TAI64N grain.
  await sleep(50);
  net.restart(restarted);
  await net.greet(restarted);
  packets += await net.exchange(20);

  const pings = CLIENTS + 2;
  const { links, drops, nodes } = await net.control.counters();
  assert.deepEqual(drops, {});
  assert.deepEqual([links[0]!.rxPackets, links[0]!.txPackets, links[0]!.drops], [packets + pings, packets + pings, 0]);
  const rows = await net.peers();
  assert.deepEqual([sum(rows, 'rxPackets'), sum(rows, 'txPackets')], [packets + pings, packets + pings]);
  assert.equal(nodes['ip-input'], packets + pings, 'every packet is looked at once');
  assert.ok(nodes['wireguard-output']! > packets + pings, 'and some changed their worker');
  await net.sameFromOutside();
  assert.equal(await net.stop(), 0);
});

/** What happens to a peer that is not one of the eight, in this order and over again. */
const fates: readonly ((publicKey: string, n: number) => Action)[] = [
  (publicKey, n) => ({ ...other(publicKey), allowedIps: [`10.78.${n >> 8}.${n & 0xff}/32`] }),
  (publicKey, n) => ({ ...other(publicKey), allowedIps: [`10.79.${n >> 8}.${n & 0xff}/32`, `fd79::${n}/128`] }),
  (publicKey, n) => ({ ...other(publicKey), allowedIps: [], endpoint: `127.0.0.1:${1024 + n}`, moved: true }),
  (publicKey) => ({ ...other(publicKey), presharedKey: formatKey(generatePrivateKey()) }),
  (publicKey) => ({ do: 'peer.remove', link: 'wg0', publicKey }),
];

function other(publicKey: string): Extract<Action, { do: 'peer.set' }> {
  return { do: 'peer.set', link: 'wg0', publicKey, allowedIps: [], persistentKeepalive: 0 };
}

for (const workers of [1, 2, 3])
  test(`a thousand changes to other peers under full load lose nothing, and nobody shakes hands again: ${workers} workers`, {
    skip: workers > 1 && skip,
    timeout: 120_000,
  }, async (t) => {
    const net = await Net.start(t, workers);
    const before = await net.peers();
    const others = Array.from({ length: CHANGES / fates.length }, () =>
      formatKey(systemCrypto().publicKey(generatePrivateKey())),
    );
    let done = 0;
    const changes = async (): Promise<void> => {
      for (const fate of fates)
        for (let i = 0; i < others.length; i += 5) {
          const actions = others.slice(i, i + 5).map((publicKey, j) => fate(publicKey, i + j));
          await net.do(actions);
          done += actions.length;
          await sleep(2);
        }
    };
    // Somebody reads what is counted, all the time, and never finds it half changed.
    const files = await statsReaders(net.control);
    let looks = 0;
    const look = async (): Promise<void> => {
      for (; done < CHANGES; await sleep(1)) {
        for (const read of files) {
          const keys = readPeers(read)?.map(({ publicKey }) => publicKey) ?? [];
          assert.equal(new Set(keys).size, keys.length, 'nobody is there twice');
          for (const key of keys) assert.ok(everybody.has(key), 'everybody is somebody');
        }
        looks++;
      }
    };
    const everybody = new Set([...others, ...before.map(({ publicKey }) => publicKey)]);
    const [packets] = await Promise.all([net.exchange(150, () => done < CHANGES), changes(), look()]);
    assert.ok(looks > 10);
    await net.sameFromOutside();
    assert.equal(done, CHANGES);
    t.diagnostic(`${packets} packets of traffic meanwhile`);
    assert.deepEqual((await net.control.counters()).drops, {});
    const after = await net.peers();
    assert.deepEqual(
      after.map((row) => row.lastHandshakeUnixMs),
      before.map((row) => row.lastHandshakeUnixMs),
    );
    assert.equal((await net.control.dump()).filter((row) => row.is === 'peer').length, CLIENTS, 'the others are gone');

    // Nobody polls: with sessions up and nothing to do, the threads sleep.
    await sleep(300);
    const used = cpuSeconds(net.pid);
    await sleep(2000);
    assert.ok(cpuSeconds(net.pid) - used < 0.2, `${cpuSeconds(net.pid) - used} s of CPU in 2 s of idleness`);

    // Another port under the peers' feet, and the link down and up: sessions stay.
    for (const adminUp of [false, true])
      await net.do([{ do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp }]);
    await net.findGateway();
    await net.exchange(10);
    assert.deepEqual(
      (await net.peers()).map((row) => row.lastHandshakeUnixMs),
      before.map((row) => row.lastHandshakeUnixMs),
    );
    assert.equal(await net.stop(), 0);
  });
