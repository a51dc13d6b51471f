/** Verbs on static routes and VRFs. */
import type { CreateRouteReply, CreateVrfReply, createRouteRequest, Route, Vrf } from '@vrouter/api/rest/routes.ts';
import { parseName } from '@vrouter/core/names.ts';
import { formatPrefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type IntentKey, intentKey, type RouteIntent } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { z } from 'zod';
import type { Head, HeadView } from '../desired/head.ts';
import { holderOf } from '../store/claims.ts';
import type { Actor } from './actor.ts';
import { must } from './check.ts';
import { type Desk, note } from './desk.ts';
import { hasVrf, requireInterface, requireVrf } from './intents.ts';
import { mapPage, type Page, type Paged, pageOfKeys, pageOfKind } from './page.ts';
import { DEFAULT_VRF, INTERFACE, vrfOf } from './status.ts';
import { intentTag } from './tags.ts';
import { interfaceWith } from './taken.ts';
import { requireMatch } from './terms.ts';

/**
 * Throws `vrouter.notFound`, `input.invalid`, `prefix.invalid`, `address.invalid`, `intent.reference` (no such VRF),
 * `interface.notFound`, `route.exists`.
 */
export async function createRoute(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: z.output<typeof createRouteRequest>,
): Promise<CreateRouteReply> {
  const intent = must(parseIntent({ kind: 'route', ...input })) as RouteIntent;
  const reply = await desk.desired.answer(vrouter, actor, 'route.create', async (tx, draft, head) => {
    requireVrf(head, intent.vrf);
    if (intent.interface !== null) requireInterface(head, intent.interface, 'interface');
    refuseNextHop(head, intent);
    const taken =
      interfaceWith(head, intent.vrf, intent.prefix) !== null ||
      (intent.vrf === vrfOf(head) && (await holderOf(tx, head.row.id, intent.prefix)) !== null);
    if (taken || head.bodies.has(intentKey(intent))) {
      const hint = taken
        ? 'follows from a network, a peer or an interface already'
        : 'is there already; remove it first';
      throw new ProblemError(problem('route.exists', `the route to ${intent.prefix} ${hint}`, 'prefix'));
    }
    draft.put(intent);
    await note(tx, desk, actor, 'route.create', `${vrouter} ${intent.vrf} ${intent.prefix}`);
    return (after) => ({ route: describeRoute(after, intent), version: after.version });
  });
  const text = `a route to ${intent.prefix} was added to ${vrouter}`;
  desk.events.emit({ type: 'route.added', vrouter, subject: intent.prefix, version: reply.version, text });
  return reply;
}

/** Throws `vrouter.notFound`. */
export function listRoutes(desk: Desk, vrouter: string, page: Page): Paged<Route> {
  const head = desk.desired.get(vrouter);
  return mapPage(pageOfKind(head, 'route', page), (key) => describeRoute(head, head.intent('route', key)!));
}

/** Throws `vrouter.notFound`, `prefix.invalid`, `route.notFound`, `request.outdated`. */
export async function removeRoute(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  vrf: string,
  prefixText: string,
): Promise<{ prefix: string; version: number }> {
  const prefix = formatPrefix(must(parsePrefix(prefixText, 'prefix')));
  const { version } = await desk.desired.change(vrouter, actor, 'route.delete', async (tx, draft, head) => {
    const key = `route/${vrf}/${prefix}` as IntentKey;
    if (!head.bodies.has(key))
      throw new ProblemError(problem('route.notFound', `there is no route to ${prefix} in VRF "${vrf}"`, 'prefix'));
    requireMatch(actor, intentTag(head, [key]));
    draft.remove(key);
    await note(tx, desk, actor, 'route.delete', `${vrouter} ${vrf} ${prefix}`);
  });
  const text = `the route to ${prefix} was removed from ${vrouter}`;
  desk.events.emit({ type: 'route.removed', vrouter, subject: prefix, version, text });
  return { prefix, version };
}

