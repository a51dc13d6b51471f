/** Verbs on interfaces of the gateway's own machine. Whether a gateway obeys them, its own file says. */
import type {
  CreateHostInterfaceReply,
  createHostInterfaceRequest,
  HostInterface,
} from '@vrouter/api/rest/host-interfaces.ts';
import type { HostInterfaceIntent, IntentKey } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { z } from 'zod';
import type { HeadView } from '../desired/head.ts';
import { release } from '../store/claims.ts';
import { networksOf } from '../store/vrouters.ts';
import type { Actor } from './actor.ts';
import { giveBack } from './addresses.ts';
import { must } from './check.ts';
import type { Desk } from './desk.ts';
import {
  addIntent,
  findIntent,
  pageOfIntents,
  problemOf,
  refuseOtherKind,
  refuseUsed,
  removeIntent,
  requireVrf,
  type Sort,
  tagOfIntent,
} from './intents.ts';
import type { Page, Paged } from './page.ts';
import { vrfOf } from './status.ts';
import { hostPrefixes, takePrefixes } from './taken.ts';

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
  const { name, vrf, addresses } = intent;
  return addIntent(
    desk,
    actor,
    vrouter,
    sort,
    intent,
    'name',
    async (tx, head) => {
      refuseOtherKind(head, 'hostInterface', name);
      requireVrf(head, vrf);
      const prefixes = hostPrefixes(addresses).map((prefix) => [prefix]);
      await takePrefixes(tx, head, keyOf(name), vrf, addresses, prefixes);
    },
    (after) => ({ hostInterface: describe(desk, after, intent), version: after.version }),
  );
}

/** Throws `vrouter.notFound`. */
export function listHostInterfaces(desk: Desk, vrouter: string, page: Page): Paged<HostInterface> {
  const head = desk.desired.get(vrouter);
  return pageOfIntents(head, sort, page, (intent) => describe(desk, head, intent));
}

/** Throws `vrouter.notFound`, `intent.notFound`. */
export function showHostInterface(desk: Desk, vrouter: string, name: string): HostInterface {
  const head = desk.desired.get(vrouter);
  return describe(desk, head, findIntent(head, sort, keyOf(name)));
}

/** Throws `vrouter.notFound`, `intent.notFound`, `request.outdated`, `intent.reference` (a route or a masquerade goes by it). */
export async function removeHostInterface(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  name: string,
): Promise<{ readonly deleted: string; readonly version: number }> {
  return removeIntent(desk, actor, vrouter, sort, keyOf(name), async (tx, head, intent) => {
    refuseUsed(head, name);
    await release(tx, head.row.id, keyOf(name));
    if (intent.vrf !== vrfOf(head)) return;
    const freed = hostPrefixes(intent.addresses);
    for (const network of await networksOf(tx, head.row.id)) await giveBack(tx, network, freed);
  });
}

function describe(desk: Desk, view: HeadView, intent: HostInterfaceIntent): HostInterface {
  const { kind: _, name, addresses, routes, ...rest } = intent;
  const problem = problemOf(desk, view, [keyOf(name), `link/${name}`]);
  const etag = tagOfIntent(view, sort, intent);
  return { vrouter: view.row.name, name, ...rest, addresses: [...addresses], routes: [...routes], problem, etag };
}
