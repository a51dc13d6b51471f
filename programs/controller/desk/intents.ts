/** Verbs on intents that are nothing but intents: said, listed, shown and taken back one by one. What a kind alone checks is handed in. */
import type { EventType } from '@vrouter/api/rest/system.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type Intent, type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import type { Draft } from '../desired/draft.ts';
import type { Head, HeadView } from '../desired/head.ts';
import type { Tx } from '../store/schema.ts';
import type { Actor } from './actor.ts';
import { type Desk, note } from './desk.ts';
import { mapPage, type Page, type Paged, pageOfKind } from './page.ts';
import { DEFAULT_VRF } from './status.ts';
import { intentTag } from './tags.ts';
import { requireMatch } from './terms.ts';

/** Intents that are interfaces; they share one space of names. */
const INTERFACE_KINDS = ['gatewayInterface', 'hostInterface', 'port'] as const;

type Adding = Extract<EventType, `${string}.added`>;

/** How one kind is called, and what is particular about it. */
export interface Sort<K extends Intent['kind']> {
  readonly kind: K & (Adding extends `${infer N}.added` ? N : never);
  /** In a sentence: `published port`. */
  readonly noun: string;
  /** Which one, for people: `tcp/80`. */
  subject(intent: Extract<Intent, { kind: K }>): string;
  /** Keys of intents that come and go with this one, sorted. */
  along?(view: HeadView, intent: Extract<Intent, { kind: K }>): IntentKey[];
}

/** What keeps a change from being made; throws it. It may also add to the draft what comes along. */
export type Check = (tx: Tx, head: Head, draft: Draft) => Promise<void> | void;

/** Throws `vrouter.notFound`, `intent.exists` with `field`, and what `check` throws. Returns what `describe` makes of it. */
export async function addIntent<K extends Intent['kind'], R extends { readonly version: number }>(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  sort: Sort<K>,
  intent: Extract<Intent, { kind: K }>,
  field: string,
  check: Check,
  describe: (after: HeadView) => R,
): Promise<R> {
  const { kind, noun } = sort;
  const subject = sort.subject(intent);
  const reply = await desk.desired.answer(vrouter, actor, `${kind}.create`, async (tx, draft, head) => {
    if (head.bodies.has(intentKey(intent)))
      throw new ProblemError(problem('intent.exists', `there is a ${noun} ${subject} already; remove it first`, field));
    await check(tx, head, draft);
    draft.put(intent);
    await note(tx, desk, actor, `${kind}.create`, `${vrouter} ${subject}`);
    return describe;
  });
  const text = `${noun} ${subject} was added to ${vrouter}`;
  desk.events.emit({ type: `${kind}.added` as EventType, vrouter, subject, version: reply.version, text });
  return reply;
}

/** Throws `vrouter.notFound`, `intent.notFound`, `request.outdated`, and what `check` throws. Returns the subject and the version that says it. */
export async function removeIntent<K extends Intent['kind']>(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  sort: Sort<K>,
  key: IntentKey,
  check: (tx: Tx, head: Head, intent: Extract<Intent, { kind: K }>) => Promise<void> | void = () => {},
): Promise<{ readonly deleted: string; readonly version: number }> {
  const { kind, noun } = sort;
  const { value: deleted, version } = await desk.desired.change(
    vrouter,
    actor,
    `${kind}.delete`,
    async (tx, draft, head) => {
      const intent = findIntent(head, sort, key);
      requireMatch(actor, tagOfIntent(head, sort, intent));
      await check(tx, head, intent);
      draft.remove(key);
      for (const one of sort.along?.(head, intent) ?? []) draft.remove(one);
      const subject = sort.subject(intent);
      await note(tx, desk, actor, `${kind}.delete`, `${vrouter} ${subject}`);
      return subject;
    },
  );
  const text = `${noun} ${deleted} was removed from ${vrouter}`;
  desk.events.emit({ type: `${kind}.removed` as EventType, vrouter, subject: deleted, version, text });
  return { deleted, version };
}

