/** One change among 100, 10,000 and 1,000,000 objects: from what is said to what a plane in memory then has, in microseconds. */
import { FakeDriver } from '@vrouter/drivers/fake/fake.ts';
import { diffAll, diffKeys } from '@vrouter/intent/diff/diff.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import { intentKey, type PeerIntent } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import { plan } from '@vrouter/intent/plan/plan.ts';
import { testKey, testOutside } from '@vrouter/intent/testing/outside.ts';
import type { BenchResult } from './result.ts';

const SIZES = [100, 10_000, 1_000_000] as const;
/** Rounds of three changes each: a peer is added with its route, given another route, removed. */
const ROUNDS = 3000;
const WARM_UP = 1000;
const BATCH = 10_000;

/** `at` tells the address: peers lie side by side in 10.0.0.0/8. */
function peer(number: number, at: number): PeerIntent {
  return {
    kind: 'peer',
    interface: 'wg0',
    publicKey: testKey(number),
    name: '',
    presharedKey: null,
    allowedIps: [`10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}/32`],
    endpoint: null,
    persistentKeepalive: 0,
  };
}

class World {
  readonly #signal = new AbortController().signal;
  readonly #driver = new FakeDriver();
  readonly #observed = new Map<ObjectKey, Observed>();
  readonly desired = new Desired(testOutside(), this.#driver.capabilities().kinds);

  /** What is dirty is compared, planned, done, and read back. */
  async flow(): Promise<void> {
    const steps = plan(
      diffKeys(
        this.desired.takeDirty(),
        (key) => this.desired.desired(key),
        (key) => this.#observed.get(key),
      ),
    );
    for (const result of await this.#driver.apply(steps, this.#signal)) {
      if (!result.ok) throw new Error(`${result.key}: ${result.error.message}`);
      if (result.now === null) this.#observed.delete(result.key);
      else this.#observed.set(result.key, result.now);
    }
  }

  /** Link, device, and as many peers with a route each as make `objects` objects. */
  async fill(objects: number): Promise<number> {
    const peers = (objects - 2) / 2;
    this.desired.put('controller', {
      kind: 'gatewayInterface',
      name: 'wg0',
      type: 'wireguard',
      vrf: 'default',
      listenPort: 51820,
      mtu: 1420,
      mssClamp: 'auto',
      sourceCheck: 'off',
    });
    for (let i = 0; i < peers; i++) {
      this.desired.put('controller', peer(i, i));
      if (i % BATCH === 0) await this.flow();
    }
    await this.flow();
    if (this.desired.size !== objects) throw new Error(`${this.desired.size} objects instead of ${objects}`);
    return peers;
  }

  check(): void {
    const left = diffAll(this.desired.all(), this.#observed.values(), this.#driver.capabilities().builtIn);
    if (left.length > 0) throw new Error(`${left.length} differences are left`);
  }
}

/** Median microseconds of one change among so many objects. */
async function microseconds(objects: number): Promise<number> {
  const world = new World();
  const peers = await world.fill(objects);
  const times: number[] = [];
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    // Any place of the key space, not only its end.
    const number = peers + (Math.imul(round, 7919) & 0xffff);
    for (const change of [peer(number, number), peer(number, number + 0x10000), null]) {
      const start = performance.now();
      if (change === null) world.desired.remove('controller', intentKey(peer(number, number)));
      else world.desired.put('controller', change);
      await world.flow();
      if (round >= 0) times.push((performance.now() - start) * 1000);
    }
  }
  world.check();
  times.sort((a, b) => a - b);
  return times[times.length >> 1]!;
}

export async function run(): Promise<BenchResult> {
  const ours: Record<string, number> = {};
  for (const size of SIZES) ours[`us_at_${size}`] = Number((await microseconds(size)).toFixed(2));
  return {
    bench: 'change',
    real: false,
    ours,
    peers: {},
    ratio: {},
    note: 'median of adding, changing and removing a peer with its route: compile, diff, plan, apply in memory, read back',
  };
}
