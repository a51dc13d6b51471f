/** An engine, clients and a network in one process, on a clock that tests move. */
import { strict as assert } from 'node:assert';
import { formatKey } from '@vrouter/core/bytes.ts';
import type { Rng } from '@vrouter/core/rng.ts';
import { type Clock, type Millis, millis } from '@vrouter/core/time.ts';
import { fingerprint, generatePrivateKey, systemCrypto, systemRng } from '@vrouter/host/crypto/system.ts';
import { NEVER } from '../breath.ts';
import type { Action } from '../control/messages.ts';
import { Engine } from '../engine.ts';
import { type MemoryEthernet, MemoryEthernets } from '../ports/ethernet/memory.ts';
import { MemoryNetwork } from '../ports/memory.ts';
import { MemoryHost, type MemoryTun } from '../ports/tun/memory.ts';
import type { ReadStats } from '../stats/reader.ts';
import { ownerOf } from '../workers/share.ts';
import { type EngineInTests, MemoryCrew } from './crew.testing.ts';
import { WireguardClient } from './wireguard-client.testing.ts';

export const GATEWAY_IP = '192.0.2.1';
export const LISTEN_PORT = 51820;

/** How many workers engines have here unless a test says so; `workers/again.test.ts` asks for several. */
export const workersInTests = Number(process.env.VROUTER_TEST_WORKERS ?? '1');

export class World {
  readonly network = new MemoryNetwork();
  /** The machine that the engine runs on. */
  readonly host = new MemoryHost();
  readonly ethernets = new MemoryEthernets();
  readonly engine: EngineInTests;
  readonly gatewayKey = generatePrivateKey();
  readonly clients: WireguardClient[] = [];
  now: Millis = millis(1000);
  alarmAt: Millis = NEVER;

  /** What the workers count, as others read it. */
  readonly segments: readonly ReadStats[];
  readonly #crew: MemoryCrew | null;
  readonly #workers: number;

