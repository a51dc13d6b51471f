/** What a translator looks at in an IPv4 packet, read once into an object that is used again and again. */
import { ICMP_ECHO_LEN, IcmpType, icmpEchoIdentifier, icmpType } from '@vrouter/wire/icmp/icmp.ts';
import { IPV4_MIN_LEN, ipv4HeaderLen, ipv4Protocol } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { TCP_MIN_LEN, tcpFlags } from '@vrouter/wire/tcp/tcp.ts';
import { UDP_LEN } from '@vrouter/wire/udp/udp.ts';

/** What kind of packet it is. */
export const FlowKind = {
  /** TCP, UDP or ICMP echo, with its ports. */
  flow: 0,
  /** A piece of a datagram that is not the first: without ports. */
  piece: 1,
  /** An ICMP error: with a packet in it. */
  error: 2,
  /** Anything else. */
  other: 3,
  /** Too short for what it says that it is. */
  short: 4,
} as const;

/** Bytes of a transport header that an ICMP error carries at least (RFC 792). */
const QUOTED = 8;

/** ICMP errors, RFC 5508 section 4: unreachable, time exceeded, parameter problem. */
function isError(type: number): boolean {
  return type === 3 || type === 11 || type === 12;
}

export class Flow {
  kind: number;
  protocol: number;
  /** Where the IP header and the transport header stand. */
  at: number;
  transport: number;
  src: number;
  dst: number;
  /** Both are the identifier in an ICMP echo. */
  srcPort: number;
  dstPort: number;
  tcpFlags: number;
  isEchoRequest: boolean;
  id: number;
  /** The first of several pieces. */
  isFirstPiece: boolean;

  constructor() {
    this.kind = FlowKind.other;
    this.protocol = 0;
    this.at = 0;
    this.transport = 0;
    this.src = 0;
    this.dst = 0;
    this.srcPort = 0;
    this.dstPort = 0;
    this.tcpFlags = 0;
    this.isEchoRequest = false;
    this.id = 0;
    this.isFirstPiece = false;
  }

  /** Reads a packet that `ip-input` has passed. */
  read(view: DataView, at: number, end: number): void {
    this.#readIp(view, at);
    const fragment = view.getUint16(at + 6);
    this.isFirstPiece = (fragment & 0x3fff) === 0x2000;
    if ((fragment & 0x1fff) !== 0) this.kind = FlowKind.piece;
    else this.#readTransport(view, end, TCP_MIN_LEN);
  }

  /** Reads the packet inside an ICMP error: false when it is no start of one that could have been translated. */
  readQuoted(view: DataView, at: number, end: number): boolean {
    if (end - at < IPV4_MIN_LEN || view.getUint8(at) >>> 4 !== 4) return false;
    const headerLen = ipv4HeaderLen(view, at);
    if (headerLen < IPV4_MIN_LEN || end - at < headerLen + QUOTED) return false;
    this.#readIp(view, at);
    if ((view.getUint16(at + 6) & 0x1fff) !== 0) return false;
    this.isFirstPiece = false;
    this.#readTransport(view, end, QUOTED);
    return this.kind === FlowKind.flow;
  }

  /** Reads the IP header of the packet inside an ICMP error alone; of kind `piece` when no transport header follows it. */
  readQuotedIp(view: DataView, at: number, end: number): boolean {
    if (end - at < IPV4_MIN_LEN || view.getUint8(at) >>> 4 !== 4) return false;
    const headerLen = ipv4HeaderLen(view, at);
    if (headerLen < IPV4_MIN_LEN || end - at < headerLen) return false;
    this.#readIp(view, at);
    this.kind = (view.getUint16(at + 6) & 0x1fff) === 0 ? FlowKind.other : FlowKind.piece;
    return true;
  }

  #readIp(view: DataView, at: number): void {
    this.at = at;
    this.transport = at + ipv4HeaderLen(view, at);
    this.protocol = ipv4Protocol(view, at);
    this.src = view.getInt32(at + 12);
    this.dst = view.getInt32(at + 16);
    this.id = view.getUint16(at + 4);
  }

  #readTransport(view: DataView, end: number, tcpLen: number): void {
    const at = this.transport;
    const length = end - at;
    this.kind = FlowKind.flow;
    this.isEchoRequest = false;
    if (this.protocol === IpProtocol.icmp) {
      if (length < ICMP_ECHO_LEN) {
        this.kind = FlowKind.short;
        return;
      }
      const type = icmpType(view, at);
      this.isEchoRequest = type === IcmpType.echoRequest;
      this.srcPort = icmpEchoIdentifier(view, at);
      this.dstPort = this.srcPort;
      if (isError(type)) this.kind = FlowKind.error;
      else if (!this.isEchoRequest && type !== IcmpType.echoReply) this.kind = FlowKind.other;
      return;
    }
    const isTcp = this.protocol === IpProtocol.tcp;
    if (!isTcp && this.protocol !== IpProtocol.udp) {
      this.kind = FlowKind.other;
      return;
    }
    if (length < (isTcp ? tcpLen : UDP_LEN)) {
      this.kind = FlowKind.short;
      return;
    }
    this.srcPort = view.getUint16(at);
    this.dstPort = view.getUint16(at + 2);
    this.tcpFlags = isTcp && length >= TCP_MIN_LEN ? tcpFlags(view, at) : 0;
  }
}
