/**
 * A change of one source, whole or not at all: it is said, looked at, and either stored or unsaid again. Nothing can be dirty in
 * between, since nobody else runs.
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Desired } from '@vrouter/intent/index/desired.ts';
import type { IntentKey, IntentSource, PeerIntent } from '@vrouter/intent/model/intents.ts';
import { intentKey } from '@vrouter/intent/model/intents.ts';
import type { Store } from '../../store/store.ts';

/** Null: it is said and stored. Otherwise what would newly be wrong, with these peers or with others'; then nothing has changed. */
export function commitPeers(
  desired: Desired,
  store: Store,
  source: IntentSource,
  put: readonly PeerIntent[],
  gone: readonly PeerIntent[],
): Problem | null {
  const wrongBefore = new Set(desired.problems().map(told));
  const before = new Map(put.map((intent) => [intentKey(intent), desired.get(source, intentKey(intent))]));
  // Those that go first become empty: taken back, they would come back as the youngest, behind who waits for what they held.
  for (const intent of gone) desired.put(source, { ...intent, allowedIps: [] });
  for (const intent of put) desired.put(source, intent);
  const wrong = desired.problems().find((one) => !wrongBefore.has(told(one)))?.problem ?? null;
  const error = wrong ?? stored(store, source, put, gone);
  if (error === null) {
    for (const intent of gone) desired.remove(source, intentKey(intent));
    return null;
  }
  for (const [key, intent] of before) intent === undefined ? desired.remove(source, key) : desired.put(source, intent);
  for (const intent of gone) desired.put(source, intent);
  return error;
}

function stored(
  store: Store,
  source: IntentSource,
  put: readonly PeerIntent[],
  gone: readonly PeerIntent[],
): Problem | null {
  const bodies = put.map((intent) => ({
    key: intentKey(intent),
    body: { ...intent, allowedIps: [...intent.allowedIps] },
  }));
  try {
    store.commit(source, { put: bodies, remove: gone.map(intentKey) }, null);
    return null;
  } catch (thrown) {
    return problem('data.unwritable', `what was said cannot be stored: ${String(thrown)}`);
  }
}

function told({ source, key, problem: what }: { source: string; key: IntentKey; problem: Problem }): string {
  return `${source} ${key} ${what.code} ${what.message}`;
}
