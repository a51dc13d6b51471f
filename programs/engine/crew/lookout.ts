/** The watches of one worker: what its engine sees is told to the main thread, a list at a time and only as fast as that takes them. */
import type { Result } from '@vrouter/core/result.ts';
import type { TraceFilter } from '@vrouter/engine/control/trace-messages.ts';
import type { CaptureWatch, TraceWatch } from '@vrouter/engine/trace/watch.ts';
import type { Report } from './messages.ts';

/** What is asked of the engine. */
interface Watchable {
  trace(filter: TraceFilter, ready: () => void): Result<TraceWatch>;
  capture(filter: TraceFilter, snapLen: number, ready: () => void): Result<CaptureWatch>;
  endWatch(watch: TraceWatch | CaptureWatch): void;
}

interface Post {
  readonly number: number;
  readonly watch: TraceWatch | CaptureWatch;
  /** Something was said that is not taken yet. */
  isWaiting: boolean;
  isScheduled: boolean;
  toldLost: number;
}

export class Lookout {
  readonly #engine: Watchable;
  readonly #say: (report: Report) => void;
  readonly #soon: (callback: () => void) => void;
  readonly #posts: Map<number, Post>;

  /** `soon` has the function called after the packets at hand. */
  constructor(engine: Watchable, say: (report: Report) => void, soon: (callback: () => void) => void) {
    this.#engine = engine;
    this.#say = say;
    this.#soon = soon;
    this.#posts = new Map();
  }

  start(number: number, filter: TraceFilter, snapLen: number | null): void {
    const ready = (): void => this.#ready(number);
    const made = snapLen === null ? this.#engine.trace(filter, ready) : this.#engine.capture(filter, snapLen, ready);
    // The filter was judged before; its link may have gone since, and then there is nothing to see.
    if (made.ok)
      this.#posts.set(number, { number, watch: made.value, isWaiting: false, isScheduled: false, toldLost: 0 });
    this.#say({ is: 'watching', number });
  }

  more(number: number): void {
    const post = this.#posts.get(number);
    if (post === undefined) return;
    post.isWaiting = false;
    this.#flush(post);
  }

  stop(number: number): void {
    const post = this.#posts.get(number);
    if (post === undefined) {
      this.#say({ is: 'seen', number, rows: [], lost: 0, last: true });
      return;
    }
    this.#posts.delete(number);
    this.#engine.endWatch(post.watch);
    this.#tell(post, true);
  }

  #ready(number: number): void {
    const post = this.#posts.get(number);
    if (post === undefined || post.isWaiting || post.isScheduled) return;
    post.isScheduled = true;
    this.#soon(() => {
      post.isScheduled = false;
      if (this.#posts.has(number)) this.#flush(post);
    });
  }

  #flush(post: Post): void {
    if (!post.isWaiting) this.#tell(post, false);
  }

  #tell(post: Post, last: boolean): void {
    const rows = post.watch.take();
    const lost = post.watch.lost - post.toldLost;
    if (rows.length === 0 && lost === 0 && !last) return;
    post.toldLost += lost;
    post.isWaiting = !last;
    this.#say({ is: 'seen', number: post.number, rows, lost, last });
  }
}
