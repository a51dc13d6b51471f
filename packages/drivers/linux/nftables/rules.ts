/** Pieces that rules are made of. Registers are of four bytes; a link's name takes four of them. */
import {
  CT_STATUS_DNAT,
  Ct,
  ct,
  ctOriginal,
  differs,
  type Expression,
  equals,
  inSet,
  Meta,
  mask,
  meta,
  network,
  notInSet,
  verdict,
} from '../netlink/nftables/expression.ts';
import { VerdictCode } from '../netlink/nftables/numbers.ts';
import type { ChainHook } from '../netlink/nftables/table.ts';
import { linkField, numberField } from './fields.ts';
import type { Family } from './sets.ts';

export interface ChainSpec {
  readonly name: string;
  readonly hook: ChainHook | null;
  /** Shown by `nft list`. */
  readonly comment: string | null;
  readonly rules: readonly (readonly Expression[])[];
}

export const chain = (name: string, ...rules: readonly (readonly Expression[])[]): ChainSpec => ({
  name,
  hook: null,
  comment: null,
  rules,
});

export const base = (name: string, hook: ChainHook, ...rules: readonly (readonly Expression[])[]): ChainSpec => ({
  name,
  hook,
  comment: null,
  rules,
});

export const accept = verdict(VerdictCode.accept);
export const drop = verdict(VerdictCode.drop);
export const back = verdict(VerdictCode.return);
export const jump = (to: string): Expression => verdict(VerdictCode.jump, to);
export const goto = (to: string): Expression => verdict(VerdictCode.goto, to);

const NFPROTO = { 4: 2, 6: 10 } as const;
export const nfprotoOf = (f: Family): number => NFPROTO[f];
/** Registers that an address takes. */
export const wide = (f: Family): number => (f === 4 ? 1 : 4);

export const isFamily = (f: Family): readonly Expression[] => [
  meta(Meta.nfproto, 0),
  equals(0, Uint8Array.of(NFPROTO[f])),
];
export const isProtocol = (protocol: number): readonly Expression[] => [
  meta(Meta.l4proto, 0),
  equals(0, Uint8Array.of(protocol)),
];
/** RFC 791 section 3.1, RFC 8200 section 3. */
export const source = (f: Family, to: number): Expression => (f === 4 ? network(12, 4, to) : network(8, 16, to));
export const destination = (f: Family, to: number): Expression => (f === 4 ? network(16, 4, to) : network(24, 16, to));

export const linkIs = (key: number, name: string): readonly Expression[] => [meta(key, 0), equals(0, linkField(name))];
export const linkIn = (key: number, set: string): readonly Expression[] => [meta(key, 0), inSet(0, set)];
/** A packet that leaves by the link by which it came. `key` says how that one is known. */
export const sameLink = (key: number, set: string): readonly Expression[] => [
  meta(key, 0),
  meta(Meta.oifname, 4),
  inSet(0, set),
];

const flag = (key: number, bits: number): readonly Expression[] => [
  ct(key, 0),
  mask(0, numberField(bits)),
  differs(0, numberField(0)),
];
export const flowState = (bits: number): readonly Expression[] => flag(Ct.state, bits);
/** Its destination was translated, by us or by others. */
export const published: readonly Expression[] = flag(Ct.status, CT_STATUS_DNAT);

/** The address that the flow's first packet had, as a destination. */
export const originalDestination = (f: Family, to: number): Expression =>
  ctOriginal(f === 4 ? Ct.dstIp : Ct.dstIp6, to);

/** A packet goes to where the outside is: another link, and none that is kept apart. `came`: sameLink's opposite. */
export const notGuarded: readonly Expression[] = [meta(Meta.oifname, 0), notInSet(0, 'guarded')];
