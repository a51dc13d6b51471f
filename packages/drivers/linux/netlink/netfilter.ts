/** What the families of netfilter have in common: struct nfgenmsg (linux/netfilter/nfnetlink.h). All numbers are in network order. */
import { MessageWriter } from './message.ts';

export const NFGENMSG_LEN = 4;
/** linux/netfilter/nfnetlink.h, NFNL_SUBSYS_* */
export const NFNL_SUBSYS_CTNETLINK = 1;
export const NFNL_SUBSYS_NFTABLES = 10;
/** linux/netfilter.h: NFPROTO_*, of which those of IP are the address families. */
export const NFPROTO_UNSPEC = 0;
export const NFPROTO_INET = 1;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_IPV6 = 10;

/** Message types are a subsystem's. */
export function netfilterType(subsystem: number, message: number): number {
  return (subsystem << 8) | message;
}

/** `resource` is a subsystem where a batch begins or ends, else 0. */
export function netfilterMessage(type: number, flags: number, family: number, resource = 0): MessageWriter {
  return new MessageWriter(type, flags, Uint8Array.of(family, 0, resource >> 8, resource & 0xff));
}
