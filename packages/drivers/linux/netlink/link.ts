/** RTM_NEWLINK, struct ifinfomsg (rtnetlink(7)), as far as it changes a link that is there. */
import { MessageType, MessageWriter } from './message.ts';

const IFINFOMSG_LEN = 16;
const IFF_UP = 1;
/** if_link.h */
const IFLA_MTU = 4;

/** A link of this number gets an MTU and goes up or down. */
export function setLink(index: number, mtu: number, up: boolean): Uint8Array {
  const body = new Uint8Array(IFINFOMSG_LEN);
  const view = new DataView(body.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, up ? IFF_UP : 0, true);
  // Which flags are meant.
  view.setUint32(12, IFF_UP, true);
  return new MessageWriter(MessageType.newLink, 0, body).attributeU32(IFLA_MTU, mtu).done();
}
