/**
 * What the plane has told us and would be missed if it died: where peers were last heard, and the routes it carries. A peer's endpoint
 * is its own business once the peer exists; a new one is created with the place where it was last heard, so that the plane can greet
 * it instead of waiting to be found.
 */
import type { Applied } from '@vrouter/drivers/contract/driver.ts';
import type { Observed } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { InterfaceRecord, Store } from '../store/store.ts';

export class LastHeard {
  readonly #store: Store;
  readonly #endpoints = new Map<string, string>();
  readonly #links = new Map<string, Pick<InterfaceRecord, 'index' | 'type'>>();
  #unsaved = false;

  constructor(store: Store) {
    this.#store = store;
    for (const { name, endpoints } of store.interfaces())
      for (const [publicKey, endpoint] of Object.entries(endpoints))
        this.#endpoints.set(`${name} ${publicKey}`, endpoint);
  }

  /** The step with the peer's last endpoint, where it creates a peer that was heard before. */
  prepare(step: Step): Step {
    if (step.op !== 'create' || step.object.kind !== 'wireguardPeer') return step;
    const endpoint = this.#endpoints.get(`${step.object.link} ${step.object.publicKey}`);
    return endpoint === undefined ? step : { ...step, object: { ...step.object, endpoint } };
  }

  /** Notes the interfaces and endpoints that the plane tells of; writes only when something is new. */
  save(rows: Iterable<Observed>): void {
    for (const { object, learned } of rows) {
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
    if (!this.#unsaved) return;
    this.#store.saveInterfaces(this.#records());
    this.#unsaved = false;
  }

  /** Somebody said where a peer is: it counts from now on, also for a plane that has to be filled anew. */
  said(link: string, publicKey: string, endpoint: string): void {
    if (this.#endpoints.get(`${link} ${publicKey}`) === endpoint) return;
    this.#endpoints.set(`${link} ${publicKey}`, endpoint);
    this.#unsaved = true;
  }

  /** A peer that is gone for good is not remembered. */
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

  /** Keeps the `routes` table what the plane was last seen to have, and forgets peers that were taken away. */
  applied(results: readonly Applied[], steps: readonly Step[]): void {
    const changes: { vrf: string; prefix: string; nextHop: string | null }[] = [];
    for (const [index, { now }] of results.entries()) {
      const step = steps[index];
      const object = step?.op === 'delete' ? step.before : step?.object;
      if (step?.op === 'delete' && step.before.kind === 'wireguardPeer' && now === null)
        this.forget(step.before.link, step.before.publicKey);
      if (object?.kind !== 'route') continue;
      const via = now?.object.kind === 'route' ? now.object.via : null;
      const nextHop = via === null ? null : via.type === 'blackhole' ? 'blackhole' : (via.nextHop ?? via.link);
      changes.push({ vrf: object.vrf, prefix: object.prefix, nextHop });
    }
    this.#store.saveRoutes(changes);
  }
}
