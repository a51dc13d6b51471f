/** Addresses of our links. Those of an interface that was taken in carry our protocol number, so that its own are left alone. */
import { formatPrefix, type Prefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { ObjectKey, Observed } from '@vrouter/intent/model/objects.ts';
import type { Step } from '@vrouter/intent/plan/step.ts';
import type { Applied } from '../../contract/driver.ts';
import type { Kernel } from '../kernel.ts';
import { adoptedAs } from '../links/shape.ts';
import { type AddressRow, addAddress, askAddresses, parseAddress, removeAddress } from '../netlink/address.ts';
import { AF_INET, AF_INET6 } from '../netlink/message.ts';
import { Errno } from '../netlink/refusal.ts';
import { ROUTE_PROTOCOL } from '../netlink/route.ts';
import { applyEach, type Part } from '../part.ts';

export class Addresses implements Part {
  readonly kinds = ['address'] as const;
  readonly #kernel: Kernel;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  async observe(scope: 'all' | readonly ObjectKey[]): Promise<readonly Observed[]> {
    const { routing } = this.#kernel;
    const wanted = scope === 'all' ? null : new Set<string>(scope);
    if (wanted?.size === 0) return [];
    const seen: Observed[] = [];
    for (const family of familiesOf(wanted)) {
      const rows = await routing.dump(askAddresses(family), 'addresses', parseAddress);
      for (const row of rows) {
        const found = this.#see(row);
        if (found !== null && wanted?.has(found.key) !== false) seen.push(found);
      }
    }
    return seen;
  }

  apply(steps: readonly Step[]): Promise<readonly Applied[]> {
    return applyEach(this, steps, (step) => {
      const object = step.op === 'delete' ? step.before : step.object;
      if (object.kind !== 'address') throw new TypeError(`${object.kind} is no address`);
      const parsed = parseInterfaceAddress(object.address, 'address');
      if (!parsed.ok) return Promise.resolve(parsed.error);
      return step.op === 'delete'
        ? this.#remove(object.link, parsed.value)
        : this.#add(object.link, parsed.value, object.address);
    });
  }

  /** The key of an address, as news tells of it; null: it is none of ours. */
  keyOf(row: AddressRow): ObjectKey | null {
    return this.#see(row)?.key ?? null;
  }

  #see(row: AddressRow): Observed | null {
    const { links, ledger } = this.#kernel;
    const on = links.at(row.link);
    const link = on === undefined ? null : links.nameOf(on);
    if (link === null || !row.permanent || isLinkLocal(row.address)) return null;
    if (row.protocol !== ROUTE_PROTOCOL && adoptedAs(ledger, link) !== null) return null;
    const address = formatPrefix(row.address);
    return {
      key: `address/${link}/${address}` as ObjectKey,
      object: { kind: 'address', link, address },
      learned: {},
    };
  }

  async #add(link: string, address: Prefix, text: string): Promise<Problem | null> {
    const row = this.#kernel.links.of(link);
    if (row === undefined) return problem('object.dependency', `the link ${link} is not there`, 'link');
    const broadcast = row.kind !== 'wireguard';
    const request = addAddress(row.index, address, { noPrefixRoute: true, broadcast, protocol: ROUTE_PROTOCOL });
    const settled = adoptedAs(this.#kernel.ledger, link) === null ? [Errno.EEXIST] : [];
    const failed = await this.#kernel.do([request], `${link}: address ${text}`, settled);
    if (failed === null) return null;
    if (failed.code !== 'object.exists')
      return (address.address.length === 16 ? this.#kernel.noIpv6(row) : null) ?? failed;
    // Of an interface that was taken in: ours already, or its own.
    const ours = await this.observe([`address/${link}/${text}` as ObjectKey]);
    return ours.length > 0 ? null : failed;
  }

  async #remove(link: string, address: Prefix): Promise<Problem | null> {
    const row = this.#kernel.links.of(link);
    if (row === undefined) return null;
    const gone = [Errno.EADDRNOTAVAIL, Errno.ENODEV];
    const failed = await this.#kernel.do([removeAddress(row.index, address)], `${link}: address`, gone);
    // Its IPv4 routes are gone when this was the last address of that family.
    if (failed === null && address.address.length === 4) this.#kernel.goesInSilence(link);
    return failed;
  }
}

/** Families of the addresses in these keys; both when all are wanted. */
function familiesOf(wanted: ReadonlySet<string> | null): number[] {
  if (wanted === null) return [AF_INET, AF_INET6];
  const families = new Set<number>();
  for (const key of wanted) families.add(key.includes(':') ? AF_INET6 : AF_INET);
  return [...families];
}

/** fe80::/10: the kernel gives each link one. */
function isLinkLocal({ address }: Prefix): boolean {
  return address.length === 16 && address[0] === 0xfe && (address[1]! & 0xc0) === 0x80;
}
