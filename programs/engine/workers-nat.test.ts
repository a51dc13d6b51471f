/**
 * NAT of an engine with three workers, over loopback: hosts on all workers go out under one address to servers on all workers. Every
 * flow meets its session both ways, keeps its port and its order, and nothing is lost.
 *
 *     clients 0-5, 10.77.0.2 ...  ~~ wg0 [engine] wg1 198.51.100.1 ~~ servers 0-2, 203.0.113.2 ...
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { formatKey } from '@vrouter/core/bytes.ts';
import { millis } from '@vrouter/core/time.ts';
import type { Action } from '@vrouter/engine/control/messages.ts';
import { echoPacket, udpPacket } from '@vrouter/engine/testing/packets.testing.ts';
import { WireguardClient } from '@vrouter/engine/testing/wireguard-client.testing.ts';
import { ownerOf, steeringProgram } from '@vrouter/engine/workers/share.ts';
import { generatePrivateKey, systemCrypto } from '@vrouter/host/crypto/system.ts';
import { openUdp } from '@vrouter/host/udp/open.ts';
import { canSteer } from '@vrouter/host/udp/steered.ts';
import { dial, Engines, within } from './running.testing.ts';

const skip = canSteer(steeringProgram) ? false : 'this system has no SO_ATTACH_REUSEPORT_CBPF';
const WORKERS = 3;
const CLIENTS = 6;
const SERVERS = 3;
const FLOWS_TO_A_SERVER = 4;
const FLOWS = CLIENTS * SERVERS * FLOWS_TO_A_SERVER;
const ROUNDS = 60;
const OUTSIDE = '198.51.100.1';
const SERVER_PORT = 53;
const clock = { now: () => millis(performance.now()), unixMs: () => Date.now() };
const engines = new Engines();

function keyOn(worker: number): Uint8Array {
  for (;;) {
    const key = generatePrivateKey();
    if (ownerOf(systemCrypto().publicKey(key), WORKERS) === worker) return key;
  }
}

const insideOf = (n: number): string => `10.77.0.${n + 2}`;
const serverOf = (n: number): string => `203.0.113.${n + 2}`;

/** An IPv4 UDP packet; without a checksum, which may be left out there. */
function datagram(src: string, dst: string, ports: readonly [number, number], data: Uint8Array): Uint8Array {
  const bytes = udpPacket({ src, dst }, data);
  const view = new DataView(bytes.buffer);
  view.setUint16(20, ports[0]);
  view.setUint16(22, ports[1]);
  view.setUint16(26, 0);
  return bytes;
}

/** The same packet back to where it came from. The sums do not change. */
function turned(packet: Uint8Array): Uint8Array {
  const back = packet.slice();
  back.set(packet.subarray(16, 20), 12);
  back.set(packet.subarray(12, 16), 16);
  back.set(packet.subarray(22, 24), 20);
  back.set(packet.subarray(20, 22), 22);
  return back;
}

const address = (packet: Uint8Array, at: number): string => packet.subarray(at, at + 4).join('.');
const port = (packet: Uint8Array, at: number): number => (packet[at]! << 8) | packet[at + 1]!;

