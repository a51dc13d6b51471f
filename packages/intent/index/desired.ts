/**
 * What should be: every source's intents, the objects that they come to, and the way from one to the other, kept so that the cost of a
 * change follows the change. A change marks its own intent; compiling it (lazily, in the order of ranks) marks those that asked for what
 * has become different; only objects that really differ come out as dirty. Read ../README.md, "Who holds what", for the rules.
 */
import { problem } from '@vrouter/core/problem.ts';
import { compile, INTENT_RANKS, intentRank } from '../compile/compile.ts';
import type { Compiled, Outside, SeenNetwork } from '../compile/context.ts';
import { pending } from '../compile/context.ts';
import {
  type Intent,
  type IntentKey,
  type IntentKind,
  type IntentSource,
  intentKey,
  type NetworkIntent,
  type SourcedIntent,
} from '../model/intents.ts';
import { type ObjectKey, type ObjectKind, objectKey, type PlaneObject } from '../model/objects.ts';
import { sameValue } from '../model/same.ts';
import { IPV6_MTU_MIN } from '../validate/intent.ts';
import { complaintsOf, type IntentProblem } from './complaints.ts';
import { Entry, type Want } from './entry.ts';
import { Lines } from './lines.ts';
import { anyInterfaceName, interfaceNameOf, Recorder, type Recording } from './recorder.ts';
import { Sources } from './sources.ts';
import { type SubnetClaim, Subnets } from './subnets.ts';

export class Desired {
  readonly #outside: Outside;
  readonly #kinds: ReadonlySet<ObjectKind>;
  readonly #recorder: Recorder;
  readonly #sources = new Sources();
  readonly #intents = new Lines<IntentKey, Entry>();
  readonly #claims = new Lines<string, Entry>();
  readonly #subnets = new Subnets();
  readonly #objects = new Lines<ObjectKey, Want>();
  /** What others can see of an intent that they may refer to; absent while it cannot be used. */
  readonly #visible = new Map<string, string>();
  /** Who asked for a name when last compiled. */
  readonly #askers = new Map<string, Set<Entry>>();
  readonly #stale: readonly Set<Entry>[] = Array.from({ length: INTENT_RANKS }, () => new Set<Entry>());
  readonly #complaining = new Set<Entry>();
  readonly #contestedIntents = new Set<IntentKey>();
  readonly #contestedObjects = new Set<ObjectKey>();
  /** Keys touched since the last take, with what should have been then; one that goes and comes back is not dirty. */
  #touched = new Map<ObjectKey, PlaneObject | undefined>();
  #nextAge = 1;

