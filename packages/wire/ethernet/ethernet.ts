/**
 * Ethernet II framing, RFC 894 and RFC 2464, with an 802.1Q tag (IEEE 802.1Q section 9.3):
 *
 *   |  Destination, 6 bytes  |  Source, 6 bytes  |     Type      | Payload ...
 *   |  Destination, 6 bytes  |  Source, 6 bytes  | 0x8100 | PCP DEI VID | Type | Payload ...
 */
import type { MacBytes } from '@vrouter/core/mac.ts';

export const ETHERNET_LEN = 14;
/** Bytes of a tag, which stands before the type. */
export const VLAN_LEN = 4;
export const MAC_LEN = 6;
export const ETHERNET_SRC_AT = 6;
export const ETHERNET_TYPE_AT = 12;
/** Payload of the shortest frame without its check sequence; shorter ones are padded. */
export const ETHERNET_MIN_PAYLOAD = 46;

/** Types, IANA "ieee-802-numbers". Below 0x0600 it is the length of an 802.3 frame instead. */
export const EtherType = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd, serviceVlan: 0x88a8 } as const;

export const BROADCAST: MacBytes = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff);

export const ethernetType = (v: DataView, at: number): number => v.getUint16(at + ETHERNET_TYPE_AT);
/** Of a frame of type `vlan`: the VLAN, 0 for a frame that has a priority alone. */
export const vlanId = (v: DataView, at: number): number => v.getUint16(at + ETHERNET_LEN) & 0xfff;
/** Of a frame of type `vlan`: the type of what the tag stands before. */
export const vlanType = (v: DataView, at: number): number => v.getUint16(at + ETHERNET_LEN + 2);
/** Whether the address at `at` is a group's; broadcast is one. */
export const isGroupMac = (bytes: Uint8Array, at: number): boolean => (bytes[at]! & 1) !== 0;

/** Whether the address at `at` is this one. */
export function isMac(bytes: Uint8Array, at: number, mac: MacBytes): boolean {
  return (
    bytes[at + 5] === mac[5] &&
    bytes[at + 4] === mac[4] &&
    bytes[at + 3] === mac[3] &&
    bytes[at + 2] === mac[2] &&
    bytes[at + 1] === mac[1] &&
    bytes[at] === mac[0]
  );
}

/** Copies the address at `at` in `mac` to the frame. */
export function putMac(bytes: Uint8Array, to: number, mac: Uint8Array, at: number = 0): void {
  for (let i = 0; i < MAC_LEN; i++) bytes[to + i] = mac[at + i]!;
}

export interface EthernetHeader {
  readonly dst: MacBytes;
  readonly src: MacBytes;
  /** Null without a tag. */
  readonly vlan: number | null;
  readonly type: number;
  /** Bytes of the header, tag included. */
  readonly length: number;
}

/** Null when it is too short for its header. Priorities of a tag are not kept. */
export function parseEthernet(bytes: Uint8Array, v: DataView, at: number, end: number): EthernetHeader | null {
  if (end - at < ETHERNET_LEN) return null;
  const tagged = ethernetType(v, at) === EtherType.vlan;
  if (tagged && end - at < ETHERNET_LEN + VLAN_LEN) return null;
  return {
    dst: bytes.slice(at, at + MAC_LEN),
    src: bytes.slice(at + ETHERNET_SRC_AT, at + ETHERNET_SRC_AT + MAC_LEN),
    vlan: tagged ? vlanId(v, at) : null,
    type: tagged ? vlanType(v, at) : ethernetType(v, at),
    length: tagged ? ETHERNET_LEN + VLAN_LEN : ETHERNET_LEN,
  };
}

/** Writes a header, 14 bytes or 18 with a tag; returns how many. */
export function emitEthernet(
  bytes: Uint8Array,
  v: DataView,
  at: number,
  dst: MacBytes,
  src: MacBytes,
  type: number,
  vlan: number | null = null,
): number {
  putMac(bytes, at, dst);
  putMac(bytes, at + ETHERNET_SRC_AT, src);
  if (vlan === null) {
    v.setUint16(at + ETHERNET_TYPE_AT, type);
    return ETHERNET_LEN;
  }
  v.setUint16(at + ETHERNET_TYPE_AT, EtherType.vlan);
  v.setUint16(at + ETHERNET_LEN, vlan);
  v.setUint16(at + ETHERNET_LEN + 2, type);
  return ETHERNET_LEN + VLAN_LEN;
}
