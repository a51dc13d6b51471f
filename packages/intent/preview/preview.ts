/**
 * What a change of one source's intents would do on a gateway that has what they were before: both states compiled, and the steps from
 * one to the other planned, as its reconcile would. No plane is asked. What only the gateway knows is made up, the same before and
 * after: numbers of tables, its private key, intents of its own file.
 */
import { Secret } from '@vrouter/core/secret.ts';
import { intentRank } from '../compile/compile.ts';
import type { Outside } from '../compile/context.ts';
import { diffKeys } from '../diff/diff.ts';
import { withDependants } from '../diff/replace.ts';
import type { IntentProblem } from '../index/complaints.ts';
import { Desired } from '../index/desired.ts';
import type { Intent, IntentKey, IntentSource } from '../model/intents.ts';
import { type ObjectKey, type ObjectKind, type Observed, objectKey, objectKinds } from '../model/objects.ts';
import { plan } from '../plan/plan.ts';
import type { Step } from '../plan/step.ts';

/** Says an intent, or takes back the one of that key. */
export interface IntentOp {
  readonly key: IntentKey;
  /** Null: taken back. */
  readonly intent: Intent | null;
}

export interface Preview {
  readonly steps: readonly Step[];
  /** What would not be as it was said, the eldest intent first. */
  readonly problems: readonly PreviewedProblem[];
}

export interface PreviewedProblem extends IntentProblem {
  /** It would be the change's doing. */
  readonly isNew: boolean;
}

const SOURCE: IntentSource = 'controller';
/** Kernel switches are the plane's own affair: one that has none goes without. */
const previewedKinds = (Object.keys(objectKinds) as ObjectKind[]).filter((kind) => kind !== 'sysctl');
/** Intents that are compiled between two breaths; some 2 ms of work. */
const SLICE = 100;

/**
 * The preview as work that can be left off: it yields every few milliseconds, and returns it at the end. Only the plan of what differs
 * is made in one piece. `before` are the intents that there are, in the order in which they were first said; `fingerprint` makes that
 * of a Secret.
 */
export function* previewing(
  before: Iterable<Intent>,
  ops: Iterable<IntentOp>,
  fingerprint: (bytes: Uint8Array) => string,
): Generator<void, Preview, void> {
  const desired = new Desired(anyOutside(fingerprint), previewedKinds);
  // What others refer to first, so that nothing is compiled twice.
  const intents = [...before].sort((a, b) => intentRank[a.kind] - intentRank[b.kind]);
  for (const slice of slices(intents)) {
    for (const intent of slice) desired.put(SOURCE, intent);
    desired.takeDirty();
    yield;
  }
  const observed = new Map<ObjectKey, Observed>();
  for (const slice of slices(desired.all())) {
    for (const object of slice) observed.set(objectKey(object), { key: objectKey(object), object, learned: {} });
    yield;
  }
  const known = new Set(desired.problems().map(told));
  // One that goes and comes back is among the dirty keys, and differs in nothing.
  const dirty = new Set<ObjectKey>();
  for (const slice of slices(ops)) {
    for (const { key, intent } of slice) {
      if (intent === null) desired.remove(SOURCE, key);
      else desired.put(SOURCE, intent);
    }
    for (const key of desired.takeDirty()) dirty.add(key);
    yield;
  }
  const differences = diffKeys(
    dirty,
    (key) => desired.desired(key),
    (key) => observed.get(key),
  );
  yield;
  const steps = plan(withDependants(differences, desired.all(), observed.values()));
  const problems = desired.problems().map((one) => ({ ...one, isNew: !known.has(told(one)) }));
  return { steps, problems };
}

function* slices<T>(all: Iterable<T>): Generator<readonly T[], void, void> {
  let slice: T[] = [];
  for (const one of all) {
    slice.push(one);
    if (slice.length < SLICE) continue;
    yield slice;
    slice = [];
  }
  if (slice.length > 0) yield slice;
}

/** A gateway as good as any other: tables are numbered as they come, its key is one that nobody has. */
function anyOutside(fingerprint: (bytes: Uint8Array) => string): Outside {
  const tables = new Map<string, number>();
  const privateKey = new Secret(new Uint8Array(32), 'the gateway keeps it to itself');
  return {
    tableId(vrf) {
      const known = tables.get(vrf) ?? tables.size;
      tables.set(vrf, known);
      return known;
    },
    privateKey: () => privateKey,
    secret(base64) {
      const bytes = Uint8Array.fromBase64(base64);
      return new Secret(bytes, fingerprint(bytes));
    },
  };
}

const told = ({ key, problem }: IntentProblem): string => `${key} ${problem.code} ${problem.message}`;
