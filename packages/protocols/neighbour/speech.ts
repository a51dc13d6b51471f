/** What a station says, as frames in memory of its own: ARP and neighbour discovery, padded as Ethernet wants. */
import { ARP_LEN, ArpOperation, emitArp } from '@vrouter/wire/arp/arp.ts';
import {
  BROADCAST,
  ETHERNET_LEN,
  ETHERNET_MIN_PAYLOAD,
  EtherType,
  emitEthernet,
} from '@vrouter/wire/ethernet/ethernet.ts';
import { emitNeighbour, groupMac, NdpType, neighbourLen, solicitedNode } from '@vrouter/wire/ndp/ndp.ts';

/** Where a station puts a frame that it wants sent. The bytes are good during the call alone. */
export interface FrameSink {
  frame(bytes: Uint8Array, at: number, length: number): void;
}

const ALL_NODES = Uint8Array.fromHex('ff020000000000000000000000000001');
const UNSPECIFIED4 = new Uint8Array(4);
const UNSPECIFIED6 = new Uint8Array(16);
const NOBODY = new Uint8Array(6);

export class Speech {
  readonly mac: Uint8Array;
  readonly #sink: FrameSink;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(mac: Uint8Array, sink: FrameSink) {
    this.mac = mac;
    this.#sink = sink;
    this.#bytes = new Uint8Array(128);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** `to` null asks everybody. `src` null: we have no address to speak from, which is a probe for others (RFC 5227 section 2.1.1). */
  arpRequest(src: Uint8Array | null, target: Uint8Array, to: Uint8Array | null): void {
    this.#arp(ArpOperation.request, to ?? BROADCAST, src ?? UNSPECIFIED4, NOBODY, target);
  }

  arpReply(src: Uint8Array, target: Uint8Array, to: Uint8Array): void {
    this.#arp(ArpOperation.reply, to, src, to, target);
  }

  /** A request for our own address, RFC 5227 section 2.3. */
  arpAnnouncement(address: Uint8Array): void {
    this.#arp(ArpOperation.request, BROADCAST, address, NOBODY, address);
  }

  /** `to` null asks the group in which its owner listens. `src` null: the address is one that we would like to have. */
  solicitation(src: Uint8Array | null, target: Uint8Array, to: Uint8Array | null): void {
    const dst = to === null ? solicitedNode(target) : target;
    this.#neighbour(
      NdpType.neighbourSolicitation,
      to ?? groupMac(dst),
      src ?? UNSPECIFIED6,
      dst,
      target,
      src === null ? null : this.mac,
      false,
    );
  }

  /** An answer to who asked, or (`dst` null) to everybody. */
  advertisement(target: Uint8Array, dst: Uint8Array | null, to: Uint8Array | null): void {
    const everybody = groupMac(ALL_NODES);
    this.#neighbour(
      NdpType.neighbourAdvertisement,
      to ?? everybody,
      target,
      dst ?? ALL_NODES,
      target,
      this.mac,
      dst !== null,
    );
  }

  /** An IP packet with room for a header in front. */
  packet(bytes: Uint8Array, at: number, length: number, to: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const type = bytes[at]! >>> 4 === 4 ? EtherType.ipv4 : EtherType.ipv6;
    emitEthernet(bytes, view, at - ETHERNET_LEN, to, this.mac, type);
    this.#sink.frame(bytes, at - ETHERNET_LEN, ETHERNET_LEN + length);
  }

  #arp(operation: number, to: Uint8Array, senderIp: Uint8Array, targetMac: Uint8Array, targetIp: Uint8Array): void {
    const at = emitEthernet(this.#bytes, this.#view, 0, to, this.mac, EtherType.arp);
    emitArp({ operation, senderMac: this.mac, senderIp, targetMac, targetIp }, this.#bytes, this.#view, at);
    this.#bytes.fill(0, at + ARP_LEN, at + ETHERNET_MIN_PAYLOAD);
    this.#sink.frame(this.#bytes, 0, at + ETHERNET_MIN_PAYLOAD);
  }

  #neighbour(
    type: typeof NdpType.neighbourSolicitation | typeof NdpType.neighbourAdvertisement,
    to: Uint8Array,
    src: Uint8Array,
    dst: Uint8Array,
    target: Uint8Array,
    mac: Uint8Array | null,
    solicited: boolean,
  ): void {
    const at = emitEthernet(this.#bytes, this.#view, 0, to, this.mac, EtherType.ipv6);
    const override = type === NdpType.neighbourAdvertisement;
    const message = { type, src, dst, target, mac, solicited, override };
    emitNeighbour(message, this.#bytes, this.#view, at);
    this.#sink.frame(this.#bytes, 0, at + neighbourLen(message));
  }
}
