/**
 * Expressions of rules: each reads registers and writes others, or ends the rule. There are sixteen registers of four bytes; wider values
 * lie in some of them one after the other. Names are those that `nft --debug=netlink` prints.
 */
import type { MessageWriter } from '../message.ts';
import { type Verdict, writeData } from './numbers.ts';

export interface Expression {
  readonly name: string;
  readonly write: (writer: MessageWriter) => void;
}

/** By number of four-byte register, 0 to 15. The kernel has another number for every fourth, and tells that one. */
const register = (number: number): number => (number % 4 === 0 ? 1 + number / 4 : 8 + number);

/** enum nft_meta_keys */
export const Meta = {
  iifname: 6,
  oifname: 7,
  nfproto: 15,
  l4proto: 16,
  iifkind: 26,
  /** The port of a VRF (its number, its name) by which a packet came; its `iifname` is the VRF's once the stack has seen that. */
  sdif: 33,
  sdifname: 34,
} as const;

export function meta(key: number, to: number): Expression {
  return make('meta', (w) => w.attributeBe32(1, register(to)).attributeBe32(2, key));
}

const PAYLOAD_NETWORK = 1;
const PAYLOAD_TRANSPORT = 2;

/** Bytes of the network header. */
export function network(offset: number, length: number, to: number): Expression {
  return payload(PAYLOAD_NETWORK, offset, length, to);
}

/** Bytes of the transport header; a later piece of a packet has none, and does not match. */
export function transport(offset: number, length: number, to: number): Expression {
  return payload(PAYLOAD_TRANSPORT, offset, length, to);
}

function payload(base: number, offset: number, length: number, to: number): Expression {
  return make('payload', (w) =>
    w.attributeBe32(1, register(to)).attributeBe32(2, base).attributeBe32(3, offset).attributeBe32(4, length),
  );
}

/** enum nft_ct_keys */
export const Ct = { state: 0, status: 2, protoDst: 12, labels: 13, zone: 17, dstIp: 20, dstIp6: 22 } as const;
/** Bits of `Ct.state`: invalid 1, established 2, related 4. */
export const CtState = { invalid: 1, established: 2, related: 4 } as const;
/** linux/netfilter/nf_conntrack_common.h: IPS_DST_NAT. */
export const CT_STATUS_DNAT = 0x20;

export function ct(key: number, to: number): Expression {
  return make('ct', (w) => w.attributeBe32(1, register(to)).attributeBe32(2, key));
}

/** Of the first packet of the flow, as it came. */
export function ctOriginal(key: number, to: number): Expression {
  return make('ct', (w) => w.attributeBe32(1, register(to)).attributeBe32(2, key).attributeU8(3, 0));
}

/** Which of several worlds of flows it belongs to, that may have the same addresses; sixteen bits, before conntrack sees it. */
export function setCtZone(from: number): Expression {
  return make('ct', (w) => w.attributeBe32(2, Ct.zone).attributeBe32(4, register(from)));
}

/** Gives the flow the labels whose bits are set in sixteen bytes. */
export function setCtLabels(from: number): Expression {
  return make('ct', (w) => w.attributeBe32(2, Ct.labels).attributeBe32(4, register(from)));
}

const FIB_RESULT_OIF = 1;
const FIB_RESULT_TYPE = 3;
/** NFTA_FIB_F_* */
export const Fib = { saddr: 1, daddr: 2, iif: 8 } as const;
const FIB_PRESENT = 32;
/** linux/rtnetlink.h: RTN_LOCAL. */
export const RTN_LOCAL = 2;

/** Which type of address the routing table says that it is. */
export function fibType(flags: number, to: number): Expression {
  return make('fib', (w) => w.attributeBe32(1, register(to)).attributeBe32(2, FIB_RESULT_TYPE).attributeBe32(3, flags));
}

/** 1 when there is a route, with `Fib.iif`: out of the link by which the packet came; one byte. */
export function fibPresent(flags: number, to: number): Expression {
  return make('fib', (w) =>
    w
      .attributeBe32(1, register(to))
      .attributeBe32(2, FIB_RESULT_OIF)
      .attributeBe32(3, flags | FIB_PRESENT),
  );
}

const CMP_EQ = 0;
const CMP_NEQ = 1;

export function equals(from: number, value: Uint8Array): Expression {
  return compare(CMP_EQ, from, value);
}

export function differs(from: number, value: Uint8Array): Expression {
  return compare(CMP_NEQ, from, value);
}

function compare(op: number, from: number, value: Uint8Array): Expression {
  return make('cmp', (w) => {
    w.attributeBe32(1, register(from)).attributeBe32(2, op);
    writeData(w, 3, value);
  });
}

