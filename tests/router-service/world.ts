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
  const service = new Service();
  return { lab, service, older: await service.older(), newer: await service.newer() };
}

/** Another process, after the one before has ended. */
export async function beginAgain(
  world: World,
  flags: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<void> {
  world.service = new Service(flags, env);
  world.older = await world.service.older();
  world.newer = await world.service.newer();
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
