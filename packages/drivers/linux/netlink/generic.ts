/** Generic netlink: families that have a name, and a number of their own on each machine (linux/genetlink.h). */
import type { Message } from './answers.ts';
import { Attributes } from './attributes.ts';
import { MessageWriter } from './message.ts';

export const GENL_HEADER_LEN = 4;
const GENL_ID_CTRL = 16;
const CTRL_VERSION = 1;
const CTRL_CMD_NEWFAMILY = 1;
const CTRL_CMD_GETFAMILY = 3;
const CTRL_ATTR_FAMILY_ID = 1;
const CTRL_ATTR_FAMILY_NAME = 2;

/** A request to a family: struct genlmsghdr, then attributes. */
export function genericMessage(family: number, command: number, version: number): MessageWriter {
  return new MessageWriter(family, 0, Uint8Array.of(command, version, 0, 0));
}

/** The number of a family; the kernel answers ENOENT when it has none of that name, after it has tried to load its module. */
export function askFamily(name: string): Uint8Array {
  return genericMessage(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_VERSION)
    .attributeName(CTRL_ATTR_FAMILY_NAME, name)
    .done();
}

const attributes = new Attributes(CTRL_ATTR_FAMILY_NAME);

export function parseFamily({ view, type, body, end }: Message): number | null {
  if (type !== GENL_ID_CTRL || end - body < GENL_HEADER_LEN || view.getUint8(body) !== CTRL_CMD_NEWFAMILY) return null;
  return attributes.read(view, body + GENL_HEADER_LEN, end).u16(CTRL_ATTR_FAMILY_ID);
}
