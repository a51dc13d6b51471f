/** What the daemon does, as it does it, for whoever watches. */
import type { WatchEvent } from '@vrouter/api/gateway/gateway.ts';

export class Events {
  readonly #watchers = new Set<(event: WatchEvent) => void>();

  emit(type: WatchEvent['type'], text: string): void {
    if (this.#watchers.size === 0) return;
    const event: WatchEvent = { atUnixMs: Date.now(), type, text };
    for (const watcher of this.#watchers) watcher(event);
  }

  /** Returns how to stop watching. */
  watch(watcher: (event: WatchEvent) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }
}
