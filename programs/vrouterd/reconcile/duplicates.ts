/**
 * Addresses of the gateway's ports that another machine on the link has: they are as they were said, so the loop has nothing to put
 * right, and yet the gateway does not answer for them. Told once when it is seen, and among what is failing for as long as it is so.
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { CountingDriver } from '@vrouter/drivers/contract/counters.ts';
import type { LinkObject, ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';

/** Nobody waits longer for the plane's answer, ms. */
const ANSWER_MS = 2000;

export interface Duplicate {
  readonly key: ObjectKey;
  readonly problem: Problem;
}

/** Told of what is new, and of keys that are duplicates no more. */
export type TellDuplicates = (found: readonly Duplicate[], ended: readonly ObjectKey[]) => void;

export class Duplicates {
  readonly #driver: Pick<CountingDriver, 'neighbours'>;
  readonly #tell: TellDuplicates;
  #known: ReadonlyMap<ObjectKey, Duplicate> = new Map();

  constructor(driver: Pick<CountingDriver, 'neighbours'>, tell: TellDuplicates) {
    this.#driver = driver;
    this.#tell = tell;
  }

  all(): Iterable<Duplicate> {
    return this.#known.values();
  }

  /** Asks the plane if it has ports at all. What was known stays while it does not answer. */
  async look(links: readonly Observed<LinkObject>[]): Promise<void> {
    const now = new Map<ObjectKey, Duplicate>();
    if (links.some(({ object }) => object.type === 'port' || object.type === 'tap')) {
      const told = await this.#driver.neighbours(0, AbortSignal.timeout(ANSWER_MS)).catch(() => null);
      if (told === null) return;
      for (const { link, addresses } of told.ports)
        for (const { address, state } of addresses) {
          const key = `address/${link}/${address}` as ObjectKey;
          // One that is just being asked for anew is what it was.
          if (state !== 'duplicate' && !(state === 'tentative' && this.#known.has(key))) continue;
          const what = `another machine at ${link} has ${address}: the gateway does not answer for it, and asks again every minute`;
          now.set(key, { key, problem: problem('address.duplicate', what, 'address') });
        }
    }
    const before = this.#known;
    this.#known = now;
    const found = [...now.values()].filter(({ key }) => !before.has(key));
    const ended = [...before.keys()].filter((key) => !now.has(key));
    if (found.length + ended.length > 0) this.#tell(found, ended);
  }
}