/** Throws `intent.notFound`. */
export function findIntent<K extends Intent['kind']>(
  head: Head,
  { kind, noun }: Sort<K>,
  key: IntentKey,
): Extract<Intent, { kind: K }> {
  const intent = head.intent<K>(kind, key);
  if (intent !== null) return intent;
  const hint = `there is no ${noun} ${key.slice(kind.length + 1)}; list them to see which there are`;
  throw new ProblemError(problem('intent.notFound', hint));
}

/** A page of them in the order of their keys, each made into what is shown. */
export function pageOfIntents<K extends Intent['kind'], T>(
  head: HeadView,
  { kind }: Sort<K>,
  page: Page,
  describe: (intent: Extract<Intent, { kind: K }>) => T,
): Paged<T> {
  return mapPage(pageOfKind(head, kind, page), (key) => describe(head.intent<K>(kind, key)!));
}

/** Another one when anything of it, or of what comes along, is another. */
export function tagOfIntent<K extends Intent['kind']>(
  view: HeadView,
  sort: Sort<K>,
  intent: Extract<Intent, { kind: K }>,
): string {
  return intentTag(view, [intentKey(intent), ...(sort.along?.(view, intent) ?? [])]);
}

/** What the gateway last told of an intent, or of one of the objects that it comes to; of the first of these keys that it complains of. */
export function problemOf(
  desk: Desk,
  head: HeadView,
  keys: readonly string[],
): { code: string; message: string } | null {
  const errors = desk.roster.of(head.row.id)?.errors ?? [];
  for (const key of keys) {
    const error = errors.find((one) => one.key === key);
    if (error !== undefined) return { code: error.code, message: error.message };
  }
  return null;
}

export function hasVrf(head: Head, name: string): boolean {
  return name === DEFAULT_VRF || head.bodies.has(`vrf/${name}`);
}

/** Throws `intent.reference`. */
export function requireVrf(head: Head, name: string): void {
  if (hasVrf(head, name)) return;
  throw new ProblemError(problem('intent.reference', `there is no VRF "${name}"; make it first`, 'vrf'));
}

export function hasInterface(head: Head, name: string): boolean {
  return INTERFACE_KINDS.some((kind) => head.bodies.has(`${kind}/${name}`));
}

/** Throws `intent.conflict` when an interface of another kind has the name. */
export function refuseOtherKind(head: Head, kind: (typeof INTERFACE_KINDS)[number], name: string): void {
  const other = INTERFACE_KINDS.find((one) => one !== kind && head.bodies.has(`${one}/${name}`));
  if (other === undefined) return;
  const noun = { gatewayInterface: 'the WireGuard interface', hostInterface: 'a host interface', port: 'a port' }[
    other
  ];
  throw new ProblemError(problem('intent.conflict', `${name} is ${noun}; choose another name`, 'name'));
}

/** What goes by an interface, so that it cannot be removed. Throws `intent.reference`. */
export function refuseUsed(head: Head, name: string): void {
  const route = head.intents('route').find((one) => one.interface === name);
  const masquerade = head.intents('masquerade').find((one) => one.leaving?.includes(name));
  if (route === undefined && masquerade === undefined) return;
  const by = route !== undefined ? `the route to ${route.prefix}` : `the masquerade of ${masquerade!.prefix}`;
  throw new ProblemError(problem('intent.reference', `${by} goes by ${name}; remove it first`, 'interface'));
}

/** Throws `interface.notFound`. */
export function requireInterface(head: Head, name: string, field: string): void {
  if (hasInterface(head, name)) return;
  const names = INTERFACE_KINDS.flatMap((kind) => head.intents(kind)).map((row) => row.name);
  const hint = `there is no interface "${name}"; there is ${names.join(', ')}`;
  throw new ProblemError(problem('interface.notFound', hint, field));
}
