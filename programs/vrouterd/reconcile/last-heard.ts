/**
 * What the plane has told us and would be missed if it died: where peers were last heard, and the routes it carries. A peer's endpoint
 * is its own business once the peer exists; a new one is created with the place where it was last heard, so that the plane can greet
 * it instead of waiting to be found, and with the newest timestamp of its handshakes, so that a recorded one is no news to it.
 */
import type { Applied } from '@vrouter/drivers/contract/driver.ts';
import type { Observed, RouteVia } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { HandshakeTimestamp, InterfaceRecord, Store } from '../store/store.ts';

/** Timestamps that are remembered, those of peers that were taken away among them: they may come back, and recordings with them. */
const MOST_TIMESTAMPS = 100_000;
/** A label further ahead of our clock is not remembered: its peer's clock was wrong, and once mended it would be locked out for ever. */
const AHEAD_MS = 24 * 3_600_000;
/** TAI64: seconds from 2^62 on, of which 10 came before Unix time began. */
const TAI_SECONDS_AT = 2n ** 62n + 10n;

type RouteChange = Parameters<Store['saveRoutes']>[0][number];

export class LastHeard {
  readonly #store: Store;
  readonly #unixMs: () => number;
  readonly #timestamps = new Map<string, string>();
  readonly #endpoints = new Map<string, string>();
  readonly #links = new Map<string, Pick<InterfaceRecord, 'index' | 'type'>>();
  #unsaved = false;
  /** Not in the store yet: it may have been full. */
  readonly #newTimestamps = new Map<string, HandshakeTimestamp>();
  readonly #newRoutes = new Map<string, RouteChange>();

  constructor(store: Store, unixMs: () => number = Date.now) {
    this.#store = store;
    this.#unixMs = unixMs;
    for (const { link, publicKey, label } of store.handshakeTimestamps(MOST_TIMESTAMPS))
      this.#timestamps.set(`${link} ${publicKey}`, label);
    for (const { name, endpoints } of store.interfaces())
      for (const [publicKey, endpoint] of Object.entries(endpoints))
        this.#endpoints.set(`${name} ${publicKey}`, endpoint);
  }

  /** The step with the peer's last endpoint, where it creates a peer that was heard before. */
  prepare(step: Step): Step {
    if (step.op !== 'create' || step.object.kind !== 'wireguardPeer') return step;
    const name = `${step.object.link} ${step.object.publicKey}`;
    const endpoint = this.#endpoints.get(name);
    const handshakeTimestamp = this.#timestamps.get(name);
    if (endpoint === undefined && handshakeTimestamp === undefined) return step;
    return {
      ...step,
      object: {
        ...step.object,
        ...(endpoint === undefined ? {} : { endpoint }),
        ...(handshakeTimestamp === undefined ? {} : { handshakeTimestamp }),
      },
    };
  }

  /**
   * Notes the interfaces and endpoints that the plane tells of; writes only when something is new. Throws what the store throws; what
   * could not be written is, with the next call. False: there was nothing to write.
   */
  save(rows: Iterable<Observed>): boolean {
    for (const { object, learned } of rows) {
      if (object.kind === 'wireguardPeer' && typeof learned.handshakeTimestamp === 'string') {
        const { link, publicKey } = object;
        const label = learned.handshakeTimestamp;
        if (this.#isNews(link, publicKey, label)) {
          this.#newTimestamps.set(`${link} ${publicKey}`, { link, publicKey, label });
          this.#timestamps.set(`${link} ${publicKey}`, label);
        }
      }
      if (object.kind === 'link') {
        const index = typeof learned.index === 'number' ? learned.index : null;
        if (this.#links.get(object.name)?.index === index) continue;
        this.#links.set(object.name, { index, type: object.type });
      } else if (object.kind === 'wireguardPeer' && typeof learned.endpoint === 'string') {
        const name = `${object.link} ${object.publicKey}`;
        if (this.#endpoints.get(name) === learned.endpoint) continue;
        this.#endpoints.set(name, learned.endpoint);
      } else continue;
      this.#unsaved = true;
    }
    const isNews = this.#newTimestamps.size > 0 || this.#newRoutes.size > 0 || this.#unsaved;
    this.#store.saveHandshakeTimestamps([...this.#newTimestamps.values()]);
    this.#newTimestamps.clear();
    this.#saveRoutes();
    if (this.#unsaved) this.#store.saveInterfaces(this.#records());
    this.#unsaved = false;
    return isNews;
  }

  /** Somebody said where a peer is: it counts from now on, also for a plane that has to be filled anew. */
  said(link: string, publicKey: string, endpoint: string): void {
    if (this.#endpoints.get(`${link} ${publicKey}`) === endpoint) return;
    this.#endpoints.set(`${link} ${publicKey}`, endpoint);
    this.#unsaved = true;
  }

  #isNews(link: string, publicKey: string, label: string): boolean {
    if (label <= (this.#timestamps.get(`${link} ${publicKey}`) ?? '')) return false;
    const unixSeconds = Number(BigInt(`0x${label.slice(0, 16)}`) - TAI_SECONDS_AT);
    return unixSeconds * 1000 <= this.#unixMs() + AHEAD_MS;
  }

  /** Where a peer was that is gone for good is not remembered. */
  forget(link: string, publicKey: string): void {
    if (this.#endpoints.delete(`${link} ${publicKey}`)) this.#unsaved = true;
  }

  #records(): InterfaceRecord[] {
    const endpoints = new Map<string, { [publicKey: string]: string }>();
    for (const name of this.#links.keys()) endpoints.set(name, {});
    for (const [name, endpoint] of this.#endpoints) {
      const [link, publicKey] = name.split(' ') as [string, string];
      const of = endpoints.get(link);
      if (of !== undefined) of[publicKey] = endpoint;
    }
    return [...this.#links].map(([name, link]) => ({ name, ...link, endpoints: endpoints.get(name)! }));
  }

  /** Keeps the `routes` table what the plane was last seen to have, and forgets peers that were taken away. As `save`. */
  applied(results: readonly Applied[], steps: readonly Step[]): boolean {
    for (const [index, { now }] of results.entries()) {
      const step = steps[index];
      const object = step?.op === 'delete' ? step.before : step?.object;
      if (step?.op === 'delete' && step.before.kind === 'wireguardPeer' && now === null)
        this.forget(step.before.link, step.before.publicKey);
      if (object?.kind !== 'route') continue;
      const via = now?.object.kind === 'route' ? now.object.via : null;
      const nextHop = via === null ? null : viaText(via);
      this.#newRoutes.set(`${object.vrf} ${object.prefix}`, { vrf: object.vrf, prefix: object.prefix, nextHop });
    }
    return this.#saveRoutes();
  }

  #saveRoutes(): boolean {
    const isNews = this.#newRoutes.size > 0;
    this.#store.saveRoutes([...this.#newRoutes.values()]);
    this.#newRoutes.clear();
    return isNews;
  }
}

function viaText(via: RouteVia): string {
  if (via.type === 'blackhole') return 'blackhole';
  const paths = via.type === 'link' ? [via] : via.paths;
  return paths.map(({ link, nextHop }) => nextHop ?? link).join(', ');
}
