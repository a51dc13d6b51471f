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
