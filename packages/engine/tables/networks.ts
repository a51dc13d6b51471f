/** Which IPv4 networks the links are in, in words, for one settling of the NAT tables. */
import type { Prefix } from '@vrouter/core/prefix.ts';
import type { Forwarding, Vrf } from '../state/forwarding.ts';
import type { Routes } from './routes.ts';

interface Network {
  readonly link: number;
  readonly own: number;
  readonly word: number;
  readonly mask: number;
}

export class LinkNetworks {
  readonly #links: number;
  readonly #byVrf: Map<number, Network[]>;
  readonly #found: Map<string, Uint8Array | null>;

  constructor(forwarding: Forwarding, routes: Routes) {
    this.#links = forwarding.links.length;
    this.#byVrf = new Map();
    this.#found = new Map();
    for (const link of forwarding.links) {
      if (link === null) continue;
      const networks = this.#byVrf.get(link.vrf) ?? [];
      this.#byVrf.set(link.vrf, networks);
      for (const { address, bits } of routes.addressList(link)) {
        if (address.length !== 4) continue;
        const mask = bits === 0 ? 0 : -1 << (32 - bits);
        const own = wordOf(address);
        networks.push({ link: link.index, own, word: own & mask, mask });
      }
    }
  }

  /** 1 by link index for the links of a VRF that have a network with this address in it; null when none has. */
  linksWith(vrf: number, address: number): Uint8Array | null {
    const key = `${vrf} ${address}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    let links: Uint8Array | null = null;
    for (const { link, word, mask } of this.#byVrf.get(vrf) ?? []) {
      if ((address & mask) !== word) continue;
      links ??= new Uint8Array(this.#links);
      links[link] = 1;
    }
    this.#found.set(key, links);
    return links;
  }

  /** By link index: those of these addresses that are in a network of the link and that it does not have itself, each as a /32. */
  answering(addresses: readonly { readonly vrf: Vrf; readonly address: Uint8Array }[]): readonly (readonly Prefix[])[] {
    const byLink: Prefix[][] = Array.from({ length: this.#links }, () => []);
    for (const { vrf, address } of addresses) {
      const word = wordOf(address);
      const links = this.linksWith(vrf.index, word);
      if (links === null) continue;
      const own = (this.#byVrf.get(vrf.index) ?? []).filter((one) => one.own === word).map(({ link }) => link);
      for (let link = 0; link < links.length; link++)
        if (links[link] === 1 && !own.includes(link)) byLink[link]!.push({ address, bits: 32 });
    }
    return byLink;
  }
}

function wordOf(address: Uint8Array): number {
  return new DataView(address.buffer, address.byteOffset).getInt32(0);
}
