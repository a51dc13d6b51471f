/** The door's calls over a store, an index, the loop and a plane in memory; also as a program that is killed: `router.testing.ts`. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import * as pb from '@vrouter/api/router/gen/router_pb.ts';
import { FakeDriver } from '@vrouter/drivers/fake/fake.ts';
import type { Outside } from '@vrouter/intent/compile/context.ts';
import { Desired } from '@vrouter/intent/index/desired.ts';
import type { ObjectKind } from '@vrouter/intent/model/objects.ts';
import { testOutside } from '@vrouter/intent/testing/outside.ts';
import { type Logger, pino } from 'pino';
import { readIntent } from '../../agent/sync.ts';
import { BadIntents } from '../../bad-intents.ts';
import { defaultTuning, Reconciler } from '../../reconcile/reconciler.ts';
import { openDatabase } from '../../store/database.ts';
import { Store } from '../../store/store.ts';
import { StoredIntents, type StoredParts } from '../intents/stored.ts';
import { type Note, type RouterIntents, SOURCE } from './intents.ts';
import { type Answer, RouterCalls } from './service.ts';

export interface StoredWorld {
  readonly driver: FakeDriver;
  readonly store: Store;
  readonly desired: Desired;
  readonly reconciler: Reconciler;
  readonly intents: StoredIntents<Note>;
  /** For doors of other sources. */
  readonly parts: StoredParts;
  stop(): Promise<void>;
}

/** As a daemon starts: what is stored is said, and made true on a plane that has nothing. */
export async function openWorld(
  path = ':memory:',
  kinds?: readonly ObjectKind[],
  outside: Outside = testOutside(),
): Promise<StoredWorld> {
  const driver = new FakeDriver(kinds);
  const store = new Store(openDatabase(path));
  const desired = new Desired(outside, driver.capabilities().kinds);
  for (const { source, key, body } of store.intents()) {
    const intent = readIntent(key, body);
    if (!intent.ok) throw new Error(`${key}: ${intent.error.message}`);
    desired.put(source, intent.value);
  }
  const observer = { applied: () => {}, drifted: () => {}, planeAway: () => {} };
  const tuning = { ...defaultTuning, retryMs: 50 };
  const reconciler = new Reconciler(desired, driver, silent, observer, (step) => step, tuning);
  const begin = (): void => reconciler.kick();
  const parts = { store, desired, reconciler, driver, badIntents: new BadIntents(), keeping: { problem: null }, begin };
  reconciler.start();
  await reconciler.settled(2000);
  const stop = async (): Promise<void> => {
    await reconciler.stop();
    store[Symbol.dispose]();
  };
  return { driver, store, desired, reconciler, intents: new StoredIntents<Note>(SOURCE, parts), parts, stop };
}

export const silent: Logger = pino({ enabled: false });

const never = new AbortController().signal;

/** The calls with the fields that a test does not care for left out. */
export class Client {
  readonly calls: RouterCalls;

  constructor(intents: RouterIntents, parent: () => string | null = () => 'eth0', planeMs = 2000) {
    this.calls = new RouterCalls({ intents, parent, planeMs, log: silent });
  }

  /** VLAN `id` has the subnet 10.ID.0.0/24 (10.HIGH.LOW.0/24) unless told otherwise. */
  createVlan(
    vlanId: number,
    more: MessageInitShape<typeof pb.CreateVLANRequestSchema> = {},
    signal: AbortSignal = never,
  ) {
    const stem = `10.${vlanId >> 8}.${vlanId & 255}`;
    const request = { vlanId, subnet: `${stem}.0/24`, gateway: `${stem}.1`, ...more };
    return this.calls.createVlan(create(pb.CreateVLANRequestSchema, request), signal);
  }

  deleteVlan(vlanId: number): Promise<Answer> {
    return this.calls.deleteVlan(create(pb.DeleteVLANRequestSchema, { vlanId }), never);
  }

  configureNat(vlanId: number, sourceSubnet: string): Promise<Answer> {
    return this.calls.configureNat(create(pb.ConfigureNATRequestSchema, { vlanId, sourceSubnet }), never);
  }

  removeNat(vlanId: number, sourceSubnet: string): Promise<Answer> {
    return this.calls.removeNat(create(pb.RemoveNATRequestSchema, { vlanId, sourceSubnet }), never);
  }

  configureDns(vlanId: number, hosts: { [name: string]: string }, domain = ''): Promise<Answer> {
    return this.calls.configureDns(create(pb.ConfigureDNSRequestSchema, { vlanId, hosts, domain }), never);
  }

  /** `tcp`, `8080`, `10.0.100.2:80`. */
  addPort(protocol: string, hostPort: number, target: string, vlanId = 0): Promise<Answer> {
    const colon = target.lastIndexOf(':');
    const [containerIp, containerPort] = [target.slice(0, colon), Number(target.slice(colon + 1))];
    const request = { protocol, hostPort, containerIp, containerPort, vlanId };
    return this.calls.addPortMapping(create(pb.AddPortMappingRequestSchema, request), never);
  }

  removePort(protocol: string, hostPort: number): Promise<Answer> {
    return this.calls.removePortMapping(create(pb.RemovePortMappingRequestSchema, { protocol, hostPort }), never);
  }

  async list(vlanId = 0) {
    return (await this.calls.listVlans(create(pb.ListVLANsRequestSchema, { vlanId }))).vlans;
  }
}
