/** What one change wants of the intents, gathered before it is written; keys said twice count once. */
import { canonicalJson } from '@vrouter/core/json.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { type Intent, type IntentKey, intentKey } from '@vrouter/intent/model/intents.ts';
import { parseIntent } from '@vrouter/intent/validate/intent.ts';
import type { StoredOp } from '../store/intents.ts';
import type { VrouterFields } from '../store/vrouters.ts';

export class Draft {
  readonly #ops = new Map<string, StoredOp>();
  /** A person agrees that what this state removes may go. */
  confirmed = false;
  /** What changes of the vrouter besides its intents. */
  fields: VrouterFields = {};

  /** Adds or replaces an intent. Throws the intent's own problem when a gateway would refuse it. */
  put(intent: Intent): void {
    const parsed = parseIntent(intent);
    if (!parsed.ok) throw new ProblemError(parsed.error);
    const key = intentKey(parsed.value);
    this.#ops.set(key, { key, body: canonicalJson(parsed.value) });
  }

  remove(key: IntentKey): void {
    this.#ops.set(key, { key, body: null });
  }

  /** In the order of their keys. */
  ops(): StoredOp[] {
    return [...this.#ops.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
  }
}
