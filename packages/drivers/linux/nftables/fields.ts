/** Keys and values of sets as bytes: fields one after the other, each padded to four bytes when there are several. */
import { aligned } from '../netlink/message.ts';

/** IP protocols by the names that rules use. */
export const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;
export type Transport = keyof typeof protocolNumbers;

export const LINK_BYTES = 16;

/** Name of a link as the kernel compares it: all sixteen bytes. */
export function linkField(name: string): Uint8Array {
  const bytes = new Uint8Array(LINK_BYTES);
  bytes.set(new TextEncoder().encode(name).subarray(0, LINK_BYTES - 1));
  return bytes;
}

export function readLink(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

export function portField(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}

/** A number in the machine's order. */
export function numberField(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function join(...fields: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, field) => sum + aligned(field.length), 0));
  let at = 0;
  for (const field of fields) {
    bytes.set(field, at);
    at += aligned(field.length);
  }
  return bytes;
}

/** The fields of those lengths; missing bytes are zero. */
export function split(bytes: Uint8Array, ...lengths: readonly number[]): Uint8Array[] {
  let at = 0;
  return lengths.map((length) => {
    const field = new Uint8Array(length);
    field.set(bytes.subarray(at, at + length));
    at += aligned(length);
    return field;
  });
}

export const portOf = (field: Uint8Array): number => (field[0]! << 8) | field[1]!;
