/**
 * Cuts a super-packet into the packets that it stands for, each with lengths, sequence number and checksums of its own, as a card with
 * segmentation offload does; and finishes the checksum of a packet that needs no cutting. A super-packet is one frame behind a virtio-net
 * header that says how long the payloads are. Rules: RFC 9293 (sequence, FIN, PSH), RFC 3168 section 6.1.2 (CWR once), RFC 6864 (identifications).
 */
import { finishChecksum, sumWords } from '../checksum/checksum.ts';
import { IPV4_DST_AT, IPV4_MIN_LEN, IPV4_SRC_AT, ipVersion, ipv4HeaderLen, ipv4IsFragment } from '../ipv4/ipv4.ts';
import { IpProtocol } from '../ipv4/protocols.ts';
import { IPV6_DST_AT, IPV6_LEN, IPV6_SRC_AT } from '../ipv6/ipv6.ts';
import { TCP_CHECKSUM_AT, TCP_MIN_LEN, TcpFlag, tcpHeaderLen } from '../tcp/tcp.ts';
import { UDP_CHECKSUM_AT, UDP_LEN } from '../udp/udp.ts';
import {
  VNET_LEN,
  VnetFlag,
  VnetGso,
  vnetChecksumOffset,
  vnetChecksumStart,
  vnetFlags,
  vnetGso,
  vnetGsoSize,
} from './header.ts';

/** Memory with its one view, as regions are. */
export interface FrameMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Why a frame is refused. 0 is fine. */
export const VnetFault = {
  none: 0,
  short: 1,
  checksumPlace: 2,
  gsoType: 3,
  network: 4,
  transport: 5,
  gsoSize: 6,
} as const;
export type VnetFault = (typeof VnetFault)[keyof typeof VnetFault];

const ONCE_LAST = TcpFlag.fin | TcpFlag.psh;

/**
 * Adds up what the sender left to be added: for a frame that is not to be cut and has `VnetFlag.needsChecksum`, from the first byte of its
 * virtio-net header to `end`. Says why not when the place of the checksum lies outside of the frame. Does nothing without the flag.
 */
export function finishVnetChecksum(v: DataView, at: number, end: number): VnetFault {
  if ((vnetFlags(v, at) & VnetFlag.needsChecksum) === 0) return VnetFault.none;
  const start = at + VNET_LEN + vnetChecksumStart(v, at);
  const place = start + vnetChecksumOffset(v, at);
  if (place + 2 > end) return VnetFault.checksumPlace;
  // The pseudo-header's sum lies in the field already. 0 would mean "none" in UDP, and 0xffff is the same number everywhere.
  v.setUint16(place, finishChecksum(sumWords(v, start, end - start, 0)) || 0xffff);
  return VnetFault.none;
}

/** One super-packet at a time: `begin`, then `next` until it is empty. Made once and used again. */
export class Segmenter {
  /** Segments that `next` has still to give. */
  left: number;
  /** Bytes of the longest of them. */
  longest: number;
  #from: FrameMemory;
  #frame: number;
  #end: number;
  readonly #linkBytes: number;
  /** Bytes before the IP header's end, and before the payload. */
  #transportAt: number;
  #headers: number;
  #payloadAt: number;
  #size: number;
  #six: boolean;
  #udp: boolean;
  /** Sum of addresses and protocol. */
  #pseudo: number;
  #index: number;

  /** `linkBytes`: what lies in front of the IP header in every frame; 14 for Ethernet. */
  constructor(linkBytes: number = 0) {
    this.left = 0;
    this.longest = 0;
    const nothing = new Uint8Array(0);
    this.#from = { bytes: nothing, view: new DataView(nothing.buffer) };
    this.#frame = 0;
    this.#end = 0;
    this.#linkBytes = linkBytes;
    this.#transportAt = 0;
    this.#headers = 0;
    this.#payloadAt = 0;
    this.#size = 0;
    this.#six = false;
    this.#udp = false;
    this.#pseudo = 0;
    this.#index = 0;
  }

