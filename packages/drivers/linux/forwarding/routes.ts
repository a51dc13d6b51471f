/**
 * Routes, many to a datagram. What the kernel has taken is as it was asked, so it is not asked again; a route of somebody else's is never
 * replaced. Which one is ours its protocol number says.
 */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatPrefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { ObjectKey, Observed, RouteObject, RoutePath, RouteVia } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied } from '../../contract/driver.ts';
import type { Kernel } from '../kernel.ts';
import { LAST_METRIC, RT_TABLE_MAIN, tableOf } from '../links/vrfs.ts';
import { AF_INET, AF_INET6 } from '../netlink/message.ts';
import { Errno, refusalProblem } from '../netlink/refusal.ts';
import {
  askRoutes,
  createRoute,
  deleteRoute,
  type NextHop,
  type OurRoute,
  parseRoute,
  ROUTE_PROTOCOL,
  type RouteRow,
  type RouteTarget,
  replaceRoute,
} from '../netlink/route.ts';
import type { Part } from '../part.ts';

/** linux/rtnetlink.h: RTPROT_KERNEL. */
const KERNEL_PROTOCOL = 2;

export class Routes implements Part {
  readonly kinds = ['route'] as const;
  readonly #kernel: Kernel;
  /** What news has told of keys since they were last asked for. */
  readonly #news = new Map<ObjectKey, Observed | null>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  async observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]> {
    if (scope === 'all') {
      this.#news.clear();
      return this.#dump([AF_INET, AF_INET6], null);
    }
    const seen: Observed[] = [];
    const unknown = new Set<string>();
    for (const key of scope) {
      const told = this.#news.get(key);
      if (told === undefined) unknown.add(key);
      else if (told !== null) seen.push(told);
      this.#news.delete(key);
    }
    if (unknown.size === 0) return seen;
    const families = new Set([...unknown].map((key) => (key.includes(':') ? AF_INET6 : AF_INET)));
    return [...seen, ...(await this.#dump([...families], unknown))];
  }

  /**
   * Somebody else has changed a route. The key, when it is one of ours, or may have been: one that is put in the place of another may
   * have put out ours, of which the kernel says no more.
   */
  heard(row: RouteRow, gone: boolean, replaced: boolean): ObjectKey | null {
    const observed = this.#see(row);
    if (observed === null) {
      const vrf = replaced ? this.#vrfOf(row.table) : null;
      if (vrf === null) return null;
      const key = `route/${vrf}/${formatPrefix(row.prefix)}` as ObjectKey;
      this.#news.set(key, null);
      return key;
    }
    this.#news.set(observed.key, gone ? null : observed);
    return observed.key;
  }

  async apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    const requests: Uint8Array[] = [];
    const results: Applied[] = new Array(steps.length);
    const asked: number[] = [];
    for (const [index, step] of steps.entries()) {
      this.#news.delete(step.key);
      const request = this.#requestOf(step);
      if (request instanceof Uint8Array) {
        asked.push(index);
        requests.push(request);
      } else
        results[index] = request === null ? { key: step.key, ok: true, now: null } : await this.#failed(step, request);
    }
    const refusals = requests.length === 0 ? [] : await this.#kernel.routing.change(requests);
    for (const [n, index] of asked.entries()) {
      const step = steps[index]!;
      const refusal = refusals[n] ?? null;
      if (refusal === null) results[index] = done(step);
      else if (step.op === 'delete' && refusal.errno === Errno.ESRCH) results[index] = done(step);
      else if (step.op === 'create' && refusal.errno === Errno.EEXIST) results[index] = await this.#existing(step);
      else results[index] = await this.#failed(step, refusalProblem(refusal, step.key));
    }
    return results;
  }

