/** Intents as `/v1/intents` tells them, with what came of each. */
import type { IntentRow, IntentsQuery, Trouble } from '@vrouter/api/gateway/intents.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { type Intent, type IntentSource, intentKey } from '@vrouter/intent/model/intents.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import type { Daemon } from '../../../daemon.ts';

export type Sees = Pick<Daemon, 'desired' | 'reconciler' | 'badIntents' | 'standing'>;

/** Tells what is wrong with an intent: its own problems, those of its objects on the plane, and what keeps these from working. */
export function troublesBy(sees: Sees): (source: IntentSource, intent: Intent) => Trouble[] {
  const { desired, reconciler } = sees;
  const failing = new Map<ObjectKey, Trouble>();
  for (const { key, problem: why } of [...sees.standing(), ...reconciler.failing()])
    failing.set(key, { key, code: why.code, message: why.message });
  return (source, intent) => {
    const key = intentKey(intent);
    const own = desired.problemsOf(source, key).map(({ problem: { code, message } }) => ({ key, code, message }));
    if (failing.size === 0) return own;
    return [...own, ...desired.objectsOf(source, key).flatMap((object) => failing.get(object) ?? [])];
  };
}

/** Throws ProblemError `intent.notFound` when nobody says the network, nor anything of it. */
export function intentRows(sees: Sees, { kind, source, network }: IntentsQuery): IntentRow[] {
  const all = [...sees.desired.intents()].map(({ intent }) => intent);
  // What a network had when it went is still there, and can be taken away.
  const isKnown = all.some((one) => (one.kind === 'network' ? one.id : networkOf(one)) === network);
  if (network !== undefined && !isKnown) throw noNetwork(network);
  const troubles = troublesBy(sees);
  const rows: IntentRow[] = [];
  for (const { source: who, intent } of sees.desired.intents(source))
    if ((kind === undefined || intent.kind === kind) && (network === undefined || networkOf(intent) === network))
      rows.push({ key: intentKey(intent), source: who, intent: shown(intent), problems: troubles(who, intent) });
  for (const { source: who, key, problem: why } of sees.badIntents.all())
    if (
      (source === undefined || who === source) &&
      network === undefined &&
      (kind === undefined || key.startsWith(`${kind}/`))
    )
      rows.push({
        key,
        source: who,
        intent: null,
        problems: [{ key, code: why.code, message: why.message }],
      });
  return rows;
}

/** Tells that there is no network of this id. */
export function noNetwork(id: string): ProblemError {
  return new ProblemError(
    problem('intent.notFound', `there is no network ${id}; vrouterctl network list shows what there is`, 'id'),
  );
}

function networkOf(intent: Intent): string | undefined {
  return 'network' in intent ? intent.network : undefined;
}

/** Without secrets. */
export function shown(intent: Intent): { [name: string]: unknown } {
  return 'presharedKey' in intent && intent.presharedKey !== null
    ? { ...intent, presharedKey: '(hidden)' }
    : { ...intent };
}
