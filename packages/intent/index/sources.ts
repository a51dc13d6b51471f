/** Who says what: every source's intents by key, and how many of each kind. */
import type { IntentKey, IntentKind, IntentSource } from '../model/intents.ts';
import type { Entry } from './entry.ts';

export class Sources {
  readonly #sources = new Map<
    IntentSource,
    { readonly entries: Map<IntentKey, Entry>; readonly counts: Map<IntentKind, number> }
  >();

  get(source: IntentSource, key: IntentKey): Entry | undefined {
    return this.#sources.get(source)?.entries.get(key);
  }

  add(entry: Entry): void {
    let said = this.#sources.get(entry.source);
    if (said === undefined) {
      said = { entries: new Map(), counts: new Map() };
      this.#sources.set(entry.source, said);
    }
    said.entries.set(entry.key, entry);
    said.counts.set(entry.intent.kind, (said.counts.get(entry.intent.kind) ?? 0) + 1);
  }

  remove(entry: Entry): void {
    const said = this.#sources.get(entry.source);
    if (said?.entries.delete(entry.key) !== true) return;
    const left = said.counts.get(entry.intent.kind)! - 1;
    if (left === 0) said.counts.delete(entry.intent.kind);
    else said.counts.set(entry.intent.kind, left);
  }

  /** In the order in which they were first said. */
  *of(source: IntentSource): Generator<Entry, void, undefined> {
    const entries = this.#sources.get(source)?.entries;
    if (entries !== undefined) yield* entries.values();
  }

  *all(): Generator<Entry, void, undefined> {
    for (const { entries } of this.#sources.values()) yield* entries.values();
  }

  counts(source: IntentSource): ReadonlyMap<IntentKind, number> {
    return this.#sources.get(source)?.counts ?? new Map();
  }
}
