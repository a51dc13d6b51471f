/**
 * An eye on the plane's links between two audits: they are few, cheap to ask for, and lean on devices that others take away and bring
 * back. What differs from what is known is given to the loop; a link that failed because its device was not there is tried again when
 * the device is there, whatever its backoff says.
 */
import { readFileSync } from 'node:fs';
import type { Driver } from '@vrouter/drivers/contract/driver.ts';
import type { Desired } from '@vrouter/intent/index/desired.ts';
import type { LinkObject, ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import { sameValue } from '@vrouter/intent/model/same.ts';
import type { Reconciler } from './reconciler.ts';

/** Nobody waits longer for the plane's answer, ms. */
const ANSWER_MS = 2000;

export class Links {
  readonly #desired: Desired;
  readonly #driver: Driver;
  readonly #reconciler: Reconciler;
  readonly #devices: () => ReadonlySet<string>;
  /** Links that could not be made while the machine had no such device. */
  readonly #waiting = new Set<ObjectKey>();

  /** `devices` tells the names of the machine's interfaces. */
  constructor(desired: Desired, driver: Driver, reconciler: Reconciler, devices = machineDevices) {
    this.#desired = desired;
    this.#driver = driver;
    this.#reconciler = reconciler;
    this.#devices = devices;
  }

  /** The links as they are now; null when the plane does not say. What has changed is on its way to be put right. */
  async look(): Promise<readonly Observed<LinkObject>[] | null> {
    this.#retry();
    const keys = linksOf(this.#reconciler.observed().values()).map((link) => link.key);
    let rows: readonly Observed<LinkObject>[];
    try {
      // Asked also when there are none, since whether the plane answers is a part of what is asked.
      rows = linksOf(await this.#driver.observe(keys, AbortSignal.timeout(ANSWER_MS)));
    } catch {
      return null;
    }
    const now = new Map(rows.map((row) => [row.key, row]));
    const changed: ObjectKey[] = [];
    for (const key of keys) {
      // Looked at only now: what has been applied meanwhile is newer than what was known before.
      const known = this.#reconciler.observed().get(key);
      if (known === undefined) continue;
      const row = now.get(key);
      if (row === undefined || !sameValue(row.object, known.object)) changed.push(key);
      else this.#reconciler.refresh([{ ...known, learned: row.learned }]);
    }
    if (changed.length > 0) this.#reconciler.suspect(changed);
    return rows;
  }

  #retry(): void {
    const failing = new Map<ObjectKey, string>();
    for (const { key } of this.#reconciler.failing()) {
      const link = this.#desired.desired(key);
      if (link?.kind === 'link' && link.type === 'port' && link.device !== undefined) failing.set(key, link.device);
    }
    for (const key of this.#waiting) if (!failing.has(key)) this.#waiting.delete(key);
    if (failing.size === 0) return;
    const devices = this.#devices();
    for (const [key, device] of failing) {
      if (!devices.has(device)) this.#waiting.add(key);
      else if (this.#waiting.delete(key)) this.#reconciler.retryNow(key);
    }
  }
}

/** Names of the interfaces in this network namespace; none where the machine does not say. */
export function machineDevices(): ReadonlySet<string> {
  try {
    const lines = readFileSync('/proc/self/net/dev', 'utf8').split('\n').slice(2);
    return new Set(lines.map((line) => line.slice(0, line.lastIndexOf(':')).trim()));
  } catch {
    return new Set();
  }
}

function linksOf(rows: Iterable<Observed>): Observed<LinkObject>[] {
  const links: Observed<LinkObject>[] = [];
  for (const row of rows) if (row.object.kind === 'link') links.push(row as Observed<LinkObject>);
  return links;
}
