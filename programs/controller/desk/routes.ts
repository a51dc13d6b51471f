/** Verbs on static routes and VRFs. */
import type { createRouteRequest, Route } from '@vrouter/api/rest/routes.ts';
import { parseName } from '@vrouter/core/names.ts';
import { formatPrefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type IntentKey, intentKey, type RouteIntent } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { z } from 'zod';
import type { Head } from '../desired/head.ts';
import { holderOf } from '../store/claims.ts';
import type { Actor } from './actor.ts';
import { must } from './check.ts';
import { type Desk, note } from './desk.ts';
import { hostInterfaceWith } from './host-interfaces.ts';
import { hasVrf, requireInterface, requireVrf } from './intents.ts';
import { DEFAULT_VRF, INTERFACE, vrfOf } from './status.ts';

/**
 * Throws `vrouter.notFound`, `input.invalid`, `prefix.invalid`, `address.invalid`, `intent.reference` (no such VRF),
 * `interface.notFound`, `route.exists`.
 */
export async function createRoute(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: z.output<typeof createRouteRequest>,
): Promise<{ route: Route; version: number }> {
  const intent = must(parseIntent({ kind: 'route', ...input })) as RouteIntent;
  const { version } = await desk.desired.change(vrouter, async (tx, draft, head) => {
    requireVrf(head, intent.vrf);
    if (intent.interface !== null) requireInterface(head, intent.interface, 'interface');
    refuseNextHop(head, intent);
    const taken =
      hostInterfaceWith(head, intent.vrf, intent.prefix) !== null ||
      (intent.vrf === vrfOf(head) && (await holderOf(tx, head.row.id, intent.prefix)) !== null);
    if (taken || head.bodies.has(intentKey(intent))) {
      const hint = taken
        ? 'follows from a network, a peer or a host interface already'
        : 'is there already; remove it first';
      throw new ProblemError(problem('route.exists', `the route to ${intent.prefix} ${hint}`, 'prefix'));
    }
    draft.put(intent);
    await note(tx, desk, actor, 'route.create', `${vrouter} ${intent.vrf} ${intent.prefix}`);
  });
  const text = `a route to ${intent.prefix} was added to ${vrouter}`;
  desk.events.emit({ type: 'route.added', vrouter, subject: intent.prefix, version, text });
  return { route: describeRoute(vrouter, intent), version };
}

/** Throws `vrouter.notFound`. */
export function listRoutes(desk: Desk, vrouter: string): Route[] {
  const routes = desk.desired.get(vrouter).intents('route');
  return routes
    .map((intent) => describeRoute(vrouter, intent))
    .sort((a, b) => (a.vrf === b.vrf ? compare(a.prefix, b.prefix) : compare(a.vrf, b.vrf)));
}

/** Throws `vrouter.notFound`, `prefix.invalid`, `route.notFound`. */
export async function removeRoute(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  vrf: string,
  prefixText: string,
): Promise<{ prefix: string; version: number }> {
  const prefix = formatPrefix(must(parsePrefix(prefixText, 'prefix')));
  const { version } = await desk.desired.change(vrouter, async (tx, draft, head) => {
    const key = `route/${vrf}/${prefix}` as IntentKey;
    if (!head.bodies.has(key))
      throw new ProblemError(problem('route.notFound', `there is no route to ${prefix} in VRF "${vrf}"`, 'prefix'));
    draft.remove(key);
    await note(tx, desk, actor, 'route.delete', `${vrouter} ${vrf} ${prefix}`);
  });
  const text = `the route to ${prefix} was removed from ${vrouter}`;
  desk.events.emit({ type: 'route.removed', vrouter, subject: prefix, version, text });
  return { prefix, version };
}