  /** Takes the frame whose virtio-net header stands at `at`, with a `VnetGso` other than none, ending at `end`. A fault leaves nothing to give. */
  begin(from: FrameMemory, at: number, end: number): VnetFault {
    this.left = 0;
    const v = from.view;
    if (end - at < VNET_LEN) return VnetFault.short;
    const type = vnetGso(v, at);
    const frame = at + VNET_LEN;
    const ip = frame + this.#linkBytes;
    if (end - ip < IPV4_MIN_LEN) return VnetFault.short;
    const six = ipVersion(v, ip) === 6;
    if (type !== VnetGso.udpDatagrams && type !== (six ? VnetGso.tcp6 : VnetGso.tcp4)) return VnetFault.gsoType;
    const networkLen = six ? IPV6_LEN : ipv4HeaderLen(v, ip);
    if (networkLen < IPV4_MIN_LEN || end - ip < networkLen) return VnetFault.network;
    if (!six && (ipVersion(v, ip) !== 4 || ipv4IsFragment(v, ip))) return VnetFault.network;
    const udp = type === VnetGso.udpDatagrams;
    const protocol = udp ? IpProtocol.udp : IpProtocol.tcp;
    let transport = ip + networkLen;
    if ((vnetFlags(v, at) & VnetFlag.needsChecksum) !== 0) {
      // Behind extension headers of IPv6 only this says where it is.
      const start = frame + vnetChecksumStart(v, at);
      if (six ? start < transport : start !== transport) return VnetFault.checksumPlace;
      if (vnetChecksumOffset(v, at) !== (udp ? UDP_CHECKSUM_AT : TCP_CHECKSUM_AT)) return VnetFault.checksumPlace;
      transport = start;
    }
    if (transport === ip + networkLen && v.getUint8(six ? ip + 6 : ip + 9) !== protocol) return VnetFault.network;
    if (end - transport < (udp ? UDP_LEN : TCP_MIN_LEN)) return VnetFault.transport;
    const transportLen = udp ? UDP_LEN : tcpHeaderLen(v, transport);
    if (transportLen < UDP_LEN || (!udp && transportLen < TCP_MIN_LEN) || end - transport < transportLen)
      return VnetFault.transport;
    const size = vnetGsoSize(v, at);
    if (size === 0) return VnetFault.gsoSize;
    this.#from = from;
    this.#frame = frame;
    this.#end = end;
    this.#transportAt = transport - frame;
    this.#payloadAt = transport + transportLen;
    this.#headers = this.#payloadAt - frame;
    this.#size = size;
    this.#six = six;
    this.#udp = udp;
    const addresses = six ? ip + IPV6_SRC_AT : ip + IPV4_SRC_AT;
    const addressBytes = six ? IPV6_DST_AT - IPV6_SRC_AT : IPV4_DST_AT - IPV4_SRC_AT;
    this.#pseudo = sumWords(v, addresses, 2 * addressBytes, protocol);
    this.#index = 0;
    const payload = end - this.#payloadAt;
    this.left = payload === 0 ? 1 : Math.ceil(payload / size);
    this.longest = this.#headers + Math.min(payload, size);
    return VnetFault.none;
  }

  /** Writes the next segment, a whole frame, at `to`, where `longest` bytes must have room; returns its bytes. Only while some are left. */
  next(into: FrameMemory, to: number): number {
    const { bytes } = this.#from;
    const headers = this.#headers;
    const done = this.#index * this.#size;
    const payloadFrom = this.#payloadAt + done;
    const payload = Math.min(this.#size, this.#end - payloadFrom);
    const length = headers + payload;
    into.bytes.set(bytes.subarray(this.#frame, this.#payloadAt), to);
    into.bytes.set(bytes.subarray(payloadFrom, payloadFrom + payload), to + headers);
    const v = into.view;
    const transport = to + this.#transportAt;
    const transportBytes = length - this.#transportAt;
    this.#network(v, to + this.#linkBytes, length - this.#linkBytes);
    const sum = this.#pseudo + transportBytes;
    this.left--;
    if (this.#udp) {
      v.setUint16(transport + 4, transportBytes);
      v.setUint16(transport + UDP_CHECKSUM_AT, 0);
      v.setUint16(transport + UDP_CHECKSUM_AT, finishChecksum(sumWords(v, transport, transportBytes, sum)) || 0xffff);
    } else {
      v.setUint32(transport + 4, v.getUint32(transport + 4) + done);
      let flags = v.getUint8(transport + 13);
      if (this.#index > 0) flags &= ~TcpFlag.cwr;
      if (this.left > 0) flags &= ~ONCE_LAST;
      v.setUint8(transport + 13, flags);
      v.setUint16(transport + TCP_CHECKSUM_AT, 0);
      v.setUint16(transport + TCP_CHECKSUM_AT, finishChecksum(sumWords(v, transport, transportBytes, sum)));
    }
    this.#index++;
    return length;
  }

  #network(v: DataView, ip: number, bytes: number): void {
    if (this.#six) {
      v.setUint16(ip + 4, bytes - IPV6_LEN);
      return;
    }
    v.setUint16(ip + 2, bytes);
    v.setUint16(ip + 4, v.getUint16(ip + 4) + this.#index);
    v.setUint16(ip + 10, 0);
    v.setUint16(ip + 10, finishChecksum(sumWords(v, ip, ipv4HeaderLen(v, ip), 0)));
  }
}
