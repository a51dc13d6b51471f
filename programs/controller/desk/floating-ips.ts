/** Verbs on floating addresses. */
import type { CreateFloatingIpReply, createFloatingIpRequest, FloatingIp } from '@vrouter/api/rest/floating-ips.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import type { FloatingIpIntent, IntentKey } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { z } from 'zod';
import type { Head, HeadView } from '../desired/head.ts';
import type { Actor } from './actor.ts';
import { must } from './check.ts';
import type { Desk } from './desk.ts';
import {
  addIntent,
  findIntent,
  pageOfIntents,
  problemOf,
  removeIntent,
  requireVrf,
  type Sort,
  tagOfIntent,
} from './intents.ts';
import type { Page, Paged } from './page.ts';
import { requireTranslation } from './translation.ts';

const sort: Sort<'floatingIp'> = { kind: 'floatingIp', noun: 'floating address', subject: ({ id }) => id };
const keyOf = (id: string): IntentKey => `floatingIp/${id}` as IntentKey;

/**
 * Throws `vrouter.notFound`, `input.invalid`, `name.invalid`, `address.invalid`, `intent.exists`, `intent.reference` (no such VRF),
 * `intent.conflict` (one of the addresses is in another pair of the VRF).
 */
export async function createFloatingIp(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: z.output<typeof createFloatingIpRequest>,
): Promise<CreateFloatingIpReply> {
  const intent = must(parseIntent({ kind: 'floatingIp', ...input })) as FloatingIpIntent;
  return addIntent(
    desk,
    actor,
    vrouter,
    sort,
    intent,
    'id',
    (_tx, head) => {
      requireTranslation(desk, head.row.id, intent);
      requireVrf(head, intent.vrf);
      refusePaired(head, intent);
    },
    (after) => ({ floatingIp: describe(desk, after, intent), version: after.version }),
  );
}

/** Throws `vrouter.notFound`. */
export function listFloatingIps(desk: Desk, vrouter: string, page: Page): Paged<FloatingIp> {
  const head = desk.desired.get(vrouter);
  return pageOfIntents(head, sort, page, (intent) => describe(desk, head, intent));
}

/** Throws `vrouter.notFound`, `intent.notFound`. */
export function showFloatingIp(desk: Desk, vrouter: string, id: string): FloatingIp {
  const head = desk.desired.get(vrouter);
  return describe(desk, head, findIntent(head, sort, keyOf(id)));
}

/** Throws `vrouter.notFound`, `intent.notFound`, `request.outdated`. */
export async function removeFloatingIp(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  id: string,
): Promise<{ readonly deleted: string; readonly version: number }> {
  return removeIntent(desk, actor, vrouter, sort, keyOf(id));
}

/** One to one: an address is in one pair of its VRF, on whichever side. */
function refusePaired(head: Head, intent: FloatingIpIntent): void {
  const pairs = head.intents('floatingIp').filter((one) => one.vrf === intent.vrf);
  for (const field of ['address', 'fixedAddress'] as const) {
    const address = intent[field];
    const other = pairs.find((one) => one.address === address || one.fixedAddress === address);
    if (other === undefined) continue;
    const hint = `${address} is in the pair ${other.id} already; choose another, or remove that one`;
    throw new ProblemError(problem('intent.conflict', hint, field));
  }
}

function describe(desk: Desk, view: HeadView, intent: FloatingIpIntent): FloatingIp {
  const { kind: _, ...rest } = intent;
  const rule = `natRule/floating/${intent.vrf}/${intent.address}`;
  const problem = problemOf(desk, view, [keyOf(intent.id), rule]);
  return { vrouter: view.row.name, ...rest, problem, etag: tagOfIntent(view, sort, intent) };
}
