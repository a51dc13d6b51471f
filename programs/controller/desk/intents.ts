/** Verbs on intents that are nothing but intents: said, listed, shown and taken back one by one. What a kind alone checks is handed in. */
import type { EventType } from '@vrouter/api/rest/system.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type Intent, type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import type { Head } from '../desired/head.ts';
import type { Tx } from '../store/schema.ts';
import type { Actor } from './actor.ts';
import { type Desk, note } from './desk.ts';
import { DEFAULT_VRF } from './status.ts';

type Adding = Extract<EventType, `${string}.added`>;

/** How one kind is called, and what is particular about it. */
export interface Sort<K extends Intent['kind']> {
  readonly kind: K & (Adding extends `${infer N}.added` ? N : never);
  /** In a sentence: `published port`. */
  readonly noun: string;
  /** Which one, for people: `tcp/80`. */
  subject(intent: Extract<Intent, { kind: K }>): string;
}

/** What keeps a change from being made; throws it. */
export type Check = (tx: Tx, head: Head) => Promise<void> | void;

/** Throws `vrouter.notFound`, `intent.exists` with `field`, and what `check` throws. Returns the version that says it. */
export async function addIntent<K extends Intent['kind']>(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  sort: Sort<K>,
  intent: Extract<Intent, { kind: K }>,
  field: string,
  check: Check,
): Promise<number> {
  const { kind, noun } = sort;
  const subject = sort.subject(intent);
  const { version } = await desk.desired.change(vrouter, async (tx, draft, head) => {
    if (head.bodies.has(intentKey(intent)))
      throw new ProblemError(problem('intent.exists', `there is a ${noun} ${subject} already; remove it first`, field));
    await check(tx, head);
    draft.put(intent);
    await note(tx, desk, actor, `${kind}.create`, `${vrouter} ${subject}`);
  });
  const text = `${noun} ${subject} was added to ${vrouter}`;
  desk.events.emit({ type: `${kind}.added` as EventType, vrouter, subject, version, text });
  return version;
}

/** Throws `vrouter.notFound`, `intent.notFound`, and what `check` throws. Returns the subject and the version that says it. */
export async function removeIntent<K extends Intent['kind']>(
  desk: Desk,
  actor: Actor,
  vrouter: string,
  sort: Sort<K>,
  key: IntentKey,
  check: (tx: Tx, head: Head, intent: Extract<Intent, { kind: K }>) => Promise<void> | void = () => {},
): Promise<{ readonly deleted: string; readonly version: number }> {
  const { kind, noun } = sort;
  const { value: deleted, version } = await desk.desired.change(vrouter, async (tx, draft, head) => {
    const intent = findIntent(head, sort, key);
    await check(tx, head, intent);
    draft.remove(key);
    const subject = sort.subject(intent);
    await note(tx, desk, actor, `${kind}.delete`, `${vrouter} ${subject}`);
    return subject;
  });
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

/** In the order of their keys. */
export function intentsOf<K extends Intent['kind']>(head: Head, { kind }: Sort<K>): Extract<Intent, { kind: K }>[] {
  const keyed = head.intents<K>(kind).map((intent) => [intentKey(intent), intent] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, intent]) => intent);
}

/** What the gateway last told of an intent, or of one of the objects that it comes to. */
export function problemOf(desk: Desk, head: Head, keys: readonly string[]): { code: string; message: string } | null {
  const error = desk.roster.of(head.row.id)?.errors.find(({ key }) => keys.includes(key));
  return error === undefined ? null : { code: error.code, message: error.message };
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
  return head.bodies.has(`gatewayInterface/${name}`) || head.bodies.has(`hostInterface/${name}`);
}

/** Throws `interface.notFound`. */
export function requireInterface(head: Head, name: string, field: string): void {
  if (hasInterface(head, name)) return;
  const names = [...head.intents('gatewayInterface'), ...head.intents('hostInterface')].map((row) => row.name);
  const hint = `there is no interface "${name}"; there is ${names.join(', ')}`;
  throw new ProblemError(problem('interface.notFound', hint, field));
}
