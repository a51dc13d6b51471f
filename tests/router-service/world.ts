/** What the items share: the places, the service as it runs now, and its clients. */
import assert from 'node:assert/strict';
import type { RouterClient } from '../../programs/vrouterd/doors/router/client.testing.ts';
import { BLUE, GREEN, type Lab, Service } from './lab.ts';

export interface World {
  readonly lab: Lab;
  service: Service;
  /** As the older router's client is, over VSOCK. */
  older: RouterClient;
  /** Over the unix socket; can say `enable_nat = false`. */
  newer: RouterClient;
}

export interface Answer {
  readonly success: boolean;
  readonly error: string;
}

export async function begin(lab: Lab): Promise<World> {
  return { lab, ...(await served()) };
}

/** V8 falls over its own code pages now and then where the processor is emulated; that is no judgement on the service. */
const V8_FELL = /Fatal error in/;
const TRIES = 3;

async function served(flags: readonly string[] = [], env: NodeJS.ProcessEnv = {}): Promise<Omit<World, 'lab'>> {
  for (let tries = 1; ; tries++) {
    const service = new Service(flags, env);
    try {
      return { service, older: await service.older(), newer: await service.newer() };
    } catch (thrown) {
      await service.kill();
      if (tries === TRIES || !V8_FELL.test(service.log)) throw thrown;
      console.log('# V8 has fallen; the service is started again');
    }
  }
}

/** Another process, after the one before has ended. */
export async function beginAgain(
  world: World,
  flags: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  Object.assign(world, await served(flags, env));
}

export async function succeeds(answer: Promise<Answer>): Promise<void> {
  const { success, error } = await answer;
  assert.deepEqual({ success, error }, { success: true, error: '' });
}

/** With a sentence that says this. */
export async function fails(answer: Promise<Answer>, says: RegExp): Promise<void> {
  const { success, error } = await answer;
  assert.equal(success, false, 'it succeeded');
  assert.match(error, says);
}

/** Two VLANs as they are first made, and nothing else. */
export async function twoVlans({ older }: World): Promise<void> {
  const { vlans } = await older.listVLANs({});
  await Promise.all(vlans.map(({ vlanId }) => succeeds(older.deleteVLAN({ vlanId }))));
  await Promise.all([BLUE, GREEN].map((vlan) => succeeds(older.createVLAN(vlan))));
}

/** Fails with the lines that are others. */
export function unchanged(before: string, after: string): void {
  const [old, fresh] = [before.split('\n'), after.split('\n')];
  const lost = old.filter((line) => !fresh.includes(line)).map((line) => `- ${line}`);
  const come = fresh.filter((line) => !old.includes(line)).map((line) => `+ ${line}`);
  assert.equal([...lost, ...come].join('\n'), '');
  assert.equal(after, before);
}
