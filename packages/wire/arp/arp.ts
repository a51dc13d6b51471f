/**
 * ARP for IPv4 over Ethernet, RFC 826:
 *
 *   | Hardware type 1 | Protocol 0x0800 | 6 | 4 |   Operation   |
 *   |  Sender MAC, 6  |  Sender IP, 4   |  Target MAC, 6  |  Target IP, 4  |
 */
import type { IpBytes } from '@vrouter/core/ip.ts';
import type { MacBytes } from '@vrouter/core/mac.ts';
import { EtherType, MAC_LEN, putMac } from '../ethernet/ethernet.ts';

export const ARP_LEN = 28;
export const ARP_SENDER_MAC_AT = 8;
export const ARP_SENDER_IP_AT = 14;
export const ARP_TARGET_MAC_AT = 18;
export const ARP_TARGET_IP_AT = 24;

export const ArpOperation = { request: 1, reply: 2 } as const;

/** Why a message is refused. 0 is fine. */
export const ArpFault = { none: 0, short: 1, format: 2, operation: 3, senderMac: 4 } as const;
export type ArpFault = (typeof ArpFault)[keyof typeof ArpFault];

const HARDWARE_ETHERNET = 1;

export const arpOperation = (v: DataView, at: number): number => v.getUint16(at + 6);

/** The guard: after it no accessor can fail, and the sender is a station. Padding behind the message is none of it. */
export function checkArp(v: DataView, at: number, end: number): ArpFault {
  if (end - at < ARP_LEN) return ArpFault.short;
  const format = v.getUint16(at) === HARDWARE_ETHERNET && v.getUint16(at + 2) === EtherType.ipv4;
  if (!format || v.getUint8(at + 4) !== MAC_LEN || v.getUint8(at + 5) !== 4) return ArpFault.format;
  const operation = arpOperation(v, at);
  if (operation !== ArpOperation.request && operation !== ArpOperation.reply) return ArpFault.operation;
  return (v.getUint8(at + ARP_SENDER_MAC_AT) & 1) !== 0 ? ArpFault.senderMac : ArpFault.none;
}

export interface ArpMessage {
  readonly operation: number;
  readonly senderMac: MacBytes;
  readonly senderIp: IpBytes;
  readonly targetMac: MacBytes;
  readonly targetIp: IpBytes;
}

/** Null when `checkArp` refuses; it tells why. */
export function parseArp(bytes: Uint8Array, v: DataView, at: number, end: number): ArpMessage | null {
  if (checkArp(v, at, end) !== ArpFault.none) return null;
  return {
    operation: arpOperation(v, at),
    senderMac: bytes.slice(at + ARP_SENDER_MAC_AT, at + ARP_SENDER_IP_AT),
    senderIp: bytes.slice(at + ARP_SENDER_IP_AT, at + ARP_TARGET_MAC_AT),
    targetMac: bytes.slice(at + ARP_TARGET_MAC_AT, at + ARP_TARGET_IP_AT),
    targetIp: bytes.slice(at + ARP_TARGET_IP_AT, at + ARP_LEN),
  };
}

/** Writes the 28 bytes. */
export function emitArp(message: ArpMessage, bytes: Uint8Array, v: DataView, at: number): void {
  v.setUint16(at, HARDWARE_ETHERNET);
  v.setUint16(at + 2, EtherType.ipv4);
  v.setUint16(at + 4, (MAC_LEN << 8) | 4);
  v.setUint16(at + 6, message.operation);
  putMac(bytes, at + ARP_SENDER_MAC_AT, message.senderMac);
  bytes.set(message.senderIp, at + ARP_SENDER_IP_AT);
  putMac(bytes, at + ARP_TARGET_MAC_AT, message.targetMac);
  bytes.set(message.targetIp, at + ARP_TARGET_IP_AT);
}
