/** A vrouter as it will be once a change is committed: what its answer is made of, before memory has it. */
import type { Intent } from '@vrouter/intent/model/intents.ts';
import type { StoredOp } from '../store/intents.ts';
import type { VrouterRow } from '../store/vrouters.ts';
import type { Head, HeadView } from './head.ts';

export class After implements HeadView {
  readonly row: VrouterRow;
  readonly #head: Head;
  readonly #ops: ReadonlyMap<string, string | null>;

  constructor(head: Head, ops: readonly StoredOp[], row: VrouterRow) {
    this.row = row;
    this.#head = head;
    this.#ops = new Map(ops.map(({ key, body }) => [key, body]));
  }

  get version(): number {
    return this.row.version;
  }

  body(key: string): string | undefined {
    const body = this.#ops.get(key);
    return body === undefined ? this.#head.body(key) : (body ?? undefined);
  }

  intent<K extends Intent['kind']>(kind: K, key: string): Extract<Intent, { kind: K }> | null {
    const body = this.body(key);
    return body === undefined || !key.startsWith(`${kind}/`) ? null : JSON.parse(body);
  }

  /** Keys that begin with `start`, in no order. */
  *keys(start: string): Generator<string> {
    for (const key of this.#head.keys(start)) if (!this.#ops.has(key)) yield key;
    for (const [key, body] of this.#ops) if (body !== null && key.startsWith(start)) yield key;
  }
}