test('flows of hosts on all workers meet one table of sessions, both ways and in order', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const engine = await engines.start(['--socket', engines.freshSocket(), '--workers', String(WORKERS)]);
  const { client: control } = await dial(engine.socket);
  const sockets: { close(): Promise<void> }[] = [];
  t.after(async () => {
    for (const socket of sockets) await socket.close();
    if (engine.child.exitCode === null) await control.stop();
    await engine.ended;
  });
  const act = async (...actions: Action[]): Promise<void> =>
    assert.deepEqual(
      await control.apply(actions),
      actions.map(() => null),
    );
  const ends = new Map<string, { readonly key: string; readonly endpoint: string }>();
  for (const [link, own, prefix] of [
    ['wg0', '10.77.0.1/24', '10.77.0.0/24'],
    ['wg1', `${OUTSIDE}/24`, '203.0.113.0/24'],
  ] as const) {
    await act(
      { do: 'link.set', name: link, type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
      { do: 'wireguard.set', link, listenPort: 0, privateKey: formatKey(generatePrivateKey()) },
      { do: 'address.add', link, address: own },
      { do: 'route.set', vrf: 'default', prefix, link, nextHop: null },
    );
    const [device] = await control.dump([{ is: 'wireguard', link }]);
    assert.ok(device?.is === 'wireguard');
    ends.set(link, { key: device.publicKey, endpoint: `127.0.0.1:${device.localPort}` });
  }
  const join = async (link: string, worker: number, own: string, gateway: string): Promise<WireguardClient> => {
    const socket = await openUdp({ address: '127.0.0.1', port: 0 });
    sockets.push(socket);
    const made = new WireguardClient(socket, clock, keyOn(worker));
    const { key, endpoint } = ends.get(link)!;
    made.connect(key, endpoint);
    const publicKey = made.publicKey;
    await act({ do: 'peer.set', link, publicKey, allowedIps: [`${own}/32`], persistentKeepalive: 0 });
    made.send(echoPacket({ src: own, dst: gateway }));
    await within('a session', () => made.inbox.length === 1);
    made.inbox.length = 0;
    return made;
  };
  const clients: WireguardClient[] = [];
  const servers: WireguardClient[] = [];
  for (let n = 0; n < CLIENTS; n++) clients.push(await join('wg0', n % WORKERS, insideOf(n), '10.77.0.1'));
  for (let n = 0; n < SERVERS; n++) servers.push(await join('wg1', n % WORKERS, serverOf(n), OUTSIDE));
  await act({
    do: 'masquerade.set',
    name: 'out',
    vrf: 'default',
    prefix: '10.77.0.0/24',
    leaving: ['wg1'],
    pool: null,
    hairpin: true,
  });

  /** What the servers saw of each flow: its outside port, and how many came. */
  const seen = new Map<string, { readonly port: number; count: number }>();
  let served = 0;
  const serve = (): void => {
    for (const server of servers) {
      const came = server.inbox.splice(0);
      for (const packet of came) {
        assert.equal(address(packet, 12), OUTSIDE, 'nobody shows an inside address');
        const flow = packet.subarray(28, 31).join(' ');
        const known = seen.get(flow) ?? { port: port(packet, 20), count: 0 };
        assert.deepEqual(
          [port(packet, 20), packet[31]],
          [known.port, known.count],
          `flow ${flow} keeps port and order`,
        );
        known.count++;
        seen.set(flow, known);
      }
      served += came.length;
      if (came.length > 0) server.sendAll(came.map(turned));
    }
  };
  const replies = (): number => clients.reduce((sum, { inbox }) => sum + inbox.length, 0);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [n, one] of clients.entries())
      one.sendAll(
        servers.flatMap((_, s) =>
          Array.from({ length: FLOWS_TO_A_SERVER }, (_unused, f) => {
            const data = new Uint8Array(round % 4 === 0 ? 1000 : 40);
            data.set([n, s, f, round]);
            // All hosts have the same source ports, so outside they must get others.
            return datagram(insideOf(n), serverOf(s), [4000 + f, SERVER_PORT], data);
          }),
        ),
      );
    for (const end = performance.now() + 5000; replies() < (round - 1) * FLOWS && performance.now() < end; ) {
      serve();
      await turn();
    }
  }
  for (const end = performance.now() + 10_000; replies() < ROUNDS * FLOWS && performance.now() < end; await sleep(1))
    serve();
  assert.deepEqual((await control.counters()).drops, {});
  assert.deepEqual([served, replies()], [ROUNDS * FLOWS, ROUNDS * FLOWS]);
  assert.equal(seen.size, FLOWS);
  for (const [n, { inbox }] of clients.entries()) {
    const next = new Map<string, number>();
    for (const packet of inbox) {
      const flow = packet.subarray(28, 31).join(' ');
      const [from, s, f, round] = packet.subarray(28, 32);
      assert.deepEqual(
        [from, address(packet, 12), port(packet, 20), address(packet, 16), port(packet, 22)],
        [n, serverOf(s!), SERVER_PORT, insideOf(n), 4000 + f!],
      );
      assert.equal(round, next.get(flow) ?? 0, `flow ${flow} comes back in order`);
      next.set(flow, round! + 1);
    }
  }
  const told = await control.natSessions(1000);
  assert.deepEqual([told.total, told.sessions.length], [FLOWS, FLOWS]);
  assert.deepEqual(
    new Set(told.sessions.map(({ outside }) => Number(outside.split(':')[1]))),
    new Set([...seen.values()].map((flow) => flow.port)),
  );
  const [rule] = await control.dump([{ is: 'natRule', name: 'out' }]);
  assert.ok(rule?.is === 'masquerade');
  assert.deepEqual([rule.sessions, rule.packets], [FLOWS, 2 * ROUNDS * FLOWS]);
  const { links } = await control.counters();
  const hellos = [CLIENTS, SERVERS];
  for (const [i, { rxPackets, txPackets, drops }] of links.entries())
    assert.deepEqual([rxPackets, txPackets, drops], [ROUNDS * FLOWS + hellos[i]!, ROUNDS * FLOWS + hellos[i]!, 0]);
});
