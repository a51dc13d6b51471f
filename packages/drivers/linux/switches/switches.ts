/** Kernel switches below /proc/sys. What a switch was before us is in the ledger, and comes back when it is nobody's any more. */
import { type Problem, ProblemError, problem } from '@vrouter/core/problem.ts';
import { type ObjectKey, type Observed, objectKey, type SysctlObject } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied } from '../../contract/driver.ts';
import type { Ledger } from '../ledger.ts';
import type { LinkTable } from '../links/table.ts';
import { applyEach, type Part } from '../part.ts';

/** Files of /proc/sys, by their paths below it. */
export interface SwitchFiles {
  /** Without the newline; null when there is no such switch. */
  read(path: string): string | null;
  /** Throws ProblemError. */
  write(path: string, value: string): void;
  /** Names in a folder; none when it is not there. */
  list(path: string): readonly string[];
}

const KEY = 'sysctl/';
/** Switches of links that one call of `turned` looks at: some milliseconds. */
const LOOK_AT = 200;
/** In the ledger: interfaces of the host that go on obeying router advertisements because we say so. */
const ADVERTISED = 'advertised/';
/** A host without IPv6, or a link whose MTU is too small for it (RFC 8200 section 5), has none of these: nothing is let through there. */
const IPV6 = 'net.ipv6.';
/** In the ledger: there was no such switch. */
const NONE = '';
const IPV6_FORWARDING = 'net.ipv6.conf.all.forwarding';

export class Switches implements Part {
  readonly kinds = ['sysctl'] as const;
  readonly #files: SwitchFiles;
  readonly #ledger: Ledger;
  readonly #links: LinkTable;
  /** What was told of each last. */
  readonly #told = new Map<ObjectKey, string | null>();
  /** What was asked of each. */
  readonly #asked = new Map<ObjectKey, string>();
  #next = 0;

  constructor(files: SwitchFiles, ledger: Ledger, links: LinkTable) {
    this.#files = files;
    this.#ledger = ledger;
    this.#links = links;
  }

  async observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]> {
    const entries = scope === 'all' ? this.#ledger.entries(KEY) : scope.map((key) => [key, ''] as const);
    return entries.flatMap(([key]) => this.#see(key as ObjectKey) ?? []);
  }

  apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    return applyEach(this, steps, async (step) => {
      const object = step.op === 'delete' ? step.before : step.object;
      if (object.kind !== 'sysctl') return null;
      try {
        return step.op === 'delete' ? this.#giveBack(object) : this.#set(object);
      } catch (thrown) {
        if (thrown instanceof ProblemError) return thrown.problem;
        throw thrown;
      }
    });
  }

  /**
   * Those that somebody has turned since they were told of: the kernel says nothing of most of them. Those of links are many, and looked at
   * some at a time.
   */
  turned(): ObjectKey[] {
    const all = [...this.#told.keys()];
    const ofLinks = all.filter((key) => parseKey(key)?.link !== null);
    if (this.#next >= ofLinks.length) this.#next = 0;
    const some = ofLinks.slice(this.#next, this.#next + LOOK_AT);
    this.#next += LOOK_AT;
    return [...all.filter((key) => parseKey(key)?.link === null), ...some].filter(
      (key) => this.#valueOf(key) !== this.#told.get(key),
    );
  }

  #see(key: ObjectKey): Observed | null {
    const before = this.#ledger.get(key);
    const of = parseKey(key);
    if (before === null || of === null) {
      this.#told.delete(key);
      return null;
    }
    const now = this.#valueOf(key);
    this.#told.set(key, now);
    const isThere = this.#pathOf(of.name, of.link) !== null;
    const value = now === null && isThere && of.name.startsWith(IPV6) ? (this.#asked.get(key) ?? null) : now;
    return value === null ? null : { key, object: { kind: 'sysctl', ...of, value }, learned: {} };
  }

  #valueOf(key: ObjectKey): string | null {
    const of = parseKey(key);
    const path = of === null ? null : this.#pathOf(of.name, of.link);
    return path === null ? null : this.#files.read(path);
  }

  #set(object: SysctlObject): Problem | null {
    const path = this.#pathOf(object.name, object.link);
    if (path === null) return problem('object.dependency', `${object.link} is not there yet`);
    const before = this.#files.read(path);
    const key = objectKey(object);
    this.#asked.set(key, object.value);
    if (before === null && !object.name.startsWith(IPV6))
      return problem('plane.failed', `this kernel has no switch ${path.replaceAll('/', '.')}`);
    if ((this.#ledger.get(key) ?? NONE) === NONE) this.#ledger.set(key, before ?? NONE);
    if (before === null || before === object.value) return null;
    if (object.name === IPV6_FORWARDING && object.value === '1') this.#keepAdvertised();
    this.#files.write(path, object.value);
    return null;
  }

  #giveBack(object: SysctlObject): null {
    const key = objectKey(object);
    const before = this.#ledger.get(key);
    const path = this.#pathOf(object.name, object.link);
    // A switch of a link is gone with it.
    const isThere = path !== null && this.#files.read(path) !== null;
    if (before !== null && before !== NONE && isThere) this.#files.write(path, before);
    if (object.name === IPV6_FORWARDING) this.#giveBackAdvertised();
    this.#ledger.delete(key);
    this.#asked.delete(key);
    return null;
  }

  /**
   * A host that forwards IPv6 obeys no router advertisements unless told to with 2 (ip-sysctl: accept_ra), and would lose the default route
   * that it has by one. Those interfaces that obeyed go on.
   */
  #keepAdvertised(): void {
    for (const device of this.#files.list('net/ipv6/conf')) {
      if (device === 'all' || device === 'default') continue;
      const path = `net/ipv6/conf/${device}/accept_ra`;
      const row = this.#links.device(device);
      const isOurs = row !== undefined && this.#links.nameOf(row) !== null;
      if (isOurs || this.#files.read(path) !== '1') continue;
      this.#ledger.set(`${ADVERTISED}${device}`, '1');
      this.#files.write(path, '2');
    }
  }

  #giveBackAdvertised(): void {
    for (const [key] of this.#ledger.entries(ADVERTISED)) {
      const path = `net/ipv6/conf/${key.slice(ADVERTISED.length)}/accept_ra`;
      if (this.#files.read(path) === '2') this.#files.write(path, '1');
      this.#ledger.delete(key);
    }
  }

  /** Null: the link is not there. */
  #pathOf(name: string, link: string | null): string | null {
    const parts = name.split('.');
    if (link === null) return parts.join('/');
    const device = this.#links.of(link)?.name;
    // A name of a device may have dots in it, which are its own.
    return device === undefined ? null : parts.map((part) => (part === '%' ? device : part)).join('/');
  }
}

/** `sysctl/LINK/NAME`, where `*` is no link. */
function parseKey(key: string): { readonly name: string; readonly link: string | null } | null {
  const [, link, name] = key.split('/');
  if (link === undefined || name === undefined) return null;
  return { name, link: link === '*' ? null : link };
}
