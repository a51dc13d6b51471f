/**
 * Where the controllers of this gateway are, a mind without hands: which addresses there are and who named them, which of them is asked
 * next, and which are left alone for a while. Whatever the controllers say, what the configuration file and the join string named stays,
 * so the list never becomes empty. The clock is an argument, ms, monotonic.
 *
 * One that works is kept. When it does not, another is drawn by chance, so that the gateways of one that died spread over the others.
 */
import type { ControllerAddress } from '@vrouter/api/gateway/gateway.ts';
import type { Problem } from '@vrouter/core/problem.ts';
import { Breaker, type Circuit } from './breaker.ts';

export type AddressSource = ControllerAddress['source'];

/** Most addresses that controllers can make a gateway remember. */
export const LEARNT_MAX = 16;

interface Entry {
  readonly url: string;
  source: AddressSource;
  readonly breaker: Breaker;
  lastError: Problem | null;
  lastErrorUnixMs: number | null;
  lastAnswerUnixMs: number | null;
}

export interface Failure {
  readonly why: Problem;
  /** Nobody took the connection. */
  readonly isAway: boolean;
  readonly capMs?: number;
  readonly waitMs?: number;
}

/** What an address is by itself: `https://host:port`, lower case, the port as URLs write it; null when it is none. */
export function controllerUrl(text: string): string | null {
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const bare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  return url.protocol === 'https:' && url.hostname !== '' && bare ? url.origin : null;
}

/** Those of a controller's list that are addresses, each once, and no more of them than anybody needs. */
export function validUrls(texts: readonly string[]): string[] {
  const urls = texts.map(controllerUrl).filter((url) => url !== null);
  return [...new Set(urls)].slice(0, LEARNT_MAX);
}

export class Addresses {
  readonly #entries = new Map<string, Entry>();
  readonly #unixMs: () => number;
  readonly #random: () => number;
  readonly #named: { [S in AddressSource]: readonly string[] } = { file: [], join: [], learnt: [] };
  #current: string | null = null;

  constructor(
    named: { readonly [S in AddressSource]: readonly string[] },
    unixMs: () => number = Date.now,
    random: () => number = Math.random,
  ) {
    this.#unixMs = unixMs;
    this.#random = random;
    for (const source of ['file', 'join', 'learnt'] as const) this.say(source, named[source]);
  }

  /** All that a source names, from now on. What two sources name is the first one's: file, join string, controllers. */
  say(source: AddressSource, urls: readonly string[]): void {
    this.#named[source] = urls;
    const sourceOf = new Map<string, AddressSource>();
    for (const one of ['learnt', 'join', 'file'] as const) for (const url of this.#named[one]) sourceOf.set(url, one);
    for (const url of this.#entries.keys()) if (!sourceOf.has(url)) this.#entries.delete(url);
    for (const [url, by] of sourceOf) {
      const known = this.#entries.get(url);
      if (known === undefined) this.#entries.set(url, newEntry(url, by));
      else known.source = by;
    }
    if (this.#current !== null && !this.#entries.has(this.#current)) this.#current = null;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Whom to ask now: who was asked last if that works, else anyone else that may be asked; null: nobody yet, see `waitMs`. */
  pick(nowMs: number): string | null {
    const inState = (circuit: string): Entry[] =>
      [...this.#entries.values()].filter((entry) => entry.breaker.circuit(nowMs) === circuit);
    const closed = inState('closed');
    if (this.#current !== null && closed.some(({ url }) => url === this.#current)) return this.#current;
    const from = closed.length > 0 ? closed : inState('halfOpen');
    const drawn = from[Math.floor(this.#random() * from.length)];
    if (drawn !== undefined) this.#current = drawn.url;
    return drawn?.url ?? null;
  }

  /** The next `pick` draws anew, and not this one when there is another. */
  leave(url: string, nowMs: number): void {
    const others = [...this.#entries.values()].filter(
      (entry) => entry.url !== url && entry.breaker.circuit(nowMs) === 'closed',
    );
    if (this.#current === url && others.length > 0)
      this.#current = others[Math.floor(this.#random() * others.length)]!.url;
  }

  /** The next `pick` draws anew among all that work: once in a while, so that a controller that came back gets its share. */
  shuffle(): void {
    this.#current = null;
  }

  /** One that may be tried again and is not asked, since another works; null when there is none. */
  toProbe(nowMs: number): string | null {
    for (const { url, breaker } of this.#entries.values())
      if (url !== this.#current && breaker.circuit(nowMs) === 'halfOpen') return url;
    return null;
  }

  /** Until one may be asked, ms; 0: one may. */
  waitMs(nowMs: number): number {
    const ready = [...this.#entries.values()].map(({ breaker }) => breaker.readyAtMs(nowMs));
    return ready.length === 0 ? 0 : Math.min(...ready) - nowMs;
  }

  circuit(url: string, nowMs: number): Circuit {
    return this.#entries.get(url)?.breaker.circuit(nowMs) ?? 'closed';
  }

  /** Nobody is known to work. */
  areAllOpen(nowMs: number): boolean {
    return [...this.#entries.values()].every(({ breaker }) => breaker.circuit(nowMs) !== 'closed');
  }

  succeeded(url: string, nowMs: number): void {
    const entry = this.#entries.get(url);
    if (entry === undefined) return;
    entry.breaker.succeeded(nowMs);
    entry.lastAnswerUnixMs = this.#unixMs();
  }

  failed(url: string, nowMs: number, { why, ...how }: Failure): void {
    const entry = this.#entries.get(url);
    if (entry === undefined) return;
    entry.breaker.failed(nowMs, how);
    entry.lastError = why;
    entry.lastErrorUnixMs = this.#unixMs();
  }

  /** A person does not want to wait. */
  hurry(): void {
    for (const { breaker } of this.#entries.values()) breaker.hurry();
  }

  /** How they are, for people: the one that is asked first, then by name. */
  states(nowMs: number): ControllerAddress[] {
    return [...this.#entries.values()]
      .map(({ url, source, breaker, lastError, lastErrorUnixMs, lastAnswerUnixMs }): ControllerAddress => {
        const circuit = breaker.circuit(nowMs);
        return {
          url,
          source,
          state: circuit !== 'closed' ? 'failing' : lastAnswerUnixMs === null ? 'untried' : 'working',
          isCurrent: url === this.#current,
          lastAnswerUnixMs,
          lastError: lastError === null ? null : `${lastError.message} (${lastError.code})`,
          lastErrorUnixMs,
          retryInMs: circuit === 'closed' ? null : Math.round(breaker.readyAtMs(nowMs) - nowMs),
        };
      })
      .sort((a, b) => Number(b.isCurrent) - Number(a.isCurrent) || (a.url < b.url ? -1 : 1));
  }
}

function newEntry(url: string, source: AddressSource): Entry {
  return { url, source, breaker: new Breaker(), lastError: null, lastErrorUnixMs: null, lastAnswerUnixMs: null };
}
