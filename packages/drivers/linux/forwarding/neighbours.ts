/** Neighbours that were said and are never asked for: the permanent ones on our links. */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatMac, parseMac } from '@vrouter/core/mac.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { NeighbourObject, ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied } from '../../contract/driver.ts';
import type { Kernel } from '../kernel.ts';
import { adoptedAs } from '../links/shape.ts';
import { AF_INET, AF_INET6 } from '../netlink/message.ts';
import {
  askNeighbours,
  deleteNeighbour,
  type NeighbourRow,
  parseNeighbour,
  setNeighbour,
} from '../netlink/neighbour.ts';
import { Errno } from '../netlink/refusal.ts';
import { applyEach, type Part } from '../part.ts';

export class NeighbourEntries implements Part {
  readonly kinds = ['neighbour'] as const;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  async observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]> {
    const wanted = scope === 'all' ? null : new Set<string>(scope);
    if (wanted?.size === 0) return [];
    const seen: Observed[] = [];
    for (const family of [AF_INET, AF_INET6])
      for (const row of await this.#kernel.routing.dump(askNeighbours(family), 'neighbours', parseNeighbour)) {
        const found = this.#see(row);
        if (found !== null && wanted?.has(found.key) !== false) seen.push(found);
      }
    return seen;
  }

  apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    return applyEach(this, steps, async (step) => {
      const object = step.op === 'delete' ? step.before : step.object;
      if (object.kind !== 'neighbour') throw new TypeError(`${object.kind} is no neighbour`);
      return this.#do(step, object);
    });
  }

  async #do(step: Step, { link, address, mac }: NeighbourObject): Promise<Problem | null> {
    const row = this.#kernel.links.of(link);
    const ip = parseIp(address, 'address');
    const ethernet = parseMac(mac, 'mac');
    if (!ip.ok) return ip.error;
    if (!ethernet.ok) return ethernet.error;
    if (step.op === 'delete') {
      if (row === undefined) return null;
      this.#kernel.ledger.delete(step.key);
      return this.#kernel.do([deleteNeighbour(row.index, ip.value)], step.key, [Errno.ENOENT, Errno.ENODEV]);
    }
    if (row === undefined) return problem('object.dependency', `the link ${link} is not there`, 'link');
    // On an interface that was taken in, its own entries and ours look alike.
    if (adoptedAs(this.#kernel.ledger, link) !== null) this.#kernel.ledger.set(step.key, '{}');
    return this.#kernel.do([setNeighbour(row.index, ip.value, ethernet.value)], step.key);
  }

  #see(row: NeighbourRow): Observed | null {
    const { links, ledger } = this.#kernel;
    const on = links.at(row.link);
    const link = on === undefined ? null : links.nameOf(on);
    if (link === null || !row.permanent || row.mac.length !== 6) return null;
    const address = formatIp(row.address);
    const key = `neighbour/${link}/${address}` as ObjectKey;
    if (adoptedAs(ledger, link) !== null && ledger.get(key) === null) return null;
    return { key, object: { kind: 'neighbour', link, address, mac: formatMac(row.mac) }, learned: {} };
  }
}
