/** RTM_NEWROUTE and RTM_DELROUTE, struct rtmsg (rtnetlink(7)), for routes out of a link in the main table. */
import type { Prefix } from '@vrouter/core/prefix.ts';
import { familyOf, MessageFlag, MessageType, MessageWriter } from './message.ts';

const RTMSG_LEN = 12;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_UNIVERSE = 0;
const RTA_DST = 1;
const RTA_OIF = 4;
/**
 * Routes with this protocol are ours (intent/docs/objects.md). A number that neither linux/rtnetlink.h (RTPROT_*, of which 186 to 192 are
 * routing protocols' own: BGP, IS-IS, OSPF, RIP, EIGRP) nor iproute2's rt_protos gives to anybody: a daemon that cleans up after itself
 * by protocol must not find ours, nor we its. 118 is the letter v.
 */
export const ROUTE_PROTOCOL = 118;

/** Never takes a prefix from a route that is there: the kernel answers EEXIST. */
export function addRoute(index: number, prefix: Prefix): Uint8Array {
  return message(MessageType.newRoute, MessageFlag.create | MessageFlag.exclusive, index, prefix);
}

/** Takes away our own route alone: the kernel compares link and protocol too. */
export function removeRoute(index: number, prefix: Prefix): Uint8Array {
  return message(MessageType.deleteRoute, 0, index, prefix);
}

function message(type: number, flags: number, index: number, { address, bits }: Prefix): Uint8Array {
  const scope = address.length === 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  const body = Uint8Array.of(familyOf(address), bits, 0, 0, RT_TABLE_MAIN, ROUTE_PROTOCOL, scope, RTN_UNICAST);
  const whole = new Uint8Array(RTMSG_LEN);
  whole.set(body);
  const writer = new MessageWriter(type, flags, whole);
  if (bits > 0) writer.attribute(RTA_DST, address);
  return writer.attributeU32(RTA_OIF, index).done();
}
