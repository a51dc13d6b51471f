/**
 * Networks whose packets another firewall of this host drops: all is as it was said, and yet nothing goes through. Told once when it is seen,
 * and among what is failing for as long as it is so.
 */
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Device, Dropped } from '@vrouter/drivers/linux/strangers/forward.ts';
import type { ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';

export interface ForwardDrop {
  readonly key: ObjectKey;
  readonly problem: Problem;
}

/** Which of these links lose what they forward; null: this plane is nobody else's. */
export type LookForDrops = ((devices: readonly Device[]) => Promise<readonly Dropped[]>) | null;

export class ForwardDropWatch {
  readonly #look: LookForDrops;
  readonly #tell: (found: readonly ForwardDrop[], ended: readonly ObjectKey[]) => void;
  #known: ReadonlyMap<ObjectKey, ForwardDrop> = new Map();

  constructor(look: LookForDrops, tell: (found: readonly ForwardDrop[], ended: readonly ObjectKey[]) => void) {
    this.#look = look;
    this.#tell = tell;
  }

  all(): Iterable<ForwardDrop> {
    return this.#known.values();
  }

  /** `observed`: all that the plane has. What was known stays while the kernel does not say. */
  async look(observed: ReadonlyMap<ObjectKey, Observed>): Promise<void> {
    if (this.#look === null) return;
    const devices = networksOf(observed);
    const drops = devices.length === 0 ? [] : await this.#look(devices).catch(() => null);
    if (drops === null) return;
    const now = new Map<ObjectKey, ForwardDrop>();
    for (const { device, chain } of drops) {
      const key = `isolation/${device}` as ObjectKey;
      const what = `the chain "${chain}" of this host drops what it does not accept, and names ${device} nowhere: what this network forwards is lost there; accept both directions of ${device} in it`;
      now.set(key, { key, problem: problem('forward.dropped', what) });
    }
    const before = this.#known;
    this.#known = now;
    const found = [...now.values()].filter(({ key }) => !before.has(key));
    const ended = [...before.keys()].filter((key) => !now.has(key));
    if (found.length + ended.length > 0) this.#tell(found, ended);
  }
}

/** Links that are kept apart, with the families of their addresses. */
function networksOf(observed: ReadonlyMap<ObjectKey, Observed>): Device[] {
  const found = new Map<string, { name: string; hasIpv4: boolean; hasIpv6: boolean }>();
  for (const { object } of observed.values())
    if (object.kind === 'isolation' && !object.internal)
      found.set(object.link, { name: object.link, hasIpv4: false, hasIpv6: false });
  if (found.size === 0) return [];
  for (const { object } of observed.values()) {
    const one = object.kind === 'address' ? found.get(object.link) : undefined;
    if (one === undefined || object.kind !== 'address') continue;
    if (object.address.includes(':')) one.hasIpv6 = true;
    else one.hasIpv4 = true;
  }
  return [...found.values()];
}
