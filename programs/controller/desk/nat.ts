/** Verbs on masquerades and published ports. */
import type {
  CreateMasqueradeReply,
  CreatePublishedPortReply,
  createMasqueradeRequest,
  createPublishedPortRequest,
  Masquerade,
  PublishedPort,
} from '@vrouter/api/rest/nat.ts';
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatPrefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import {
  type IntentKey,
  intentKey,
  type MasqueradeIntent,
  type PublishedPortIntent,
} from '@vrouter/intent/model/intents.ts';
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
  requireInterface,
  requireVrf,
  type Sort,
  tagOfIntent,
} from './intents.ts';
import type { Page, Paged } from './page.ts';
import { requireTranslation } from './translation.ts';

const masquerades: Sort<'masquerade'> = {
  kind: 'masquerade',
  noun: 'masquerade',
  subject: ({ vrf, prefix }) => `${vrf} ${prefix}`,
};
const ports: Sort<'publishedPort'> = {
  kind: 'publishedPort',
  noun: 'published port',
  subject: (intent) => `${intent.vrf} ${portText(intent)}`,
};

/** Which published port; as a path says it, `*` being every address. */
export interface PortId {
  readonly vrf: string;
  readonly hostAddress: string;
  readonly protocol: string;
  readonly hostPort: string;
}

/**
 * Throws `vrouter.notFound`, `input.invalid`, `name.invalid`, `address.invalid`, `prefix.invalid`, `intent.exists`, `intent.reference`
 * (no such VRF), `interface.notFound`, `intent.unsupported` (IPv6, of a gateway that does not translate it).
 */
export async function createMasquerade(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: z.output<typeof createMasqueradeRequest>,
): Promise<CreateMasqueradeReply> {
  const intent = must(parseIntent({ kind: 'masquerade', ...input })) as MasqueradeIntent;
  return addIntent(
    desk,
    actor,
    vrouter,
    masquerades,
    intent,
    'prefix',
    (_tx, head) => {
      requireTranslation(desk, head.row.id, intent);
      requireVrf(head, intent.vrf);
      for (const [i, name] of (intent.leaving ?? []).entries()) requireInterface(head, name, `leaving[${i}]`);
    },
    (after) => ({ masquerade: describeMasquerade(desk, after, intent), version: after.version }),
  );
}

/** Throws `vrouter.notFound`. */
export function listMasquerades(desk: Desk, vrouter: string, page: Page): Paged<Masquerade> {
  const head = desk.desired.get(vrouter);
  return pageOfIntents(head, masquerades, page, (intent) => describeMasquerade(desk, head, intent));
}

/** Throws `vrouter.notFound`, `prefix.invalid`, `intent.notFound`. */
export function showMasquerade(desk: Desk, vrouter: string, vrf: string, prefix: string): Masquerade {
  const head = desk.desired.get(vrouter);
  return describeMasquerade(desk, head, findIntent(head, masquerades, masqueradeKey(vrf, prefix)));
}

/** Throws `vrouter.notFound`, `prefix.invalid`, `intent.notFound`, `request.outdated`. */
export async function removeMasquerade(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  vrf: string,
  prefix: string,
): Promise<{ readonly deleted: string; readonly version: number }> {
  return removeIntent(desk, actor, vrouter, masquerades, masqueradeKey(vrf, prefix));
}

/**
 * Throws `vrouter.notFound`, `input.invalid`, `name.invalid`, `address.invalid`, `intent.exists`, `intent.reference` (no such VRF),
 * `intent.conflict` (some of the ports are published by another), `intent.unsupported` (IPv6 or SCTP, of a gateway that does not translate it).
 */
export async function createPublishedPort(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  input: z.output<typeof createPublishedPortRequest>,
): Promise<CreatePublishedPortReply> {
  const intent = must(parseIntent({ kind: 'publishedPort', ...input })) as PublishedPortIntent;
  return addIntent(
    desk,
    actor,
    vrouter,
    ports,
    intent,
    'hostPort',
    (_tx, head) => {
      requireTranslation(desk, head.row.id, intent);
      requireVrf(head, intent.vrf);
      refuseOverlap(head, intent);
    },
    (after) => ({ publishedPort: describePort(desk, after, intent), version: after.version }),
  );
}

