/** News of switches of interfaces (linux/netconf.h): struct netconfmsg, of which forwarding of all of them is read here. */
import type { Message } from './answers.ts';
import { Attributes } from './attributes.ts';
import { AF_INET, AF_INET6, MessageType } from './message.ts';

/** A family's number, filled up to four bytes. */
const NETCONFMSG_LEN = 4;
const NETCONFA_IFINDEX = 1;
const NETCONFA_FORWARDING = 2;
/** NETCONFA_IFINDEX_ALL is -1. */
const ALL = 0xffff_ffff;

const attributes = new Attributes(NETCONFA_FORWARDING);

/** The switch for forwarding that somebody has turned, on or off, for the whole host; null: this is no news of one. */
export function parseForwardingNews({ view, type, body, end }: Message): string | null {
  if (type !== MessageType.newNetconf || end - body < NETCONFMSG_LEN) return null;
  attributes.read(view, body + NETCONFMSG_LEN, end);
  if (attributes.u32(NETCONFA_IFINDEX) !== ALL || !attributes.has(NETCONFA_FORWARDING)) return null;
  switch (view.getUint8(body)) {
    case AF_INET:
      return 'net.ipv4.ip_forward';
    case AF_INET6:
      return 'net.ipv6.conf.all.forwarding';
    default:
      return null;
  }
}
