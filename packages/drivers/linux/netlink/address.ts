/** RTM_NEWADDR and RTM_DELADDR, struct ifaddrmsg (rtnetlink(7)). */
import type { Prefix } from '@vrouter/core/prefix.ts';
import { familyOf, MessageFlag, MessageType, MessageWriter } from './message.ts';

const IFADDRMSG_LEN = 8;
/** if_addr.h */
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** A link without neighbours has nobody to ask whether the address is taken (RFC 4862 section 5.4). */
const IFA_F_NODAD = 0x02;

export function addAddress(index: number, address: Prefix): Uint8Array {
  return message(MessageType.newAddress, MessageFlag.create | MessageFlag.exclusive, index, address);
}

export function removeAddress(index: number, address: Prefix): Uint8Array {
  return message(MessageType.deleteAddress, 0, index, address);
}

function message(type: number, flags: number, index: number, { address, bits }: Prefix): Uint8Array {
  const body = new Uint8Array(IFADDRMSG_LEN);
  body[0] = familyOf(address);
  body[1] = bits;
  body[2] = address.length === 16 ? IFA_F_NODAD : 0;
  new DataView(body.buffer).setUint32(4, index, true);
  return new MessageWriter(type, flags, body).attribute(IFA_LOCAL, address).attribute(IFA_ADDRESS, address).done();
}
