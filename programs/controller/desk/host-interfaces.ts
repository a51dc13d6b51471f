/** Verbs on interfaces of the gateway's own machine. Whether a gateway obeys them, its own file says. */
import type {
  CreateHostInterfaceReply,
  createHostInterfaceRequest,
  HostInterface,
} from '@vrouter/api/rest/host-interfaces.ts';
import { formatPrefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { HostInterfaceIntent, IntentKey } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { z } from 'zod';
import type { Head } from '../desired/head.ts';
import { claim, holderOf, release } from '../store/claims.ts';
import type { Tx } from '../store/schema.ts';
import { networksOf } from '../store/vrouters.ts';
import type { Actor } from './actor.ts';
import { giveBack } from './addresses.ts';
import { must } from './check.ts';
import type { Desk } from './desk.ts';
import { addIntent, findIntent, intentsOf, problemOf, removeIntent, requireVrf, type Sort } from './intents.ts';
import { vrfOf } from './status.ts';

const sort: Sort<'hostInterface'> = { kind: 'hostInterface', noun: 'host interface', subject: ({ name }) => name };
const keyOf = (name: string): IntentKey => `hostInterface/${name}` as IntentKey;

/**
 * Throws `vrouter.notFound`, `input.invalid`, `name.invalid`, `address.invalid`, `prefix.invalid`, `intent.exists`, `intent.conflict`
 * (the name is the WireGuard interface's), `intent.reference` (no such VRF), `route.exists` (an address is somebody's).
 */
export async function createHostInterface(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: z.output<typeof createHostInterfaceRequest>,
): Promise<CreateHostInterfaceReply> {
  const intent = must(parseIntent({ kind: 'hostInterface', ...input })) as HostInterfaceIntent;
  const version = await addIntent(desk, actor, vrouter, sort, intent, 'name', async (tx, head) => {
    if (head.bodies.has(`gatewayInterface/${intent.name}`))
      throw new ProblemError(
        problem('intent.conflict', `${intent.name} is the WireGuard interface; choose another name`, 'name'),
      );
    requireVrf(head, intent.vrf);
    await takeAddresses(tx, head, intent);
  });
  return { hostInterface: describe(desk, vrouter, intent), version };
}

/** Throws `vrouter.notFound`. */
export function listHostInterfaces(desk: Desk, vrouter: string): HostInterface[] {
  return intentsOf(desk.desired.get(vrouter), sort).map((intent) => describe(desk, vrouter, intent));
}

/** Throws `vrouter.notFound`, `intent.notFound`. */
export function showHostInterface(desk: Desk, vrouter: string, name: string): HostInterface {
  return describe(desk, vrouter, findIntent(desk.desired.get(vrouter), sort, keyOf(name)));
}

/** Throws `vrouter.notFound`, `intent.notFound`, `intent.reference` (a route or a masquerade goes by it). */
export async function removeHostInterface(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  name: string,
): Promise<{ readonly deleted: string; readonly version: number }> {
  return removeIntent(desk, actor, vrouter, sort, keyOf(name), async (tx, head, intent) => {
    const route = head.intents('route').find((one) => one.interface === name);
    if (route !== undefined) throw used(name, `the route to ${route.prefix}`);
    const masquerade = head.intents('masquerade').find((one) => one.leaving?.includes(name));
    if (masquerade !== undefined) throw used(name, `the masquerade of ${masquerade.prefix}`);
    await release(tx, head.row.id, keyOf(name));
    if (intent.vrf !== vrfOf(head)) return;
    for (const network of await networksOf(tx, head.row.id)) await giveBack(tx, network, hostPrefixes(intent));
  });
}

function used(name: string, by: string): ProblemError {
  return new ProblemError(problem('intent.reference', `${by} goes by ${name}; remove it first`, 'interface'));
}

/** The host interface whose own address this is, in a VRF; null when it is nobody's. */
export function hostInterfaceWith(head: Head, vrf: string, prefix: string): string | null {
  const on = head.intents('hostInterface').find((one) => one.vrf === vrf && hostPrefixes(one).includes(prefix));
  return on?.name ?? null;
}

/** `10.99.0.1/24` leads to the machine as `10.99.0.1/32`. */
function hostPrefixes({ addresses }: HostInterfaceIntent): string[] {
  return addresses.map((text, i) => {
    const { address } = must(parseInterfaceAddress(text, `addresses[${i}]`));
    return formatPrefix({ address, bits: address.length * 8 });
  });
}

/** Each address becomes a route of the VRF. In the interface's own VRF, where peers get theirs, it is also spoken for from now on. */
async function takeAddresses(tx: Tx, head: Head, intent: HostInterfaceIntent): Promise<void> {
  const { name, vrf, addresses } = intent;
  const own = vrf === vrfOf(head);
  const prefixes = hostPrefixes(intent);
  for (const [i, prefix] of prefixes.entries()) {
    const taken =
      hostInterfaceWith(head, vrf, prefix) !== null ||
      head.bodies.has(`route/${vrf}/${prefix}`) ||
      prefixes.indexOf(prefix) !== i ||
      (own && (await holderOf(tx, head.row.id, prefix)) !== null);
    if (!taken) continue;
    const hint = `the address of ${addresses[i]} is in use in this VRF already; choose another`;
    throw new ProblemError(problem('route.exists', hint, `addresses[${i}]`));
  }
  if (own) await claim(tx, head.row.id, keyOf(name), prefixes);
}

function describe(desk: Desk, vrouter: string, intent: HostInterfaceIntent): HostInterface {
  const { kind: _, name, addresses, routes, ...rest } = intent;
  const problem = problemOf(desk, desk.desired.get(vrouter), [keyOf(name), `link/${name}`]);
  return { vrouter, name, ...rest, addresses: [...addresses], routes: [...routes], problem };
}