/** Throws `vrouter.notFound`. */
export function listPublishedPorts(desk: Desk, vrouter: string, page: Page): Paged<PublishedPort> {
  const head = desk.desired.get(vrouter);
  return pageOfIntents(head, ports, page, (intent) => describePort(desk, head, intent));
}

/** Throws `vrouter.notFound`, `address.invalid`, `intent.notFound`. */
export function showPublishedPort(desk: Desk, vrouter: string, id: PortId): PublishedPort {
  const head = desk.desired.get(vrouter);
  return describePort(desk, head, findIntent(head, ports, portKey(id)));
}

/** Throws `vrouter.notFound`, `address.invalid`, `intent.notFound`, `request.outdated`. */
export async function removePublishedPort(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  id: PortId,
): Promise<{ readonly deleted: string; readonly version: number }> {
  return removeIntent(desk, actor, vrouter, ports, portKey(id));
}

/** A port of every address stands behind one of an address of its own, so only the same address can clash. */
function refuseOverlap(head: Head, intent: PublishedPortIntent): void {
  const { vrf, hostAddress, protocol, hostPort, count } = intent;
  const other = head
    .intents('publishedPort')
    .find(
      (one) =>
        one.vrf === vrf &&
        one.hostAddress === hostAddress &&
        one.protocol === protocol &&
        one.hostPort < hostPort + count &&
        hostPort < one.hostPort + one.count,
    );
  if (other === undefined) return;
  const hint = `${portText(other)} publishes some of these ports; choose others, or remove it first`;
  throw new ProblemError(problem('intent.conflict', hint, 'hostPort'));
}

function masqueradeKey(vrf: string, prefix: string): IntentKey {
  return `masquerade/${vrf}/${formatPrefix(must(parsePrefix(prefix, 'prefix')))}` as IntentKey;
}

function portKey({ vrf, hostAddress, protocol, hostPort }: PortId): IntentKey {
  const address = hostAddress === '*' ? '*' : formatIp(must(parseIp(hostAddress, 'hostAddress')));
  return `publishedPort/${vrf}/${address}/${protocol}/${hostPort}` as IntentKey;
}

/** `tcp/80`, `udp/192.0.2.1:7000-7099`. */
function portText({ hostAddress, protocol, hostPort, count }: PublishedPortIntent): string {
  const last = count === 1 ? '' : `-${hostPort + count - 1}`;
  return `${protocol}/${hostAddress === null ? '' : `${hostAddress}:`}${hostPort}${last}`;
}

function describeMasquerade(desk: Desk, view: HeadView, intent: MasqueradeIntent): Masquerade {
  const { vrf, prefix, leaving, addresses } = intent;
  const problem = problemOf(desk, view, objectKeys(intentKey(intent), `masquerade/${vrf}/${prefix}`));
  const etag = tagOfIntent(view, masquerades, intent);
  const own = (list: readonly string[] | null): string[] | null => (list === null ? null : [...list]);
  return { vrouter: view.row.name, vrf, prefix, leaving: own(leaving), addresses: own(addresses), problem, etag };
}

function describePort(desk: Desk, view: HeadView, intent: PublishedPortIntent): PublishedPort {
  const { kind: _, ...rest } = intent;
  const key = intentKey(intent);
  const problem = problemOf(desk, view, objectKeys(key, key.replace(/^publishedPort/, 'port')));
  return { vrouter: view.row.name, ...rest, problem, etag: tagOfIntent(view, ports, intent) };
}

/** The intent, and the rule and pool that it comes to on the gateway. */
function objectKeys(key: IntentKey, rule: string): readonly string[] {
  return [key, `natRule/${rule}`, `natPool/${rule}`];
}