  /** `kinds` are what the plane can hold; an object of another kind is left out and reported as `intent.unsupported`. */
  constructor(outside: Outside, kinds: Iterable<ObjectKind>) {
    this.#outside = outside;
    this.#kinds = new Set(kinds);
    this.#recorder = new Recorder(outside, this.#visible, {
      claim: (resource, entry) => this.#claim(resource, entry),
      claimSubnet: (claim) => this.#claimSubnet(claim),
    });
  }

  /** Another that says the same, the eldest first: to look at what a change would lead to. Nothing is dirty in it. */
  copy(): Desired {
    const copy = new Desired(this.#outside, this.#kinds);
    for (const { source, intent } of [...this.#sources.all()].sort((a, b) => a.age - b.age)) copy.put(source, intent);
    copy.takeDirty();
    return copy;
  }

  /**
   * Says an intent, or says it anew: then it keeps its age. The intent is one that `parseIntent` gave. After a restart intents are put
   * in the order in which they were first said, since of two that clash the elder holds.
   */
  put(source: IntentSource, intent: Intent): void {
    const key = intentKey(intent);
    const known = this.#sources.get(source, key);
    if (known !== undefined) {
      if (sameValue(known.intent, intent)) return;
      known.intent = intent;
      this.#markLine(key);
      return;
    }
    const entry = new Entry(this.#nextAge++, source, key, intent);
    this.#sources.add(entry);
    this.#intents.join(key, entry);
    this.#markLine(key);
  }

  /** Takes back an intent of this source; false when there was none. */
  remove(source: IntentSource, key: IntentKey): boolean {
    const entry = this.#sources.get(source, key);
    if (entry === undefined) return false;
    this.#sources.remove(entry);
    entry.present = false;
    this.#mark(entry);
    this.#intents.leave(key, entry.age);
    this.#markLine(key);
    return true;
  }

  /** Makes `intents` all that this source says. What stays keeps its age; other sources are not touched. */
  replaceSource(source: IntentSource, intents: Iterable<Intent>): void {
    const said = new Set<IntentKey>();
    for (const intent of intents) {
      said.add(intentKey(intent));
      this.put(source, intent);
    }
    for (const { key } of [...this.#sources.of(source)]) if (!said.has(key)) this.remove(source, key);
  }

  /** An answer of the outside is another now: `privateKey/wg0`, `tableId/blue`. Who asked for it is compiled again. */
  changed(name: string): void {
    for (const entry of this.#askers.get(name) ?? []) this.#mark(entry);
  }

  /** Compiles an intent again, though it says nothing new: somebody says it again, and the outside may answer otherwise since. */
  again(source: IntentSource, key: IntentKey): void {
    const entry = this.#sources.get(source, key);
    if (entry !== undefined) this.#mark(entry);
  }

  /** The keys of objects that should be other than at the last call; the set is the caller's. */
  takeDirty(): Set<ObjectKey> {
    this.#settle();
    const dirty = new Set<ObjectKey>();
    for (const [key, before] of this.#touched) if (!sameValue(before, this.#objects.first(key)?.object)) dirty.add(key);
    this.#touched.clear();
    return dirty;
  }

  /** The object that should be under this key. */
  desired(key: ObjectKey): PlaneObject | undefined {
    this.#settle();
    return this.#objects.first(key)?.object;
  }

  /** Every object that should be. */
  *all(): Generator<PlaneObject, void, undefined> {
    this.#settle();
    for (const key of this.#objects.keys()) yield this.#objects.first(key)!.object;
  }

  /** How many objects should be. */
  get size(): number {
    this.#settle();
    return this.#objects.size;
  }

  get(source: IntentSource, key: IntentKey): Intent | undefined {
    return this.#sources.get(source, key)?.intent;
  }

  /** The objects that an intent comes to, whoever holds them; none when it is not said, or cannot be used. */
  objectsOf(source: IntentSource, key: IntentKey): readonly ObjectKey[] {
    this.#settle();
    return this.#sources.get(source, key)?.wants.map((want) => want.key) ?? [];
  }

  /** The intents that come to this object, its holder first. */
  intentsOf(key: ObjectKey): readonly SourcedIntent[] {
    this.#settle();
    const wants = this.#objects.all(key);
    return wants.filter((want) => sameValue(want.object, wants[0]!.object)).map((want) => want.entry);
  }

  /** What one source says, in the order in which it was first said; all sources when none is named. */
  intents(source?: IntentSource): Iterable<SourcedIntent> {
    return source === undefined ? this.#sources.all() : this.#sources.of(source);
  }

  /** How many intents of each kind a source says. */
  count(source: IntentSource): ReadonlyMap<IntentKind, number> {
    return this.#sources.counts(source);
  }

  /** Everything that is not as somebody said it, the eldest intent first. */
  problems(): readonly IntentProblem[] {
    this.#settle();
    const entries = new Set(this.#complaining);
    for (const key of this.#contestedIntents) for (const entry of this.#intents.all(key)) entries.add(entry);
    for (const key of this.#contestedObjects) for (const want of this.#objects.all(key)) entries.add(want.entry);
    return [...entries].sort((a, b) => a.age - b.age).flatMap((entry) => this.#complaints(entry));
  }

  /** What of one intent is not as it was said. */
  problemsOf(source: IntentSource, key: IntentKey): readonly IntentProblem[] {
    this.#settle();
    const entry = this.#sources.get(source, key);
    return entry === undefined ? [] : this.#complaints(entry);
  }

  /**
   * What would newly be wrong, with this intent and with others', if it were said: for doors that refuse instead of reporting later.
   * Nothing is different afterwards, and nothing is dirty.
   */
  preview(source: IntentSource, intent: Intent): readonly IntentProblem[] {
    const key = intentKey(intent);
    const before = this.get(source, key);
    this.put(source, intent);
    this.#settle();
    const entry = this.#sources.get(source, key)!;
    const near = new Set([...this.#neighbours(entry)]);
    const after = [...near].flatMap((other) => this.#complaints(other));
    if (before === undefined) this.remove(source, key);
    else this.put(source, before);
    this.#settle();
    const known = new Set([...near].flatMap((other) => (other.present ? this.#complaints(other) : [])).map(told));
    return after.filter((complaint) => !known.has(told(complaint)));
  }

  /** Those who want what this one wants, and itself. */
  *#neighbours(entry: Entry): Generator<Entry, void, undefined> {
    yield entry;
    yield* this.#intents.all(entry.key);
    for (const resource of entry.claims) yield* this.#claims.all(resource);
    for (const claim of entry.subnets) for (const other of this.#subnets.overlapping(claim)) yield other.entry;
    for (const want of entry.wants) for (const other of this.#objects.all(want.key)) yield other.entry;
  }

  #complaints(entry: Entry): readonly IntentProblem[] {
    return complaintsOf(entry, this.#intents.first(entry.key) ?? entry, (key) => this.#objects.first(key)!);
  }

  #mark(entry: Entry): void {
    this.#stale[intentRank[entry.intent.kind]]!.add(entry);
  }

  /** Who speaks for a key may be another now, so all who say it are looked at again. */
  #markLine(key: IntentKey): void {
    const line = this.#intents.all(key);
    for (const entry of line) this.#mark(entry);
    if (line.length > 1) this.#contestedIntents.add(key);
    else this.#contestedIntents.delete(key);
  }

  /** Compiles what is stale, lower ranks first: a kind asks only for kinds of lower ranks, so this ends. */
  #settle(): void {
    for (let rank = 0; rank < INTENT_RANKS; rank++) {
      const stale = this.#stale[rank]!;
      // Whoever lets go of a claim marks others of the same rank; a Set is walked to the end of what is added meanwhile.
      for (const entry of stale) {
        stale.delete(entry);
        try {
          this.#compile(entry);
        } catch (thrown) {
          // The outside has no answer now, as when the disk is full: it is asked again.
          stale.add(entry);
          throw thrown;
        }
      }
    }
  }

  #compile(entry: Entry): void {
    const speaks = entry.present && this.#intents.first(entry.key) === entry;
    const recording = this.#recorder.begin(entry);
    const compiled: Compiled = speaks ? compile(entry.intent, this.#recorder) : pending();
    this.#release(entry, recording);
    this.#listen(entry, recording.lookups);
    this.#want(entry, compiled);
    if (speaks) this.#show(entry, compiled.usable);
    else if (this.#intents.first(entry.key) === undefined) this.#hide(entry.key);
  }

  /** Stands in line for a resource; null when first, else who is. */
  #claim(resource: string, entry: Entry): string | null {
    const before = this.#claims.first(resource);
    if (before === entry) return null;
    this.#claims.join(resource, entry);
    const holder = this.#claims.first(resource)!;
    if (holder !== entry) return holder.label;
    if (before !== undefined) this.#markClaimants(resource, entry);
    return null;
  }

  /** Stands in line for a subnet; null when nobody who came before has a part of it, else who has. */
  #claimSubnet(claim: SubnetClaim): SubnetClaim | null {
    if (!claim.entry.subnets.includes(claim)) {
      this.#subnets.join(claim);
      this.#markOverlapping(claim);
    }
    return this.#subnets.holder(claim);
  }

  /** Those who came later may have lost it, or have it now. */
  #markOverlapping(claim: SubnetClaim): void {
    for (const { entry } of this.#subnets.overlapping(claim)) if (entry.age > claim.entry.age) this.#mark(entry);
  }

  #release(entry: Entry, { claims, subnets }: Recording): void {
    const kept = new Set(claims);
    for (const resource of entry.claims) {
      if (kept.has(resource)) continue;
      const held = this.#claims.first(resource) === entry;
      this.#claims.leave(resource, entry.age);
      if (held) this.#markClaimants(resource, entry);
    }
    entry.claims = claims;
    const before = entry.subnets;
    entry.subnets = subnets;
    for (const claim of before) {
      if (subnets.includes(claim)) continue;
      this.#subnets.leave(claim);
      this.#markOverlapping(claim);
    }
  }

  #markClaimants(resource: string, except: Entry): void {
    for (const other of this.#claims.all(resource)) if (other !== except) this.#mark(other);
  }

  #listen(entry: Entry, lookups: readonly string[]): void {
    if (sameValue(entry.lookups, lookups)) return;
    for (const name of entry.lookups) {
      const askers = this.#askers.get(name);
      askers?.delete(entry);
      if (askers?.size === 0) this.#askers.delete(name);
    }
    for (const name of lookups) {
      const askers = this.#askers.get(name);
      if (askers === undefined) this.#askers.set(name, new Set([entry]));
      else askers.add(entry);
    }
    entry.lookups = lookups;
  }

  #want(entry: Entry, compiled: Compiled): void {
    const problems = [...compiled.problems];
    const wants: Want[] = [];
    for (const object of compiled.objects) {
      const key = objectKey(object);
      if (this.#kinds.has(object.kind)) wants.push({ age: entry.age, key, object, entry });
      else if (object.kind !== 'sysctl')
        problems.push(problem('intent.unsupported', `this plane has no ${object.kind}, so ${key} is left out`, 'kind'));
    }
    const kept = new Set(wants.map((want) => want.key));
    const before = entry.wants;
    entry.wants = wants;
    for (const want of before)
      if (!kept.has(want.key)) this.#reline(want.key, () => this.#objects.leave(want.key, entry.age));
    for (const want of wants) this.#reline(want.key, () => this.#objects.join(want.key, want));
    entry.problems = problems.length > 0 ? problems : none;
    if (problems.length > 0) this.#complaining.add(entry);
    else this.#complaining.delete(entry);
  }

  /** Changes the line for an object, and marks the object if its holder now wants another one. */
  #reline(key: ObjectKey, change: () => void): void {
    const before = this.#objects.first(key)?.object;
    change();
    if (before !== this.#objects.first(key)?.object && !this.#touched.has(key)) this.#touched.set(key, before);
    if (this.#objects.all(key).length > 1) this.#contestedObjects.add(key);
    else this.#contestedObjects.delete(key);
  }

  /** Lets others see what they may of an intent; they are compiled again when that is another than before. */
  #show(entry: Entry, usable: boolean): void {
    const { intent, key } = entry;
    if (!isReferred(intent)) return;
    if (!usable) {
      this.#hide(key);
      return;
    }
    const visible = seenOf(intent);
    if (this.#visible.get(key) === visible) return;
    this.#visible.set(key, visible);
    this.#tell(key);
  }

  #hide(key: IntentKey): void {
    if (this.#visible.delete(key)) this.#tell(key);
  }

  #tell(key: IntentKey): void {
    this.changed(key);
    const name = interfaceNameOf(key);
    if (name !== null) this.changed(anyInterfaceName(name));
  }
}

/** Kinds that other intents name. */
function isReferred(intent: Intent): intent is Extract<Intent, { kind: (typeof referred)[number] }> {
  return referred.some((kind) => kind === intent.kind);
}
const referred = ['vrf', 'gatewayInterface', 'hostInterface', 'port', 'interface', 'network', 'peerSuccessor'] as const;

/** What others may see of it, as the recorder reads it. */
function seenOf(intent: Extract<Intent, { kind: (typeof referred)[number] }>): string {
  if (intent.kind === 'peerSuccessor') return JSON.stringify(intent);
  if (intent.kind === 'network') return JSON.stringify(seenNetwork(intent));
  return intent.kind === 'vrf' ? intent.name : `${intent.vrf} ${intent.mtu >= IPV6_MTU_MIN}`;
}

function seenNetwork({ dns, subnets }: NetworkIntent): SeenNetwork {
  return { dns, subnets: subnets.map(({ prefix }) => prefix) };
}

/** Shared by all that have nothing to complain about. */
const none: readonly never[] = Object.freeze([]);

const told = ({ source, key, problem }: IntentProblem): string => `${source} ${key} ${problem.code} ${problem.message}`;
