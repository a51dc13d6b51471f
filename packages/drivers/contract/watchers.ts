/** Those who watch a plane. Each has its own queue, so a slow one misses nothing. */
import type { Change } from './driver.ts';

interface Watcher {
  readonly queue: Change[];
  wake: () => void;
}

export class Watchers {
  readonly #watchers = new Set<Watcher>();

  tell(change: Change): void {
    for (const watcher of this.#watchers) {
      watcher.queue.push(change);
      watcher.wake();
    }
  }

  /** Changes from now on, until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<Change> {
    const watcher: Watcher = { queue: [], wake: () => {} };
    this.#watchers.add(watcher);
    const stop = (): void => {
      this.#watchers.delete(watcher);
      watcher.wake();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
    return drain(watcher, signal);
  }
}

async function* drain(watcher: Watcher, signal: AbortSignal): AsyncGenerator<Change, void, undefined> {
  while (!signal.aborted) {
    const next = watcher.queue.shift();
    if (next !== undefined) yield next;
    else await new Promise<void>((resolve) => (watcher.wake = resolve));
  }
}