/** Throws `vrouter.notFound`, `name.invalid`, `intent.exists`. */
export async function createVrf(desk: Desk, actor: Actor, vrouter: string, nameText: string): Promise<CreateVrfReply> {
  const name = must(parseName(nameText, 'name'));
  const reply = await desk.desired.answer(vrouter, actor, 'vrf.create', async (tx, draft, head) => {
    if (hasVrf(head, name))
      throw new ProblemError(problem('intent.exists', `there is a VRF "${name}" already`, 'name'));
    draft.put({ kind: 'vrf', name });
    await note(tx, desk, actor, 'vrf.create', `${vrouter} ${name}`);
    return (after) => ({ vrf: describeVrf(after, name), version: after.version });
  });
  const text = `VRF ${name} was added to ${vrouter}`;
  desk.events.emit({ type: 'vrf.added', vrouter, subject: name, version: reply.version, text });
  return reply;
}

/** `default` first: its key is the empty one. Throws `vrouter.notFound`. */
export function listVrfs(desk: Desk, vrouter: string, page: Page): Paged<Vrf> {
  const head = desk.desired.get(vrouter);
  const names = ['', ...Array.from(head.keys('vrf/'), (key) => key.slice('vrf/'.length))];
  return mapPage(pageOfKeys(names, page), (name) => describeVrf(head, name === '' ? DEFAULT_VRF : name));
}

/** Throws `vrouter.notFound`, `intent.notFound`, `request.outdated`, `intent.reference` (something is in it). */
export async function removeVrf(desk: Desk, actor: Actor, vrouter: string, name: string): Promise<number> {
  const { version } = await desk.desired.change(vrouter, actor, 'vrf.delete', async (tx, draft, head) => {
    const key = `vrf/${name}` as IntentKey;
    if (!head.bodies.has(key)) {
      const hint = name === DEFAULT_VRF ? 'the default VRF cannot be removed' : `there is no VRF "${name}"`;
      throw new ProblemError(problem('intent.notFound', hint, 'vrf'));
    }
    requireMatch(actor, intentTag(head, [key]));
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
  const ethernet = head.intents('port').find((one) => one.vrf === vrf);
  if (ethernet !== undefined) return `the port ${ethernet.name}`;
  const floating = head.intents('floatingIp').find((one) => one.vrf === vrf);
  if (floating !== undefined) return `the floating address ${floating.id}`;
  const masquerade = head.intents('masquerade').find((one) => one.vrf === vrf);
  if (masquerade !== undefined) return `a masquerade of ${masquerade.prefix}`;
  const port = head.intents('publishedPort').find((one) => one.vrf === vrf);
  return port === undefined ? null : `the published port ${port.protocol}/${port.hostPort}`;
}

/** Of interfaces only ports into Ethernets ask for a next hop; elsewhere one would be obeyed by silence. */
function refuseNextHop(head: Head, { interface: link, nextHop }: RouteIntent): void {
  if (nextHop === null || link === null || head.bodies.has(`port/${link}`)) return;
  if (head.bodies.has(`hostInterface/${link}`))
    throw new ProblemError(
      problem('input.invalid', `behind ${link} is the gateway's own machine alone: leave the next hop out`, 'nextHop'),
    );
  // WireGuard looks up the destination among its peers' allowed IPs.
  const hint = `${link} is a WireGuard interface, where the peer whose allowed IPs cover the destination gets the packet: leave the next hop out, and give the prefix to that peer as an allowed IP`;
  throw new ProblemError(problem('input.invalid', hint, 'nextHop'));
}

function describeRoute(view: HeadView, intent: RouteIntent): Route {
  const { vrf, prefix, interface: link, nextHop, blackhole } = intent;
  const etag = intentTag(view, [intentKey(intent)]);
  return { vrouter: view.row.name, vrf, prefix, interface: link, nextHop, blackhole, etag };
}

function describeVrf(view: HeadView, name: string): Vrf {
  return { vrouter: view.row.name, name, etag: intentTag(view, [`vrf/${name}`]) };
}