  /** Null: there is nothing to do. */
  #requestOf(step: Step): Uint8Array | Problem | null {
    const object = step.op === 'delete' ? step.before : step.object;
    if (object.kind !== 'route') throw new TypeError(`${object.kind} is no route`);
    const route = this.#routeOf(object);
    if ('code' in route) return step.op === 'delete' ? null : route;
    if (step.op === 'delete') return deleteRoute(route);
    return step.op === 'create' ? createRoute(route) : replaceRoute(route);
  }

  /** The place is taken: by ourselves, so that it is made anew, or by somebody else. */
  async #existing(step: Extract<Step, { op: 'create' }>): Promise<Applied> {
    const [ours] = await this.observe([step.key]);
    if (ours === undefined && (await this.#isKernels(step.object as RouteObject))) {
      // That of an address of a link that was somebody else's before: ours takes its place, and nothing is without a route meanwhile.
      const failed = await this.#kernel.do(
        [replaceRoute(this.#routeOf(step.object as RouteObject) as OurRoute)],
        step.key,
      );
      return failed === null ? done(step) : this.#failed(step, failed);
    }
    if (ours === undefined) {
      const what = `this host has another route to ${step.key.slice(step.key.indexOf('/', 6) + 1)}, which is not ours`;
      return { key: step.key, ok: false, now: null, error: problem('object.exists', what, 'prefix') };
    }
    const route = this.#routeOf(step.object as RouteObject);
    if ('code' in route) return { key: step.key, ok: false, now: ours, error: route };
    const failed = await this.#kernel.do([replaceRoute(route)], step.key);
    return failed === null ? done(step) : this.#failed(step, failed);
  }

  /** Whether the kernel has made the same route by itself, for an address of the link of ours that it is on. */
  async #isKernels({ vrf, prefix, via }: RouteObject): Promise<boolean> {
    const { links, routing } = this.#kernel;
    const link = via.type === 'link' && via.nextHop === null ? links.of(via.link) : undefined;
    if (link === undefined) return false;
    const rows = await routing.dump(askRoutes(prefix.includes(':') ? AF_INET6 : AF_INET), 'routes', parseRoute);
    return rows.some(
      (row) =>
        row.protocol === KERNEL_PROTOCOL &&
        this.#vrfOf(row.table) === vrf &&
        formatPrefix(row.prefix) === prefix &&
        row.target.type === 'unicast' &&
        row.target.hops.every((hop) => hop.link === link.index && hop.gateway === null),
    );
  }

  async #failed(step: Step, error: Problem): Promise<Applied> {
    const [now] = await this.observe([step.key]);
    return { key: step.key, ok: false, now: now ?? null, error };
  }

  #routeOf({ vrf, prefix, via }: RouteObject): OurRoute | Problem {
    const { links } = this.#kernel;
    const table = tableOf(links, vrf)?.table;
    if (table === undefined) return problem('object.dependency', `the VRF ${vrf} is not there`, 'vrf');
    const parsed = parsePrefix(prefix, 'prefix');
    if (!parsed.ok) return parsed.error;
    if (via.type === 'blackhole') return { table, prefix: parsed.value, metric: 0, target: { type: 'blackhole' } };
    const hops: NextHop[] = [];
    for (const path of via.type === 'link' ? [{ ...via, weight: 1 }] : via.paths) {
      const hop = this.#hopOf(path);
      if ('code' in hop) return hop;
      hops.push(hop);
    }
    return { table, prefix: parsed.value, metric: 0, target: { type: 'unicast', hops } };
  }

  #hopOf({ link: name, nextHop, weight }: RoutePath): NextHop | Problem {
    const link = this.#kernel.links.of(name)?.index;
    if (link === undefined) return problem('object.dependency', `the link ${name} is not there`, 'via');
    const gateway = nextHop === null ? null : parseIp(nextHop, 'nextHop');
    if (gateway?.ok === false) return gateway.error;
    // The next hop is where we were told that it is, whatever addresses the link has.
    return { link, gateway: gateway?.value ?? null, weight, onLink: gateway !== null };
  }

  async #dump(families: readonly number[], wanted: ReadonlySet<string> | null): Promise<Observed[]> {
    const seen: Observed[] = [];
    for (const family of families) {
      const rows = await this.#kernel.routing.dump(askRoutes(family), 'routes', (message) => {
        const row = parseRoute(message);
        const found = row === null ? null : this.#see(row);
        return found !== null && wanted?.has(found.key) !== false ? found : null;
      });
      // There may be a million, too many for the arguments of one call.
      for (const row of rows) seen.push(row);
    }
    return seen;
  }

  #see(row: RouteRow): Observed | null {
    if (row.protocol !== ROUTE_PROTOCOL || row.metric === LAST_METRIC) return null;
    const vrf = this.#vrfOf(row.table);
    const via = vrf === null ? null : this.#viaOf(row.target);
    if (vrf === null || via === null) return null;
    const prefix = formatPrefix(row.prefix);
    return { key: `route/${vrf}/${prefix}` as ObjectKey, object: { kind: 'route', vrf, prefix, via }, learned: {} };
  }

  #vrfOf(table: number): string | null {
    return table === RT_TABLE_MAIN ? 'default' : this.#kernel.links.vrfOf(table);
  }

  /** Null: it leads where we lead nothing. */
  #viaOf(target: RouteTarget): RouteVia | null {
    if (target.type !== 'unicast') return target.type === 'blackhole' ? { type: 'blackhole' } : null;
    const paths: RoutePath[] = [];
    for (const { link: index, gateway, weight } of target.hops) {
      const row = this.#kernel.links.at(index);
      if (row === undefined) return null;
      const link = this.#kernel.links.nameOf(row) ?? row.name;
      paths.push({ link, nextHop: gateway === null ? null : formatIp(gateway), weight });
    }
    if (paths.length > 1) return { type: 'paths', paths: paths.sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1)) };
    const only = paths[0];
    return only === undefined ? null : { type: 'link', link: only.link, nextHop: only.nextHop };
  }
}

const textOf = ({ link, nextHop }: RoutePath): string => `${link} ${nextHop ?? ''}`;

function done(step: Step): Applied {
  if (step.op === 'delete') return { key: step.key, ok: true, now: null };
  return { key: step.key, ok: true, now: { key: step.key, object: step.object, learned: {} } };
}