/** Throws `vrouter.notFound`, `name.invalid`, `intent.exists`. */
export async function createVrf(desk: Desk, actor: Actor, vrouter: string, nameText: string): Promise<number> {
  const name = must(parseName(nameText, 'name'));
  const { version } = await desk.desired.change(vrouter, async (tx, draft, head) => {
    if (hasVrf(head, name))
      throw new ProblemError(problem('intent.exists', `there is a VRF "${name}" already`, 'name'));
    draft.put({ kind: 'vrf', name });
    await note(tx, desk, actor, 'vrf.create', `${vrouter} ${name}`);
  });
  desk.events.emit({ type: 'vrf.added', vrouter, subject: name, version, text: `VRF ${name} was added to ${vrouter}` });
  return version;
}

/** `default` first. Throws `vrouter.notFound`. */
export function listVrfs(desk: Desk, vrouter: string): string[] {
  const made = desk.desired
    .get(vrouter)
    .intents('vrf')
    .map((vrf) => vrf.name);
  return [DEFAULT_VRF, ...made.sort(compare)];
}

/** Throws `vrouter.notFound`, `intent.notFound`, `intent.reference` (something is in it). */
export async function removeVrf(desk: Desk, actor: Actor, vrouter: string, name: string): Promise<number> {
  const { version } = await desk.desired.change(vrouter, async (tx, draft, head) => {
    const key = `vrf/${name}` as IntentKey;
    if (!head.bodies.has(key)) {
      const hint = name === DEFAULT_VRF ? 'the default VRF cannot be removed' : `there is no VRF "${name}"`;
      throw new ProblemError(problem('intent.notFound', hint, 'vrf'));
    }
    const user = userOf(head, name);
    if (user !== null)
      throw new ProblemError(problem('intent.reference', `VRF "${name}" has ${user}; remove it first`, 'vrf'));
    if (vrfOf(head) === name)
      throw new ProblemError(
        problem('intent.reference', `VRF "${name}" has the interface ${INTERFACE}; it goes with the vrouter`, 'vrf'),
      );
    draft.remove(key);
    await note(tx, desk, actor, 'vrf.delete', `${vrouter} ${name}`);
  });
  desk.events.emit({
    type: 'vrf.removed',
    vrouter,
    subject: name,
    version,
    text: `VRF ${name} was removed from ${vrouter}`,
  });
  return version;
}

/** What is in a VRF, for a sentence; null: nothing. */
function userOf(head: Head, vrf: string): string | null {
  const route = head.intents('route').find((one) => one.vrf === vrf);
  if (route !== undefined) return `a route to ${route.prefix}`;
  const host = head.intents('hostInterface').find((one) => one.vrf === vrf);
  if (host !== undefined) return `the host interface ${host.name}`;
  const masquerade = head.intents('masquerade').find((one) => one.vrf === vrf);
  if (masquerade !== undefined) return `a masquerade of ${masquerade.prefix}`;
  const port = head.intents('publishedPort').find((one) => one.vrf === vrf);
  return port === undefined ? null : `the published port ${port.protocol}/${port.hostPort}`;
}

/** Neither kind of interface asks for a next hop, so one would be obeyed by silence. */
function refuseNextHop(head: Head, { interface: link, nextHop }: RouteIntent): void {
  if (nextHop === null || link === null) return;
  if (head.bodies.has(`hostInterface/${link}`))
    throw new ProblemError(
      problem('input.invalid', `behind ${link} is the gateway's own machine alone: leave the next hop out`, 'nextHop'),
    );
  // WireGuard looks up the destination among its peers' allowed IPs.
  const hint = `${link} is a WireGuard interface, where the peer whose allowed IPs cover the destination gets the packet: leave the next hop out, and give the prefix to that peer as an allowed IP`;
  throw new ProblemError(problem('input.invalid', hint, 'nextHop'));
}

function describeRoute(vrouter: string, intent: RouteIntent): Route {
  const { vrf, prefix, interface: link, nextHop, blackhole } = intent;
  return { vrouter, vrf, prefix, interface: link, nextHop, blackhole };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
