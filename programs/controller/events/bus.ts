/** What happened, for whoever listens (server-sent events, metrics). The last ones are kept so that a listener can resume. */
import type { ControllerEvent } from '@vrouter/api/rest/system.ts';

const KEPT = 256;

/** Ids of each start begin here, times the time of the start in ms, so that an id of another start or controller is known as one. */
const IDS_PER_MS = 1000;

export type EventInput = Omit<ControllerEvent, 'id' | 'atUnixMs'>;

export class EventBus {
  readonly #listeners = new Set<(event: ControllerEvent) => void>();
  readonly #kept: ControllerEvent[] = [];
  readonly #unixMs: () => number;
  #lastId: number;

  constructor(unixMs: () => number) {
    this.#unixMs = unixMs;
    this.#lastId = unixMs() * IDS_PER_MS;
  }

  /** Tells everyone. What it tells of has been committed. */
  emit(input: EventInput): void {
    const event: ControllerEvent = { id: ++this.#lastId, atUnixMs: this.#unixMs(), ...input };
    this.#kept.push(event);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const listener of [...this.#listeners]) listener(event);
  }

  /**
   * What a listener that heard `id` last has not heard. When that is more than is kept, or the id is none of this start, it is all that is
   * kept, and before it `events.missed`.
   */
  since(id: number): ControllerEvent[] {
    const before = (this.#kept[0]?.id ?? this.#lastId + 1) - 1;
    if (id >= before && id <= this.#lastId) return this.#kept.filter((event) => event.id > id);
    const text = 'events before this one are not kept any more; read anew what is to be known';
    const missed: ControllerEvent = {
      id: before,
      atUnixMs: this.#unixMs(),
      type: 'events.missed',
      vrouter: '',
      subject: null,
      version: null,
      text,
    };
    return [missed, ...this.#kept];
  }

  subscribe(listener: (event: ControllerEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
