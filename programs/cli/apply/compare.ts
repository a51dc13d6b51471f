/** What is wanted against what is there: one step for each thing that is other. Pure; the order of the steps is order.ts's. */
import { parseHostPort } from '@vrouter/core/host-port.ts';
import { canonicalJson, type Json } from '@vrouter/core/json.ts';
import type { Problem } from '@vrouter/core/problem.ts';
import {
  type Fields,
  type Kind,
  keyOf,
  type Present,
  partKinds,
  type Thing,
  titleOf,
  type Wanted,
  type Whole,
} from './things.ts';

/** `refuse`: what is wanted cannot be had; nothing is done about it. */
export type Action = 'create' | 'change' | 'replace' | 'delete' | 'refuse';

/** What it does to traffic, in the words of a gateway's plan. Of a change in place the gateway alone knows more. */
export type Effect = 'none' | 'rehandshake' | 'interrupt';

export interface FieldChange {
  readonly field: string;
  /** Undefined: there is none yet, or none any more. */
  readonly old: Json | undefined;
  readonly new: Json | undefined;
}

export interface Step {
  readonly action: Action;
  readonly kind: Kind;
  readonly vrouter: string;
  readonly id: string;
  readonly changes: readonly FieldChange[];
  readonly effect: Effect;
  /** Besides what differs: why it is so, or what else comes of it; '' when there is nothing to say. */
  readonly note: string;
  readonly wanted: Wanted | null;
  readonly present: Present | null;
  /** Of a refusal. */
  readonly problem: Problem | null;
}

export interface Plan {
  readonly steps: readonly Step[];
  /** Things of the files that are as they say. */
  readonly same: number;
  /** Things that no file says and that are left alone, by kind. */
  readonly left: { readonly [kind: string]: number };
}

/** Fields that PATCH takes, of the kinds that have one; anything else that is other makes it anew. */
const changeable: { readonly [K in Kind]?: readonly string[] } = {
  vrouter: ['networks', 'listenPort', 'endpoint', 'mtu', 'mssClamp', 'sourceCheck'],
  peer: ['presharedKey', 'allowedIps', 'endpoint', 'persistentKeepalive'],
  natSettings: [
    'sessions',
    'sessionsPerHost',
    'udpSeconds',
    'udpOneWaySeconds',
    'tcpEstablishedSeconds',
    'tcpTransitorySeconds',
    'icmpSeconds',
  ],
};

/** `present`: of the vrouters in `wanted`, those that there are, by name. `prune`: what no file says is to go. */
export function compare(
  wanted: readonly Whole<Wanted>[],
  present: ReadonlyMap<string, Whole<Present>>,
  prune: boolean,
): Plan {
  const steps: Step[] = [];
  const left: { [kind: string]: number } = {};
  let same = 0;
  for (const whole of wanted) {
    const there = present.get(whole.name) ?? null;
    const own = ownStep(whole.own!, there?.own ?? null);
    if (own === null) same++;
    else steps.push(own);
    const parts = compareParts(whole, there, prune);
    const kept = parts.steps.map((one) => refusedIfUsed(one, whole, there, prune));
    const along = alongWithInterfaces(kept, whole, there);
    steps.push(...kept, ...along);
    // What is made anew along with another was counted as right.
    same += parts.same - along.length;
    for (const { kind } of parts.left) left[kind] = (left[kind] ?? 0) + 1;
  }
  return { steps, same, left };
}

function ownStep(wanted: Wanted, present: Present | null): Step | null {
  if (present === null) return step('create', wanted, null);
  const fields = forComparison(wanted.fields, present.fields);
  const { vrf, networks } = fields;
  if (vrf !== undefined && vrf !== present.fields.vrf)
    return refusal(wanted, present, 'vrf', `it is in VRF "${present.fields.vrf}" and is not moved into another`);
  const gone = (present.fields.networks as readonly string[]).filter(
    (network) => networks !== undefined && !(networks as readonly string[]).includes(network),
  );
  if (gone.length > 0)
    return refusal(wanted, present, 'networks', `${gone.join(', ')} cannot be taken away; name it too`);
  return differing({ ...wanted, fields }, present);
}