  /**
   * `rng`: a seeded one repeats what the engine numbers by chance. `workers`: with more than one, client n lives on worker n % workers;
   * `ringBytes` is what lies between two of them.
   */
  constructor(rng: Rng = systemRng(), workers: number = workersInTests, ringBytes?: number) {
    this.#workers = workers;
    const surroundings = {
      clock: this.clock,
      crypto: systemCrypto(),
      rng,
      fingerprint,
      openUdp: this.network.host(GATEWAY_IP),
      openTun: this.host.open,
      openEthernet: this.ethernets.open,
      setAlarm: (at: Millis) => {
        this.alarmAt = at;
      },
      pause: () => Promise.resolve(),
    };
    const { network } = this;
    this.#crew =
      workers === 1 ? null : new MemoryCrew({ workers, ringBytes, network, address: GATEWAY_IP, surroundings });
    const alone = this.#crew === null ? new Engine(surroundings, 'test') : null;
    this.engine = this.#crew ?? alone!;
    this.segments = (this.#crew?.engines ?? [alone!]).map((engine) => engine.readStats);
  }

  get clock(): Clock {
    return { now: () => this.now, unixMs: () => 1_700_000_000_000 + this.now };
  }

  /** Actions that must all work. */
  async do(...actions: Action[]): Promise<void> {
    assert.deepEqual(
      await this.engine.apply(actions),
      actions.map(() => null),
    );
  }

  /** wg0 in the VRF `default` with 10.77.0.1/24 and fd77::1/64, and routes for both prefixes. */
  async gateway(): Promise<void> {
    await this.do(
      { do: 'link.set', name: 'wg0', type: 'wireguard', vrf: 'default', mtu: 1420, adminUp: true },
      { do: 'wireguard.set', link: 'wg0', listenPort: LISTEN_PORT, privateKey: formatKey(this.gatewayKey) },
      { do: 'address.add', link: 'wg0', address: '10.77.0.1/24' },
      { do: 'address.add', link: 'wg0', address: 'fd77::1/64' },
      { do: 'route.set', vrf: 'default', prefix: '10.77.0.0/24', link: 'wg0', nextHop: null },
      { do: 'route.set', vrf: 'default', prefix: 'fd77::/64', link: 'wg0', nextHop: null },
    );
  }

  /** host0 in the VRF `default`: the machine is 10.99.0.1 and fd99::1 on it. */
  async hostInterface(): Promise<MemoryTun> {
    const addresses = ['10.99.0.1/24', 'fd99::1/64'];
    await this.do(
      {
        do: 'link.set',
        name: 'host0',
        type: 'tun',
        vrf: 'default',
        mtu: 1420,
        adminUp: true,
        hostAddresses: addresses,
        hostRoutes: ['10.77.0.0/24', 'fd77::/64'],
      },
      { do: 'route.set', vrf: 'default', prefix: '10.99.0.1/32', link: 'host0', nextHop: null },
      { do: 'route.set', vrf: 'default', prefix: 'fd99::1/128', link: 'host0', nextHop: null },
    );
    return this.host.devices.get('host0')!;
  }

  /** lan in the VRF `default`, the port of eth1: 192.168.1.1/24 and fd88::1/64 are ours, the rest of these networks are neighbours. */
  async port(): Promise<MemoryEthernet> {
    this.ethernets.interfaces.set('eth1', Uint8Array.fromHex('02005e000001'));
    await this.do(
      { do: 'link.set', name: 'lan', type: 'port', vrf: 'default', mtu: 1500, adminUp: true, device: 'eth1' },
      { do: 'address.add', link: 'lan', address: '192.168.1.1/24' },
      { do: 'address.add', link: 'lan', address: 'fd88::1/64' },
      { do: 'route.set', vrf: 'default', prefix: '192.168.1.0/24', link: 'lan', nextHop: null },
      { do: 'route.set', vrf: 'default', prefix: 'fd88::/64', link: 'lan', nextHop: null },
    );
    return this.ethernets.ports.get('eth1')!;
  }

  /** Client n: 10.77.0.(n+1), fd77::(n+1), known to wg0 and ready to send. */
  async client(n: number): Promise<WireguardClient> {
    const openUdp = this.network.host(`192.0.2.${100 + n}`);
    const client = new WireguardClient(await openUdp({ port: 0 }), this.clock, this.keyFor(n));
    this.clients.push(client);
    await this.do({
      do: 'peer.set',
      link: 'wg0',
      publicKey: client.publicKey,
      presharedKey: null,
      allowedIps: [`10.77.0.${n + 1}/32`, `fd77::${(n + 1).toString(16)}/128`],
      persistentKeepalive: 0,
    });
    client.connect(this.publicKey(), `${GATEWAY_IP}:${LISTEN_PORT}`);
    return client;
  }

  /** A private key whose peer lives on the worker of client n. */
  keyFor(n: number): Uint8Array {
    for (;;) {
      const key = generatePrivateKey();
      if (ownerOf(systemCrypto().publicKey(key), this.#workers) === n % this.#workers) return key;
    }
  }

  publicKey(): string {
    const row = this.engine.dump([{ is: 'wireguard', link: 'wg0' }])[0];
    assert.ok(row?.is === 'wireguard');
    return row.publicKey;
  }

  /** Moves packets until all is quiet. */
  settle(): void {
    for (let busy = true; busy; ) {
      busy = this.network.deliver() > 0;
      busy = this.#crew?.turn() === true || busy;
    }
  }

  /** Lets time pass, with every alarm on the way. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const wishes = [this.alarmAt, ...this.clients.map((client) => client.device.wakeAt())];
      const next = Math.min(...wishes);
      if (next > end) break;
      this.now = millis(Math.max(this.now, next));
      for (const client of this.clients) if (client.device.wakeAt() <= this.now) client.tick();
      if (this.alarmAt <= this.now) {
        this.alarmAt = NEVER;
        this.engine.alarm();
      }
      this.settle();
    }
    this.now = millis(end);
  }

  drops(): { readonly [reason: string]: number } {
    return this.engine.counters().drops;
  }
}
