/**
 * A change of one source, whole or not at all: it is said, looked at, and either stored or unsaid again. Nothing can be dirty in
 * between, since nobody else runs.
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import { ok, type Result } from '@vrouter/core/result.ts';
import type { Desired } from '@vrouter/intent/index/desired.ts';
import type { IntentKey, IntentSource, PeerIntent } from '@vrouter/intent/model/intents.ts';
import { intentKey } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { Store } from '../../store/store.ts';

/** What a source says of its peers, all at once. */
export interface PeersSaid {
  readonly put: readonly PeerIntent[];
  readonly gone: readonly PeerIntent[];
  /** What is stored and cannot be read: it goes from the store, and was nowhere else. */
  readonly discard?: readonly IntentKey[];
}

/**
 * Null: it is said and stored. Otherwise what is wrong with one of these peers (`parseIntent`'s problems, since a start reads the store
 * through it), or would newly be wrong with others; then nothing has changed.
 */
export function commitPeers(desired: Desired, store: Store, source: IntentSource, said: PeersSaid): Problem | null {
  const { gone } = said;
  const put: PeerIntent[] = [];
  for (const intent of said.put) {
    const read = readPeer(intent);
    if (!read.ok) return read.error;
    put.push(read.value);
  }
  const wrongBefore = new Set(desired.problems().map(told));
  const before = new Map(put.map((intent) => [intentKey(intent), desired.get(source, intentKey(intent))]));
  // Those that go first become empty: taken back, they would come back as the youngest, behind who waits for what they held.
  for (const intent of gone) desired.put(source, { ...intent, allowedIps: [] });
  for (const intent of put) desired.put(source, intent);
  const wrong = desired.problems().find((one) => !wrongBefore.has(told(one)))?.problem ?? null;
  const error = wrong ?? stored(store, source, put, [...gone.map(intentKey), ...(said.discard ?? [])]);
  if (error === null) {
    for (const intent of gone) desired.remove(source, intentKey(intent));
    return null;
  }
  for (const [key, intent] of before) intent === undefined ? desired.remove(source, key) : desired.put(source, intent);
  for (const intent of gone) desired.put(source, intent);
  return error;
}

/** The peer as a start would read it from the store. */
function readPeer(intent: PeerIntent): Result<PeerIntent> {
  const read = parseIntent(intent);
  if (!read.ok) return read;
  if (read.value.kind !== 'peer') throw new TypeError(`a peer was read as ${read.value.kind}`);
  return ok(read.value);
}

function stored(
  store: Store,
  source: IntentSource,
  put: readonly PeerIntent[],
  remove: readonly IntentKey[],
): Problem | null {
  const bodies = put.map((intent) => ({
    key: intentKey(intent),
    body: { ...intent, allowedIps: [...intent.allowedIps] },
  }));
  try {
    store.commit(source, { put: bodies, remove }, null);
    return null;
  } catch (thrown) {
    return problem('data.unwritable', `what was said cannot be stored: ${String(thrown)}`);
  }
}

function told({ source, key, problem: what }: { source: string; key: IntentKey; problem: Problem }): string {
  return `${source} ${key} ${what.code} ${what.message}`;
}