/** `value & mask` in place. */
export function mask(at: number, bits: Uint8Array): Expression {
  return make('bitwise', (w) => {
    w.attributeBe32(1, register(at)).attributeBe32(2, register(at)).attributeBe32(3, bits.length);
    writeData(w, 4, bits);
    writeData(w, 5, new Uint8Array(bits.length));
  });
}

const LOOKUP_INVERTED = 1;

/** Whether the set has what lies in registers. */
export function inSet(from: number, set: string): Expression {
  return make('lookup', (w) => w.attributeName(1, set).attributeBe32(2, register(from)));
}

export function notInSet(from: number, set: string): Expression {
  return make('lookup', (w) =>
    w.attributeName(1, set).attributeBe32(2, register(from)).attributeBe32(5, LOOKUP_INVERTED),
  );
}

/** The value of a map goes to registers. */
export function mapTo(from: number, map: string, to: number): Expression {
  return make('lookup', (w) => w.attributeName(1, map).attributeBe32(2, register(from)).attributeBe32(3, register(to)));
}

/** The verdict that a map has for it. */
export function verdictBy(from: number, map: string): Expression {
  return make('lookup', (w) => w.attributeName(1, map).attributeBe32(2, register(from)).attributeBe32(3, 0));
}

/** Register 0 of the kernel's numbering is the verdict. */
export function verdict(code: number, chain: string | null = null): Expression {
  const data: Verdict = { code, chain };
  return make('immediate', (w) => {
    w.attributeBe32(1, 0);
    writeData(w, 2, data);
  });
}

export function immediate(value: Uint8Array, to: number): Expression {
  return make('immediate', (w) => {
    w.attributeBe32(1, register(to));
    writeData(w, 2, value);
  });
}

/** linux/netfilter/nf_nat.h: NF_NAT_RANGE_* */
const MAP_IPS = 1;
const PROTO_SPECIFIED = 2;
const PERSISTENT = 8;

export interface Nat {
  readonly type: 'snat' | 'dnat';
  /** NFPROTO_IPV4 or NFPROTO_IPV6. */
  readonly family: number;
  /** Registers of the address, and of the first and the last port. */
  readonly address: number;
  readonly ports?: readonly [number, number];
}

export function nat({ type, family, address, ports }: Nat): Expression {
  return make('nat', (w) => {
    w.attributeBe32(1, type === 'snat' ? 0 : 1)
      .attributeBe32(2, family)
      .attributeBe32(3, register(address));
    if (ports !== undefined) w.attributeBe32(5, register(ports[0])).attributeBe32(6, register(ports[1]));
    w.attributeBe32(7, MAP_IPS | (ports === undefined ? 0 : PROTO_SPECIFIED) | (type === 'snat' ? PERSISTENT : 0));
  });
}

/** The source becomes the address of the link that the packet leaves by. */
export function masquerade(): Expression {
  return make('masq', (w) => w);
}

/** Counts from 0. */
export function counter(): Expression {
  return make('counter', (w) => w);
}

const RT_TCPMSS = 3;
const HTON = 1;
const TCPOPT = 1;
const TCPOPT_MSS = 2;

/** Cuts the MSS of a SYN to what the way to both ends holds. */
export function clampMss(): readonly Expression[] {
  return [
    make('rt', (w) => w.attributeBe32(1, register(0)).attributeBe32(2, RT_TCPMSS)),
    make('byteorder', (w) =>
      w
        .attributeBe32(1, register(0))
        .attributeBe32(2, register(0))
        .attributeBe32(3, HTON)
        .attributeBe32(4, 2)
        .attributeBe32(5, 2),
    ),
    make('exthdr', (w) =>
      w
        .attributeBe32(7, register(0))
        .attributeU8(2, TCPOPT_MSS)
        .attributeBe32(3, 2)
        .attributeBe32(4, 2)
        .attributeBe32(6, TCPOPT),
    ),
  ];
}

const JHASH = 0;

/** A number below `modulus` that depends on bytes alone, in the machine's order. */
export function hash(from: number, length: number, modulus: number, to: number): Expression {
  return make('hash', (w) =>
    w
      .attributeBe32(1, register(from))
      .attributeBe32(2, register(to))
      .attributeBe32(3, length)
      .attributeBe32(4, modulus)
      .attributeBe32(5, 0)
      .attributeBe32(7, JHASH),
  );
}

function make(name: string, write: (writer: MessageWriter) => unknown): Expression {
  return { name, write: (writer) => void write(writer) };
}