/** An endpoint gets its port, and networks in another order are the same ones. */
function forComparison(wanted: Fields, present: Fields): Fields {
  const { endpoint, networks } = wanted;
  const port = Number(wanted.listenPort ?? present.listenPort);
  const whole = endpoint === undefined ? null : parseHostPort(String(endpoint), port);
  const there = present.networks as readonly string[];
  return {
    ...wanted,
    ...(whole?.ok === true ? { endpoint: whole.value } : {}),
    ...(networks === undefined
      ? {}
      : {
          networks: [
            ...there.filter((one) => (networks as readonly string[]).includes(one)),
            ...added(networks, there),
          ],
        }),
  };
}

function added(networks: Json, there: readonly string[]): string[] {
  return (networks as readonly string[]).filter((network) => !there.includes(network));
}

function compareParts(whole: Whole<Wanted>, there: Whole<Present> | null, prune: boolean) {
  const steps: Step[] = [];
  const left: Present[] = [];
  let same = 0;
  const taken = new Set<Present>();
  const names = peersByKey(there);
  const saidKeys = new Set([...whole.parts.values()].map(({ fields }) => fields.publicKey));
  // Made with the vrouter, when it is.
  const implied = ['default', String(whole.own!.fields.vrf ?? there?.own?.fields.vrf ?? 'default')];
  for (const [key, wanted] of whole.parts) {
    if (wanted.kind === 'vrf' && implied.includes(wanted.id)) {
      same++;
      continue;
    }
    const present = there?.parts.get(key) ?? renamed(wanted, whole, names);
    if (present !== null) taken.add(present);
    const found = present === null ? step('create', wanted, null) : partStep(wanted, present, names, saidKeys);
    if (found === null) same++;
    else steps.push(found);
  }
  for (const present of there?.parts.values() ?? []) {
    if (taken.has(present) || present.usual) continue;
    if (prune) steps.push(step('delete', null, present));
    else left.push(present);
  }
  return { steps, same, left };
}

function peersByKey(there: Whole<Present> | null): ReadonlyMap<Json | undefined, Present> {
  const peers = [...(there?.parts.values() ?? [])].filter(({ kind }) => kind === 'peer');
  return new Map(peers.map((peer) => [peer.fields.publicKey, peer]));
}

/** A peer that is there under a name that no file says: a key is only one peer's, so it gets the new name. */
function renamed(wanted: Wanted, whole: Whole<Wanted>, byKey: ReadonlyMap<Json | undefined, Present>): Present | null {
  if (wanted.kind !== 'peer') return null;
  const there = byKey.get(wanted.fields.publicKey);
  return there === undefined || whole.parts.has(keyOf(there)) ? null : there;
}

/** `keys`: of all peers that there are; `saidKeys`: that they are to have. */
function partStep(
  wanted: Wanted,
  present: Present,
  keys: ReadonlyMap<Json | undefined, unknown>,
  saidKeys: ReadonlySet<Json | undefined>,
): Step | null {
  // A peer's own addresses stay whatever is said of them.
  const behind = wanted.fields.allowedIps as readonly string[] | undefined;
  const fields =
    behind === undefined
      ? wanted.fields
      : { ...wanted.fields, allowedIps: behind.filter((prefix) => !present.addresses.includes(prefix)) };
  const found = differing({ ...wanted, fields }, present);
  if (found?.action !== 'replace' || wanted.kind !== 'peer') return found;
  // In place it keeps its addresses; but a key can only pass from one peer to another when both are made anew.
  if (!keys.has(wanted.fields.publicKey) && !saidKeys.has(present.fields.publicKey))
    return { ...found, action: 'change', effect: 'interrupt' };
  if (typeof present.fields.presharedKey === 'string' && wanted.fields.presharedKey === undefined)
    return refusal(
      wanted,
      present,
      'presharedKey',
      'with another key it is made anew, and its preshared key would be lost: say presharedKey too, or null',
    );
  return { ...found, note: 'it may get other addresses' };
}

