/**
 * A plane in memory, for tests. It keeps the contract to the letter and is stricter than real planes: what one object alone can have
 * (a port, an allowed IP) is refused to a second one instead of being taken from the first, so a plan in a wrong order shows.
 */
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import {
  type FieldClass,
  type Learned,
  type ObjectKey,
  type ObjectKind,
  type Observed,
  objectKey,
  objectKinds,
  type PlaneObject,
} from '@vrouter/intent/model/objects.ts';
import { occupiedBy, parentsOf } from '@vrouter/intent/model/relations.ts';
import { fieldOf, isSecret, sameValue } from '@vrouter/intent/model/same.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied, Capabilities, Change, Driver } from '../contract/driver.ts';
import { Watchers } from '../contract/watchers.ts';
import { Faults } from './faults.ts';

const DEFAULT_VRF: PlaneObject = { kind: 'vrf', name: 'default', tableId: 0 };

export class FakeDriver implements Driver {
  /** What to break, and when. */
  readonly faults = new Faults();
  readonly #watchers = new Watchers();
  readonly #kinds: ReadonlySet<ObjectKind>;
  readonly #objects = new Map<ObjectKey, Observed>();
  readonly #holders = new Map<string, ObjectKey>();
  /** How many objects stand on one. */
  readonly #standing = new Map<ObjectKey, number>();
  /** Steps that changed something, ever. */
  changes = 0;

  constructor(kinds: readonly ObjectKind[] = Object.keys(objectKinds) as ObjectKind[]) {
    this.#kinds = new Set(kinds);
    this.#store(DEFAULT_VRF, {});
  }

