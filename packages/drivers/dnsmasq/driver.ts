/**
 * Names of networks by dnsmasq, a process per zone. Kinds `dnsZone` and `dnsRecord`; the truth is in the folders of the zones and in the
 * processes that run, both are looked at anew each time. A zone is there while its files are what we would have written and a process
 * answers by them; its records are there with it.
 */
import { type Problem, problem, toProblem } from '@vrouter/core/problem.ts';
import {
  type DnsRecordObject,
  type DnsZoneObject,
  type ObjectKey,
  type ObjectKind,
  type Observed,
  objectKey,
} from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied, Capabilities, Change, Driver } from '../contract/driver.ts';
import { Watchers } from '../contract/watchers.ts';
import { checkRecord, checkZone } from './check.ts';
import { checkZoneName } from './layout.ts';
import type { Resolvers } from './resolvers.ts';
import { type ZoneState, Zones, type ZonesOptions } from './zones.ts';

const KINDS: readonly ObjectKind[] = ['dnsZone', 'dnsRecord'];

/** A zone while a batch is thought through. */
interface Draft {
  zone: DnsZoneObject | null;
  records: Map<ObjectKey, DnsRecordObject>;
  /** Somebody wants it gone: only then it is taken away, and not because somebody was refused. */
  ends: boolean;
  /** Why it could not be made so. */
  failure: Problem | null;
  /** What is then true. */
  after: ZoneState | null;
}

export class DnsmasqDriver implements Driver {
  readonly #zones: Zones;
  readonly #resolvers: Resolvers;
  readonly #watchers = new Watchers();
  /** One thing after the other: who looks does not see a half of what is being written. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ZonesOptions, resolvers: Resolvers) {
    this.#zones = new Zones(options);
    this.#resolvers = resolvers;
    resolvers.onChange((zone) => void this.#suspect(zone));
  }

  capabilities(): Capabilities {
    return { plane: 'dnsmasq', kinds: KINDS, linkTypes: [], builtIn: [] };
  }

  async observe(scope: 'all' | readonly ObjectKey[], _signal: AbortSignal): Promise<readonly Observed[]> {
    return this.#inTurn(async () => {
      const names =
        scope === 'all' ? await this.#zones.names() : [...new Set(scope.flatMap((key) => zoneOf(key) ?? []))];
      const seen = new Map<ObjectKey, Observed>();
      for (const name of names) {
        if (!this.#resolvers.answers(name)) continue;
        const state = await this.#zones.read(name);
        if (state !== null) for (const row of observedOf(state)) seen.set(row.key, row);
      }
      return scope === 'all' ? [...seen.values()] : scope.flatMap((key) => seen.get(key) ?? []);
    });
  }

  async apply(batch: readonly Step[], signal: AbortSignal): Promise<readonly Applied[]> {
    return this.#inTurn(async () => {
      const drafts = new Map<string, Draft>();
      const refusals = new Map<Step, Problem>();
      for (const step of batch) {
        const refusal = signal.aborted
          ? problem('timeout', 'the batch was aborted before this step')
          : await this.#think(step, drafts);
        if (refusal !== null) refusals.set(step, refusal);
      }
      // Those that go let go of their links first.
      const [going, others] = [true, false].map((goes) =>
        [...drafts].filter(([, { zone }]) => (zone === null) === goes),
      );
      await Promise.all(going!.map(([name, draft]) => this.#make(name, draft)));
      await Promise.all(others!.map(([name, draft]) => this.#make(name, draft)));
      return batch.map((step) => resultOf(step, refusals.get(step) ?? null, drafts));
    });
  }

  watch(signal: AbortSignal): AsyncIterable<Change> {
    return this.#watchers.watch(signal);
  }

  /** What the step would make of its zone; a problem when it may not. */
  async #think(step: Step, drafts: Map<string, Draft>): Promise<Problem | null> {
    const object = step.op === 'delete' ? step.before : step.object;
    if (object.kind !== 'dnsZone' && object.kind !== 'dnsRecord')
      return problem('intent.unsupported', `dnsmasq has no ${object.kind}`);
    const name = object.kind === 'dnsZone' ? object.name : object.zone;
    const draft = await this.#draft(name, drafts);
    if (step.op === 'delete') {
      if (object.kind === 'dnsRecord') draft.records.delete(step.key);
      else {
        draft.zone = null;
        draft.ends = true;
        draft.records.clear();
      }
      return null;
    }
    if (object.kind === 'dnsZone') {
      const refusal = checkZone(object) ?? (await this.#heldLink(object, drafts)) ?? tooLong(draft.records, object);
      if (refusal === null) draft.zone = object;
      return refusal;
    }
    if (draft.zone === null)
      return problem('object.dependency', `${step.key} needs dnsZone/${name}, which is not there`);
    const refusal = checkRecord(object, draft.zone.domain);
    if (refusal === null) draft.records.set(step.key, object);
    return refusal;
  }