/** Null when nothing is other. */
function differing(wanted: Wanted, present: Present): Step | null {
  const changes: FieldChange[] = wanted.id === present.id ? [] : [{ field: 'name', old: present.id, new: wanted.id }];
  for (const [field, value] of Object.entries(wanted.fields)) {
    // No preshared key is null in a file.
    const old = present.fields[field] ?? null;
    if (canonicalJson(value) !== canonicalJson(old)) changes.push({ field, old, new: value });
  }
  if (changes.length === 0) return null;
  const inPlace = changes.every(({ field }) => field === 'name' || changeable[wanted.kind]?.includes(field) === true);
  return { ...step(inPlace ? 'change' : 'replace', wanted, present), changes };
}

/** An interface by which something goes cannot be removed, and what no file says is left alone: then the interface is, too. */
function refusedIfUsed(step: Step, whole: Whole<Wanted>, there: Whole<Present> | null, prune: boolean): Step {
  if (step.action !== 'replace' || !isInterface(step) || prune) return step;
  for (const [key, present] of there?.parts ?? []) {
    if (whole.parts.has(key) || !linksOf(present).includes(step.id)) continue;
    const message = `it would be made anew, and the ${titleOf(present)}, which no file says, goes by it: say that too, or --prune`;
    return {
      ...step,
      action: 'refuse',
      effect: 'none',
      problem: { code: 'intent.reference', message, field: step.changes[0]!.field },
    };
  }
  return step;
}

/** Routes and masquerades go by interfaces, and one that something goes by cannot be removed: they are made anew with it. */
function alongWithInterfaces(steps: readonly Step[], whole: Whole<Wanted>, there: Whole<Present> | null): Step[] {
  const links = steps.filter(isInterface);
  const idsOf = (...actions: readonly Action[]): string[] =>
    links.filter(({ action }) => actions.includes(action)).map(({ id }) => id);
  const back = idsOf('create', 'replace');
  const anew = new Set(idsOf('delete', 'replace').filter((id) => back.includes(id)));
  const stepped = new Set(steps.map((one) => keyOf(one)));
  const more: Step[] = [];
  for (const [key, wanted] of anew.size === 0 ? [] : whole.parts) {
    const present = there?.parts.get(key);
    const by = present === undefined ? undefined : linksOf(present).find((name) => anew.has(name));
    if (present === undefined || by === undefined || stepped.has(key)) continue;
    more.push({ ...step('replace', wanted, present), note: `it goes by ${by}, which is made anew` });
  }
  return more;
}

function isInterface({ kind }: Pick<Thing, 'kind'>): boolean {
  return kind === 'hostInterface' || kind === 'port';
}

/** Interfaces that a route or a masquerade goes by. */
export function linksOf({ kind, fields }: Pick<Wanted, 'kind' | 'fields'>): readonly string[] {
  if (kind === 'route' && typeof fields.interface === 'string') return [fields.interface];
  return kind === 'masquerade' ? ((fields.leaving as readonly string[] | null) ?? []) : [];
}

function step(action: Action, wanted: Wanted | null, present: Present | null): Step {
  const { kind, vrouter, id } = (wanted ?? present)!;
  const rehandshake =
    kind === 'peer' && action === 'change' && wanted?.fields.presharedKey !== undefined
      ? (wanted.fields.presharedKey ?? null) !== (present?.fields.presharedKey ?? null)
      : false;
  const effect = action === 'replace' || action === 'delete' ? 'interrupt' : rehandshake ? 'rehandshake' : 'none';
  return { action, kind, vrouter, id, changes: [], effect, note: '', wanted, present, problem: null };
}

function refusal(wanted: Wanted, present: Present, field: string, message: string): Step {
  return { ...step('refuse', wanted, present), problem: { code: 'input.invalid', message, field } };
}

/** How many steps of each action. */
export function countActions(steps: readonly Step[]): { readonly [A in Action]: number } {
  const counts = { create: 0, change: 0, replace: 0, delete: 0, refuse: 0 };
  for (const { action } of steps) counts[action]++;
  return counts;
}

/** Kinds in the order of the file's sections, the vrouter first. */
export const kindOrder: readonly Kind[] = ['vrouter', ...partKinds];