  capabilities(): Capabilities {
    return {
      plane: 'fake',
      kinds: [...this.#kinds],
      linkTypes: ['wireguard', 'tun', 'port', 'tap', 'bridge', 'veth', 'macvlan', 'vxlan'],
      keyOverlap: true,
      builtIn: [objectKey(DEFAULT_VRF)],
    };
  }

  async observe(scope: 'all' | readonly ObjectKey[], signal: AbortSignal): Promise<readonly Observed[]> {
    this.#reach(signal);
    if (scope === 'all') return [...this.#objects.values()];
    return scope.flatMap((key) => this.#objects.get(key) ?? []);
  }

  async apply(batch: readonly Step[], signal: AbortSignal): Promise<readonly Applied[]> {
    this.#reach(signal);
    return batch.map((step) => {
      const error = signal.aborted ? problem('timeout', 'the batch was aborted before this step') : this.#do(step);
      const now = this.#objects.get(step.key) ?? null;
      return error === null ? { key: step.key, ok: true, now } : { key: step.key, ok: false, now, error };
    });
  }

  watch(signal: AbortSignal): AsyncIterable<Change> {
    return this.#watchers.watch(signal);
  }

  /** Somebody else's hand: puts an object there (or takes it away) past all checks, and tells the watchers. */
  drift(key: ObjectKey, object: PlaneObject | null): void {
    this.#forget(key);
    if (object !== null) this.#store(object, this.#learnedOf(key));
    this.#watchers.tell({ kind: 'keys', keys: [key] });
  }

  /** Something that was asked for has taken this along, and nobody is told. */
  lose(key: ObjectKey): void {
    this.#forget(key);
  }

  /** Tells the watchers that objects of these kinds may have gone with what was done to this one. */
  doubt(key: ObjectKey, ...kinds: readonly ObjectKind[]): void {
    this.#watchers.tell({ kind: 'below', key, kinds });
  }

  /** The plane learns something: a peer has roamed, a handshake was made. Fields of class `initial` become the plane's own. */
  learn(key: ObjectKey, learned: Learned): void {
    const seen = this.#objects.get(key);
    if (seen === undefined) throw new RangeError(`no ${key} to learn about`);
    const own = Object.entries(learned).filter(([name]) => classOf(seen.object.kind, name) === 'initial');
    this.#objects.set(key, {
      key,
      object: { ...seen.object, ...Object.fromEntries(own) } as PlaneObject,
      learned: { ...seen.learned, ...learned },
    });
  }

  /** The plane dies and comes back with nothing. */
  restart(reason: string): void {
    for (const key of [...this.#objects.keys()]) this.#forget(key);
    this.#store(DEFAULT_VRF, {});
    this.#watchers.tell({ kind: 'all', reason });
  }

  /** The plane goes away (everything rejects with `plane.failed`) or comes back. */
  setAway(away: boolean): void {
    if (this.faults.away && !away) this.#watchers.tell({ kind: 'all', reason: 'the plane is back' });
    this.faults.away = away;
  }

  #reach(signal: AbortSignal): void {
    if (signal.aborted) throw new ProblemError(problem('timeout', 'aborted before the plane was asked'));
    if (this.faults.away) throw new ProblemError(problem('plane.failed', 'the fake plane is away'));
  }

  #do(step: Step): Problem | null {
    const kind = step.op === 'delete' ? step.before.kind : step.object.kind;
    if (!this.#kinds.has(kind)) return problem('intent.unsupported', `the fake plane has no ${kind}`);
    const fault = this.faults.take(step.key);
    if (fault !== null) return fault;
    if (step.op === 'delete') return this.#remove(step.key);
    return this.#make(step.key, step.object, step.op === 'update' ? step.changed : []);
  }

  #remove(key: ObjectKey): Problem | null {
    if (key === objectKey(DEFAULT_VRF)) return problem('object.dependency', 'the default VRF always exists');
    if (!this.#objects.has(key)) return null;
    const standing = this.#standing.get(key) ?? 0;
    if (standing > 0) return problem('object.dependency', `${standing} objects stand on ${key}`);
    this.#forget(key);
    this.changes++;
    return null;
  }

  #make(key: ObjectKey, object: PlaneObject, changed: readonly string[]): Problem | null {
    for (const parent of parentsOf(object))
      if (!this.#objects.has(parent)) return problem('object.dependency', `${key} needs ${parent}, which is not there`);
    for (const resource of occupiedBy(object)) {
      const holder = this.#holders.get(resource);
      if (holder !== undefined && holder !== key) return problem('object.exists', `${resource} is ${holder}'s`);
    }
    const before = this.#objects.get(key)?.object;
    const after = before === undefined ? concealed(object) : merged(before, concealed(object), changed);
    for (const name of before === undefined ? [] : objectKinds[object.kind].fixed)
      if (!sameValue(fieldOf(before!, name), fieldOf(after, name)))
        return problem('object.exists', `${key} cannot change its ${name}; delete it first`);
    if (sameValue(before, after)) return null;
    const learned = this.#learnedOf(key);
    this.#forget(key);
    this.#store(after, learned);
    this.changes++;
    return null;
  }

  #learnedOf(key: ObjectKey): Learned {
    return this.#objects.get(key)?.learned ?? {};
  }

  #store(object: PlaneObject, learned: Learned): void {
    const key = objectKey(object);
    const shown = concealed(object);
    const nothing = Object.fromEntries(objectKinds[object.kind].learned.map((name) => [name, null]));
    this.#objects.set(key, { key, object: shown, learned: { ...nothing, ...learned } });
    for (const resource of occupiedBy(object)) this.#holders.set(resource, key);
    for (const parent of parentsOf(object)) this.#standing.set(parent, (this.#standing.get(parent) ?? 0) + 1);
  }

  #forget(key: ObjectKey): void {
    const seen = this.#objects.get(key);
    if (seen === undefined) return;
    this.#objects.delete(key);
    for (const resource of occupiedBy(seen.object))
      if (this.#holders.get(resource) === key) this.#holders.delete(resource);
    for (const parent of parentsOf(seen.object)) this.#standing.set(parent, this.#standing.get(parent)! - 1);
  }
}

/** The new values, but the plane's own where they are only given at creation and not named as changed. */
function merged(before: PlaneObject, after: PlaneObject, changed: readonly string[]): PlaneObject {
  const kept = Object.keys(after).filter((name) => classOf(after.kind, name) === 'initial' && !changed.includes(name));
  return { ...after, ...Object.fromEntries(kept.map((name) => [name, fieldOf(before, name)])) } as PlaneObject;
}

/** The object as the plane tells of it: fingerprints in the place of secrets. */
function concealed(object: PlaneObject): PlaneObject {
  const secrets = Object.entries(object).filter(([, value]) => isSecret(value));
  if (secrets.length === 0) return object;
  const shown = secrets.map(([name, value]) => [name, { fingerprint: (value as { fingerprint: string }).fingerprint }]);
  return { ...object, ...Object.fromEntries(shown) } as PlaneObject;
}

function classOf(kind: ObjectKind, field: string): FieldClass | undefined {
  const fields: { readonly [field: string]: FieldClass } = objectKinds[kind].fields;
  return fields[field];
}
