/**
 * ethernet-input: frames of a port into an Ethernet. Whom are they for, and what do they carry? What is for us goes on without its
 * header; ARP and neighbour discovery go to the mind of the port. A packet for one host in a frame for all is not forwarded (RFC 1812
 * section 5.3.4).
 * In: the socket of a port. Out: ip-input, neighbour-input.
 */
import {
  ETHERNET_LEN,
  ETHERNET_SRC_AT,
  EtherType,
  ethernetType,
  isGroupMac,
  isMac,
} from '@vrouter/wire/ethernet/ethernet.ts';
import { IPV4_DST_AT, IPV4_MIN_LEN } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_DST_AT, IPV6_LEN } from '@vrouter/wire/ipv6/ipv6.ts';
import { isNdp } from '@vrouter/wire/ndp/ndp.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Forwarding } from '../../state/forwarding.ts';

/** What lies behind each frame, as every FrameSocket promises. */
const SPARE = 64;
/** The row goes to the mind. */
const TO_MIND = -1;

export class EthernetInput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #next: Frame;
  readonly #neighbour: Frame;

  constructor(forwarding: Forwarding, counters: Counters, next: Frame, neighbour: Frame) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#next = next;
    this.#neighbour = neighbour;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { links } = this.#forwarding;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const ingress = batch.ingress[row]!;
      const link = links[ingress]!;
      const { bytes, view } = batch.region[row]!;
      const at = batch.offset[row]!;
      const length = batch.length[row]!;
      const reason = judge(bytes, view, at, at + length, link.ethernet!.station!.mac);
      if (reason > 0) {
        this.#counters.drop(reason, ingress);
        continue;
      }
      batch.offset[row] = at + ETHERNET_LEN;
      batch.length[row] = length - ETHERNET_LEN;
      batch.tailroom[row] = SPARE;
      batch.vrf[row] = link.vrf;
      batch.flags[row] = 0;
      if (reason === TO_MIND) {
        this.#neighbour.push(row);
        continue;
      }
      this.#counters.received(ingress, length - ETHERNET_LEN);
      this.#next.push(row);
    }
  }
}

/** `Drop.none` for an IP packet for us, `TO_MIND`, or the reason against it. */
function judge(bytes: Uint8Array, view: DataView, at: number, end: number, mac: Uint8Array): number {
  if (end - at < ETHERNET_LEN) return Drop.ethernetShort;
  const group = isGroupMac(bytes, at);
  if (!group && !isMac(bytes, at, mac)) return Drop.ethernetNotOurs;
  // A group says nothing, and what we said ourselves has come back by a loop.
  if (isGroupMac(bytes, at + ETHERNET_SRC_AT) || isMac(bytes, at + ETHERNET_SRC_AT, mac)) return Drop.ethernetSource;
  const ip = at + ETHERNET_LEN;
  switch (ethernetType(view, at)) {
    case EtherType.ipv4:
      if (!group || end - ip < IPV4_MIN_LEN) return Drop.none;
      // Groups and the broadcast address are judged by ip-input.
      return bytes[ip + IPV4_DST_AT]! >= 224 ? Drop.none : Drop.ethernetBroadcast;
    case EtherType.ipv6:
      if (isNdp(view, ip, end)) return TO_MIND;
      if (!group || end - ip < IPV6_LEN) return Drop.none;
      return bytes[ip + IPV6_DST_AT] === 0xff ? Drop.none : Drop.ethernetBroadcast;
    case EtherType.arp:
      return TO_MIND;
    case EtherType.vlan:
    case EtherType.serviceVlan:
      return Drop.ethernetVlan;
    default:
      return Drop.ethernetType;
  }
}
