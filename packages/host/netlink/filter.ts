/** Socket filters (socket(7), SO_ATTACH_FILTER) that spare a netlink socket news which nobody there wants, before they take room or wake anyone. */
import type { AddressBook } from '../internal/address.ts';

export const SO_ATTACH_FILTER = 26;
export const SO_DETACH_FILTER = 27;
/** linux/bpf_common.h, linux/filter.h: load, skip where it is so, return. */
const BPF_LD_W_ABS = 0x20;
const BPF_LD_H_ABS = 0x28;
const BPF_JEQ_K = 0x15;
const BPF_JSET_K = 0x45;
const BPF_RET_K = 0x06;
const ALL = 0xffffffff;
/** struct nlmsghdr, and what follows it in struct ifaddrmsg. */
const TYPE_AT = 4;
const FLAGS_AT = 6;
const PORT_AT = 12;
const LINK_AT = 16 + 4;
const NLM_F_MULTI = 2;
const NLMSG_ERROR = 2;
/** linux/rtnetlink.h */
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;

type Instruction = readonly [operation: number, ifTrue: number, ifFalse: number, operand: number];

/** Drops news of what was asked for by one port. */
export function exceptFrom(port: number): readonly Instruction[] {
  return [
    [BPF_LD_W_ABS, 0, 0, PORT_AT],
    [BPF_JEQ_K, 0, 1, swapped32(port)],
    [BPF_RET_K, 0, 0, 0],
    [BPF_RET_K, 0, 0, ALL],
  ];
}

/** Drops news of anything but the addresses of one link. Answers pass: those of a dump are of several parts, others are errors. */
export function addressesOf(link: number): readonly Instruction[] {
  return [
    [BPF_LD_H_ABS, 0, 0, FLAGS_AT],
    [BPF_JSET_K, 7, 0, swapped16(NLM_F_MULTI)],
    [BPF_LD_H_ABS, 0, 0, TYPE_AT],
    [BPF_JEQ_K, 5, 0, swapped16(NLMSG_ERROR)],
    [BPF_JEQ_K, 1, 0, swapped16(RTM_NEWADDR)],
    [BPF_JEQ_K, 0, 2, swapped16(RTM_DELADDR)],
    [BPF_LD_W_ABS, 0, 0, LINK_AT],
    [BPF_JEQ_K, 1, 0, swapped32(link)],
    [BPF_RET_K, 0, 0, 0],
    [BPF_RET_K, 0, 0, ALL],
  ];
}

export interface FilterProgram {
  /** struct sock_fprog */
  readonly header: ArrayBuffer;
  /** struct sock_filter each; held as long as the header is used. */
  readonly code: ArrayBuffer;
}

export function filterProgram(instructions: readonly Instruction[], addresses: AddressBook): FilterProgram {
  const code = new ArrayBuffer(instructions.length * 8);
  const view = new DataView(code);
  for (const [i, [operation, ifTrue, ifFalse, operand]] of instructions.entries()) {
    view.setUint16(i * 8, operation, true);
    view.setUint8(i * 8 + 2, ifTrue);
    view.setUint8(i * 8 + 3, ifFalse);
    view.setUint32(i * 8 + 4, operand, true);
  }
  const header = new ArrayBuffer(16);
  new DataView(header).setUint16(0, instructions.length, true);
  new DataView(header).setBigUint64(8, BigInt(addresses.of(code)), true);
  return { header, code };
}

/** The machine of filters loads in network order, and netlink's numbers are in ours. */
function swapped32(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, true);
  return view.getUint32(0, false);
}

function swapped16(value: number): number {
  return ((value & 0xff) << 8) | (value >> 8);
}
