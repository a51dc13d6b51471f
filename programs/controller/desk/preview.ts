/**
 * What a change that was only looked at would do to traffic. The work is made beside everything else: in slices of a few milliseconds,
 * one preview at a time, on a copy of the configuration, so that no real change waits for it.
 */
import { setImmediate as breath } from 'node:timers/promises';
import { type GatewayPreview, PREVIEW_ROWS_MAX, type PreviewReply } from '@vrouter/api/rest/preview.ts';
import { countKinds, interlock } from '@vrouter/intent/interlock/interlock.ts';
import type { Intent, IntentKey } from '@vrouter/intent/model/intents.ts';
import type { Effect, Step } from '@vrouter/intent/plan/step.ts';
import { type IntentOp, type Preview, previewing } from '@vrouter/intent/preview/preview.ts';
import { stepText } from '@vrouter/intent/preview/words.ts';
import type { Gateway } from '../agents/gateway.ts';
import { sha256Hex } from '../ca/keys.ts';
import type { DryRun } from '../desired/dry-run.ts';
import type { StoredOp } from '../store/intents.ts';
import type { Desk } from './desk.ts';
import { type Base, baseOf, bodiesAfter, opsBetween } from './preview-base.ts';
import { notesOf } from './preview-notes.ts';
import { INTERFACE } from './status.ts';

/** Intents that are read between two breaths. */
const SLICE = 500;

export class Previews {
  readonly #desk: Pick<Desk, 'db' | 'roster'>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(desk: Pick<Desk, 'db' | 'roster'>) {
    this.#desk = desk;
  }

  /** One after another: each has a whole configuration in hand. */
  async of(dry: DryRun): Promise<PreviewReply> {
    const run = this.#last.then(() => this.#of(dry));
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #of(dry: DryRun): Promise<PreviewReply> {
    const { before, after, ops, bodies, action } = dry;
    const gateway = this.#desk.roster.of(before.id);
    const base = await baseOf(this.#desk.db, dry, gateway);
    // A confirmation says nothing new: it lets go what the gateway does not have yet.
    const begin = action === 'shrink.confirm' && base !== null ? base : { version: before.version, bodies };
    const unknown = action === 'shrink.confirm' && base === null && (gateway?.row.storedVersion ?? 0) > 0;
    const asked = begin.bodies === bodies ? ops : opsBetween(begin.bodies, bodies);
    const { steps, problems } = await planned(begin.bodies, asked);
    const nameOf = peerNames(begin.bodies, asked);
    const effects = Map.groupBy(steps, ({ effect }) => effect);
    const shown: GatewayPreview = {
      vrouter: before.name,
      gatewayId: gateway?.id ?? null,
      connected: gateway?.connected ?? false,
      from: before.version,
      to: after?.version ?? null,
      storedVersion: gateway?.row.storedVersion ?? null,
      stepsFrom: unknown ? null : begin.version,
      operations: rows(ops, ({ key, body }) => ({ op: body === null ? 'remove' : 'upsert', key })),
      steps: rows(steps, (step) => describeStep(step, nameOf)),
      effect: strongest.find((effect) => effects.has(effect)) ?? 'none',
      counts: {
        operations: ops.length,
        steps: steps.length,
        rehandshake: effects.get('rehandshake')?.length ?? 0,
        interrupt: effects.get('interrupt')?.length ?? 0,
      },
      problems: rows(problems, ({ key, problem: { code, message }, isNew }) => ({ key, code, message, isNew })),
      interlock: judged(dry, base, gateway),
      notes: notesOf(dry, gateway),
    };
    return { dryRun: true, action, gateways: [shown] };
  }
}

const strongest: readonly Effect[] = ['interrupt', 'rehandshake', 'none'];

async function planned(bodies: ReadonlyMap<string, string>, ops: readonly StoredOp[]): Promise<Preview> {
  // Gateways are told nothing new, so nothing happens; the rest needs no look at thousands of intents.
  if (ops.length === 0) return { steps: [], problems: [] };
  const before: Intent[] = [];
  for (const body of bodies.values()) {
    before.push(JSON.parse(body) as Intent);
    if (before.length % SLICE === 0) await breath();
  }
  await breath();
  const work = previewing(before, ops.map(intentOp), sha256Hex);
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await breath();
  }
}

function intentOp({ key, body }: StoredOp): IntentOp {
  return { key: key as IntentKey, intent: body === null ? null : (JSON.parse(body) as Intent) };
}

/** Names of peers as they are known after the change, of those that go as they were. */
function peerNames(
  bodies: ReadonlyMap<string, string>,
  ops: readonly StoredOp[],
): (publicKey: string) => string | null {
  const changed = new Map(ops.map(({ key, body }) => [key, body]));
  return (publicKey) => {
    const key = `peer/${INTERFACE}/${publicKey}`;
    const body = changed.get(key) ?? bodies.get(key);
    return body === undefined ? null : (JSON.parse(body) as Extract<Intent, { kind: 'peer' }>).name;
  };
}

function describeStep(step: Step, nameOf: (publicKey: string) => string | null): GatewayPreview['steps'][number] {
  const { op, key, effect } = step;
  return { op, key, changed: op === 'update' ? [...step.changed] : [], effect, text: stepText(step, nameOf) };
}

/** As the gateway itself will judge it, of all that it would lose from what it has; and a confirmation goes before. */
function judged(dry: DryRun, base: Base | null, gateway: Gateway | undefined): GatewayPreview['interlock'] {
  const { after } = dry;
  const free = { held: false, reason: null };
  if (after === null || (after.confirmedVersion > 0 && after.confirmedVersion === after.version)) return free;
  if (gateway?.lost === true) return { held: true, reason: 'the gateway has a later state, which the store has lost' };
  if (base === null) return free;
  const left = bodiesAfter(dry);
  const removed = [...base.bodies.keys()].filter((key) => !left.has(key));
  const verdict = interlock('controller', countKinds(base.bodies.keys()), countKinds(removed));
  return verdict.held ? { held: true, reason: verdict.reason } : free;
}

function rows<A, B>(all: readonly A[], of: (one: A) => B): B[] {
  return all.slice(0, PREVIEW_ROWS_MAX).map(of);
}