  async #draft(name: string, drafts: Map<string, Draft>): Promise<Draft> {
    const known = drafts.get(name);
    if (known !== undefined) return known;
    const before = await this.#zones.read(name);
    const made: Draft = {
      zone: before?.zone ?? null,
      records: new Map(before?.records),
      ends: false,
      failure: null,
      after: null,
    };
    drafts.set(name, made);
    return made;
  }

  /** Two processes cannot have the same port of the same addresses. */
  async #heldLink(zone: DnsZoneObject, drafts: Map<string, Draft>): Promise<Problem | null> {
    for (const other of new Set([...(await this.#zones.names()), ...drafts.keys()])) {
      if (other === zone.name) continue;
      const draft = drafts.get(other);
      const link = draft === undefined ? await this.#zones.linkOf(other) : draft.zone?.link;
      if (link === zone.link) return problem('object.exists', `${zone.link} has the names of ${other}`, 'link');
    }
    return null;
  }

  /** Makes the zone what it is in the draft, and tells in the draft what came of it. */
  async #make(name: string, draft: Draft): Promise<void> {
    try {
      if (draft.zone !== null) draft.failure = await this.#keep({ zone: draft.zone, records: draft.records });
      else if (draft.ends && checkZoneName(name).ok) await this.#end(name);
    } catch (thrown) {
      draft.failure = toProblem(thrown);
    }
    draft.after = this.#resolvers.answers(name) ? await this.#zones.read(name) : null;
  }

  async #keep(state: ZoneState): Promise<Problem | null> {
    const { name } = state.zone;
    const wrote = await this.#zones.write(state);
    return wrote || !this.#resolvers.answers(name) ? this.#resolvers.keep(name) : null;
  }

  /** In this order whoever is interrupted leaves a folder that is no zone, and is cleaned up at the next start. */
  async #end(name: string): Promise<void> {
    await this.#zones.forget(name);
    await this.#resolvers.end(name);
    await this.#zones.remove(name);
  }

  async #suspect(name: string): Promise<void> {
    const state = await this.#inTurn(() => this.#zones.read(name)).catch(() => null);
    // Which records were in a zone that is no more, nobody knows here.
    if (state === null) this.#watchers.tell({ kind: 'all', reason: `the names of ${name} are gone` });
    else this.#watchers.tell({ kind: 'keys', keys: [`dnsZone/${name}` as ObjectKey, ...state.records.keys()] });
  }

  #inTurn<T>(what: () => Promise<T>): Promise<T> {
    const next = this.#last.then(what);
    this.#last = next.catch(() => {});
    return next;
  }
}

/** The zone that a key is of or in; null for other kinds. */
function zoneOf(key: ObjectKey): string | null {
  const [kind, name] = key.split('/', 2);
  return (kind === 'dnsZone' || kind === 'dnsRecord') && name !== undefined ? name : null;
}

function resultOf(step: Step, refusal: Problem | null, drafts: ReadonlyMap<string, Draft>): Applied {
  const { key } = step;
  const draft = drafts.get(zoneOf(key) ?? '');
  const now = draft?.after == null ? null : observedOne(draft.after, key);
  const error = refusal ?? draft?.failure ?? null;
  return error === null ? { key, ok: true, now } : { key, ok: false, now, error };
}

function tooLong(records: ReadonlyMap<ObjectKey, DnsRecordObject>, zone: DnsZoneObject): Problem | null {
  for (const record of records.values()) {
    const refusal = checkRecord(record, zone.domain);
    if (refusal !== null) return refusal;
  }
  return null;
}

const zoneRow = (zone: DnsZoneObject): Observed => ({
  key: objectKey(zone),
  object: zone,
  learned: { queries: null, failures: null },
});

function observedOf(state: ZoneState): Observed[] {
  return [zoneRow(state.zone), ...[...state.records].map(([key, object]): Observed => ({ key, object, learned: {} }))];
}

function observedOne(state: ZoneState, key: ObjectKey): Observed | null {
  if (key === objectKey(state.zone)) return zoneRow(state.zone);
  const object = state.records.get(key);
  return object === undefined ? null : { key, object, learned: {} };
}
