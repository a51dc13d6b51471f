/** Masquerade rules: which inside hosts leave by which links under another address. The longest prefix decides. */

/** Addresses of ours that inside hosts share. */
export interface Pool {
  readonly index: number;
  readonly addresses: Int32Array;
  readonly firstPort: number;
  readonly lastPort: number;
}

export interface MasqueradeRule {
  /** Index of its rule. */
  readonly rule: number;
  readonly vrf: number;
  readonly network: number;
  readonly bits: number;
  readonly mask: number;
  /** 1 by link index; null is every link but the one that the packet came in by. */
  readonly leaving: Uint8Array | null;
  /** Null: the address of the link that it leaves by. */
  readonly pool: Pool | null;
  readonly hairpin: boolean;
}

export class Masquerade {
  #rules: readonly MasqueradeRule[];

  constructor() {
    this.#rules = [];
  }

  replace(rules: readonly MasqueradeRule[]): void {
    this.#rules = [...rules].sort((a, b) => b.bits - a.bits || a.rule - b.rule);
  }

  get rules(): readonly MasqueradeRule[] {
    return this.#rules;
  }

  /** The rule for a source that leaves by `egress`, null when it keeps its address. */
  match(vrf: number, source: number, ingress: number, egress: number): MasqueradeRule | null {
    const rules = this.#rules;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!;
      if (rule.vrf !== vrf || (source & rule.mask) !== rule.network) continue;
      if (rule.leaving === null ? egress !== ingress : rule.leaving[egress] === 1) return rule;
    }
    return null;
  }

  /**
   * The rule under which a source of the inside is seen outside, and a link of the VRF whose address that may be; null when it comes from
   * outside itself, or is seen as it is.
   */
  outsideOf(
    vrf: number,
    source: number,
    ingress: number,
    linkAddress: Int32Array,
    linkVrf: Int32Array,
  ): { readonly rule: MasqueradeRule; readonly link: number } | null {
    for (const rule of this.#rules) {
      if (rule.vrf !== vrf || (source & rule.mask) !== rule.network) continue;
      // A rule for everybody that leaves by any link does not tell who is inside.
      if (rule.leaving === null ? rule.bits === 0 : rule.leaving[ingress] === 1) continue;
      for (let link = 0; link < linkAddress.length; link++) {
        const leaves = rule.leaving === null ? link !== ingress : rule.leaving[link] === 1;
        if (leaves && linkVrf[link] === vrf && (rule.pool !== null || linkAddress[link] !== 0)) return { rule, link };
      }
    }
    return null;
  }

  /** The rule under which a source would have `address` outside: that of link `egress`, or one of a pool. */
  matchOutside(vrf: number, source: number, ingress: number, address: number, egress: number): MasqueradeRule | null {
    const rules = this.#rules;
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!;
      if (rule.vrf !== vrf || (source & rule.mask) !== rule.network) continue;
      if (rule.pool !== null) {
        if (rule.pool.addresses.includes(address)) return rule;
      } else if (egress >= 0 && (rule.leaving === null ? egress !== ingress : rule.leaving[egress] === 1)) return rule;
    }
    return null;
  }
}
