/** Verbs on ports into Ethernets of the gateway's machine. Whether a gateway obeys them, its own file says. */
import type { CreatePortReply, createPortRequest, Port } from '@vrouter/api/rest/ports.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { AddressIntent, IntentKey, PortIntent } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { z } from 'zod';
import type { Head, HeadView } from '../desired/head.ts';
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
import { addressesOf, addressKeys, hostPrefixes, networksBeside, takePrefixes } from './taken.ts';

const sort: Sort<'port'> = {
  kind: 'port',
  noun: 'port',
  subject: ({ name }) => name,
  along: (view, { name }) => addressKeys(view, name),
};
const keyOf = (name: string): IntentKey => `port/${name}` as IntentKey;

/**
 * The port and the gateway's addresses on it, in one version. Throws `vrouter.notFound`, `input.invalid`, `name.invalid`,
 * `prefix.invalid`, `intent.exists`, `intent.conflict` (the name, or the device's frames, are another's), `intent.reference` (no such
 * VRF), `route.exists` (an address, or the network beside it, is somebody's).
 */
export async function createPort(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  { addresses: texts, ...input }: z.output<typeof createPortRequest>,
): Promise<CreatePortReply> {
  const intent = must(parseIntent({ kind: 'port', ...input })) as PortIntent;
  const { name, vrf } = intent;
  const own = texts.map((address, i) => addressIntent(name, address, `addresses[${i}]`));
  const addresses = own.map(({ address }) => address);
  return addIntent(
    desk,
    actor,
    vrouter,
    sort,
    intent,
    'name',
    async (tx, head, draft) => {
      refuseOtherKind(head, 'port', name);
      refuseDevice(head, intent);
      requireVrf(head, vrf);
      const beside = networksBeside(addresses);
      const prefixes = hostPrefixes(addresses).map((prefix, i) => [prefix, beside[i]!]);
      await takePrefixes(tx, head, keyOf(name), vrf, addresses, prefixes);
      for (const one of own) draft.put(one);
    },
    (after) => ({ port: describe(desk, after, intent), version: after.version }),
  );
}

/** Throws `vrouter.notFound`. */
export function listPorts(desk: Desk, vrouter: string, page: Page): Paged<Port> {
  const head = desk.desired.get(vrouter);
  return pageOfIntents(head, sort, page, (intent) => describe(desk, head, intent));
}

/** Throws `vrouter.notFound`, `intent.notFound`. */
export function showPort(desk: Desk, vrouter: string, name: string): Port {
  const head = desk.desired.get(vrouter);
  return describe(desk, head, findIntent(head, sort, keyOf(name)));
}

/** Throws `vrouter.notFound`, `intent.notFound`, `request.outdated`, `intent.reference` (a route or a masquerade goes by it). */
export async function removePort(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  name: string,
): Promise<{ readonly deleted: string; readonly version: number }> {
  return removeIntent(desk, actor, vrouter, sort, keyOf(name), async (tx, head, intent) => {
    refuseUsed(head, name);
    await release(tx, head.row.id, keyOf(name));
    if (intent.vrf !== vrfOf(head)) return;
    const freed = hostPrefixes(addressesOf(head, name));
    for (const network of await networksOf(tx, head.row.id)) await giveBack(tx, network, freed);
  });
}

function addressIntent(name: string, address: string, field: string): AddressIntent {
  const parsed = parseIntent({ kind: 'address', interface: name, address });
  if (parsed.ok) return parsed.value as AddressIntent;
  throw new ProblemError(problem(parsed.error.code, parsed.error.message, field));
}

/** The frames of a device, or of one VLAN of it, are one port's; and a TAP is made, so nothing of that name may be there. */
function refuseDevice(head: Head, { device, tap, vlanId }: PortIntent): void {
  const link = device ?? tap;
  const field = device === null ? 'tap' : 'device';
  const other = head.intents('port').find((one) => (one.device ?? one.tap) === link && one.vlanId === vlanId);
  if (other !== undefined)
    throw new ProblemError(
      problem('intent.conflict', `the port ${other.name} has these frames of ${link}; choose another`, field),
    );
  if (tap !== null && head.bodies.has(`hostInterface/${tap}`))
    throw new ProblemError(
      problem('intent.conflict', `${tap} is a host interface of the machine; choose another name`, field),
    );
}

function describe(desk: Desk, view: HeadView, intent: PortIntent): Port {
  const { kind: _, name, ...rest } = intent;
  const keys = [keyOf(name), `link/${name}`, ...addressKeys(view, name)];
  const problem = problemOf(desk, view, keys);
  const etag = tagOfIntent(view, sort, intent);
  return { vrouter: view.row.name, name, ...rest, addresses: addressesOf(view, name), problem, etag };
}
