/** What happened, for whoever listens (server-sent events, metrics). The last ones are kept so that a listener can resume. */
import type { ControllerEvent } from '@vrouter/api/rest/system.ts';

const KEPT = 256;

export type EventInput = Omit<ControllerEvent, 'id' | 'atUnixMs'>;

export class EventBus {
  readonly #listeners = new Set<(event: ControllerEvent) => void>();
  readonly #kept: ControllerEvent[] = [];
  readonly #unixMs: () => number;
  #lastId = 0;

  constructor(unixMs: () => number) {
    this.#unixMs = unixMs;
  }

  /** Tells everyone. What it tells of has been committed. */
  emit(input: EventInput): void {
    const event: ControllerEvent = { id: ++this.#lastId, atUnixMs: this.#unixMs(), ...input };
    this.#kept.push(event);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const listener of [...this.#listeners]) listener(event);
  }

  /** Events after `id` that are still kept. */
  since(id: number): ControllerEvent[] {
    return this.#kept.filter((event) => event.id > id);
  }

  subscribe(listener: (event: ControllerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
