/**
 * Stored intents that cannot be used as they are, and why: no other says anything of them, since the index holds only what could be
 * read. Whoever stores or removes one of its source's intents says so here.
 */
import type { Problem } from '@vrouter/core/problem.ts';
import type { IntentKey, IntentSource } from '@vrouter/intent/model/intents.ts';

export interface BadIntent {
  readonly source: IntentSource;
  readonly key: IntentKey;
  readonly problem: Problem;
}

export class BadIntents {
  readonly #byName = new Map<string, BadIntent>();

  /** Takes the place of what was known of it. */
  put(bad: BadIntent): void {
    this.#byName.set(nameOf(bad.source, bad.key), bad);
  }

  /** It can be used, or is gone. Idempotent. */
  delete(source: IntentSource, key: IntentKey): void {
    this.#byName.delete(nameOf(source, key));
  }

  has(source: IntentSource, key: IntentKey): boolean {
    return this.#byName.has(nameOf(source, key));
  }

  /** In the order in which they were found. */
  all(): Iterable<BadIntent> {
    return this.#byName.values();
  }
}

function nameOf(source: IntentSource, key: IntentKey): string {
  return `${source} ${key}`;
}
