/**
 * The mind of a router's port into an Ethernet: whose addresses it has, who its neighbours are, what it answers and asks, and which
 * packets wait for an answer. ARP (RFC 826, 5227) and neighbour discovery (RFC 4861, 4862). Time and chance are arguments; frames go
 * to the sink.
 */
import type { Prefix } from '@vrouter/core/prefix.ts';
import type { Millis } from '@vrouter/core/time.ts';
import { millis } from '@vrouter/core/time.ts';
import {
  ARP_SENDER_IP_AT,
  ARP_SENDER_MAC_AT,
  ARP_TARGET_IP_AT,
  ArpFault,
  ArpOperation,
  arpOperation,
  checkArp,
} from '@vrouter/wire/arp/arp.ts';
import { isMac, MAC_LEN } from '@vrouter/wire/ethernet/ethernet.ts';
import { IPV6_SRC_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { makeNdpMessage, NdpFault, NdpType, readNdp } from '@vrouter/wire/ndp/ndp.ts';
import * as limits from './constants.ts';
import { StationDrop } from './drops.ts';
import { HELD_HEADROOM, HeldPackets } from './held.ts';
import { type NeighbourLimits, Neighbours } from './neighbours.ts';
import { OwnAddresses } from './own-addresses.ts';
import { type FrameSink, Speech } from './speech.ts';

export interface StationSink extends FrameSink {
  /** A packet waited in vain; `tag` is the caller's note from `send`. Called by `tick` and `forget` alone. */
  unreachable(bytes: Uint8Array, at: number, length: number, tag: number): void;
}

export interface StationOptions {
  readonly mac: Uint8Array;
  /** Any 32-bit number. */
  readonly chance: number;
  readonly limits?: NeighbourLimits;
}

/** What became of a packet that has no MAC address yet. */
export const Waiting = { held: 0, displaced: 1, full: 2, broadcast: 3 } as const;
export type Waiting = (typeof Waiting)[keyof typeof Waiting];

export class Station {
  readonly neighbours: Neighbours;
  readonly own: OwnAddresses;
  readonly mac: Uint8Array;
  readonly #speech: Speech;
  readonly #sink: StationSink;
  readonly #held: HeldPackets;
  readonly #ndp = makeNdpMessage();
  #answers: number;
  #answersAt: Millis;

  constructor(options: StationOptions, sink: StationSink) {
    this.mac = options.mac;
    this.#sink = sink;
    this.#speech = new Speech(options.mac, sink);
    this.#held = new HeldPackets();
    const most = options.limits ?? { neighbours: limits.MAX_NEIGHBOURS, incomplete: limits.MAX_INCOMPLETE };
    this.neighbours = new Neighbours(
      {
        solicit: (entry, everybody) => this.#solicit(entry, everybody),
        resolved: (entry) => this.#release(entry),
        failed: (entry) => this.#giveUp(entry),
      },
      options.chance,
      most,
    );
    this.own = new OwnAddresses({
      probe: (address) => this.#speech.solicitation(null, address, null),
      announce: (address) =>
        address.length === 4 ? this.#speech.arpAnnouncement(address) : this.#speech.advertisement(address, null, null),
    });
    this.#answers = limits.ANSWERS_BURST;
    this.#answersAt = millis(0);
  }

  wakeAt(): Millis {
    return millis(Math.min(this.neighbours.wakeAt(), this.own.wakeAt()));
  }

  tick(now: Millis): void {
    this.own.tick(now);
    this.neighbours.tick(now);
  }

  /** The link has come up, for the first time or again: what was known of it is of another time. */
  linkUp(now: Millis): void {
    this.forget();
    this.own.restart(now);
  }

  addAddress(address: Prefix, now: Millis): void {
    this.own.add(address, now);
  }

  /** Neighbours of a network that is not ours any more are forgotten. */
  removeAddress(address: Prefix): void {
    this.own.remove(address);
    const bytes = address.address.length;
    if (bytes === 4) this.neighbours.forget((one) => one.length === bytes && !this.own.isOnLink(one, 0, bytes));
  }

  /**
   * Keeps a packet for a neighbour that has no MAC address yet: `entry` from the table, or -1 to begin to look for the address of
   * `addressBytes` at `hopAt`.
   */
  wait(
    entry: number,
    hop: DataView,
    hopAt: number,
    addressBytes: number,
    packet: { readonly bytes: Uint8Array; readonly at: number; readonly length: number; readonly tag: number },
    now: Millis,
  ): Waiting {
    let seeking = entry;
    if (seeking < 0) {
      if (addressBytes === 4 && this.#isBroadcast(hop.getInt32(hopAt))) return Waiting.broadcast;
      seeking = this.neighbours.seek(hop, hopAt, addressBytes, now);
      if (seeking < 0) return Waiting.full;
    }
    const lost = this.#held.hold(seeking, packet.bytes, packet.at, packet.length, packet.tag);
    return lost === 0 ? Waiting.held : Waiting.displaced;
  }

  /** An ARP message of a frame whose addresses have been judged. */
  receiveArp(bytes: Uint8Array, v: DataView, at: number, end: number, now: Millis): StationDrop {
    if (checkArp(v, at, end) !== ArpFault.none) return StationDrop.malformed;
    const senderMacAt = at + ARP_SENDER_MAC_AT;
    const senderIpAt = at + ARP_SENDER_IP_AT;
    const targetIpAt = at + ARP_TARGET_IP_AT;
    const claimed = this.own.find(bytes, senderIpAt, 4);
    if (claimed !== null) {
      if (isMac(bytes, senderMacAt, this.mac)) return StationDrop.notOurs;
      this.own.conflict(claimed, now);
      return StationDrop.conflict;
    }
    const known = this.neighbours.table.find(v, senderIpAt, 4);
    const target = this.own.find(bytes, targetIpAt, 4);
    if (target === null) {
      // An announcement is for everybody who knows the sender; nobody is learnt of by it.
      const announced = v.getInt32(senderIpAt) === v.getInt32(targetIpAt);
      if (announced && this.neighbours.advertised(known, bytes, senderMacAt, false, true, now)) return StationDrop.none;
      return StationDrop.notOurs;
    }
    if (arpOperation(v, at) === ArpOperation.reply)
      return this.neighbours.advertised(known, bytes, senderMacAt, true, true, now)
        ? StationDrop.none
        : StationDrop.notOurs;
    if (!this.#mayAnswer(now)) return StationDrop.limited;
    const to = bytes.slice(senderMacAt, senderMacAt + MAC_LEN);
    this.#speech.arpReply(target.address, bytes.slice(senderIpAt, senderIpAt + 4), to);
    if (v.getInt32(senderIpAt) !== 0 && this.own.isOnLink(bytes, senderIpAt, 4))
      this.neighbours.heard(v, senderIpAt, 4, bytes, senderMacAt, now);
    return StationDrop.none;
  }

  /** A message of neighbour discovery, from its IPv6 header on; `fromAt` is where the MAC address of the frame's sender stands. */
  receiveNdp(bytes: Uint8Array, v: DataView, at: number, end: number, fromAt: number, now: Millis): StationDrop {
    const found = this.#ndp;
    if (readNdp(v, at, end, found) !== NdpFault.none) return StationDrop.malformed;
    const srcAt = at + IPV6_SRC_AT;
    if (found.type === NdpType.routerSolicitation) {
      // Nobody is told of routes here; but who asks says where it is (RFC 4861 section 6.2.6).
      if (!found.unspecified && found.macAt >= 0) this.#learn(bytes, v, srcAt, found.macAt, now);
      return StationDrop.none;
    }
    const target = this.own.find(bytes, found.targetAt, 16);
    if (found.type === NdpType.neighbourAdvertisement) {
      if (target !== null) {
        this.own.conflict(target, now);
        return StationDrop.conflict;
      }
      const entry = this.neighbours.table.find(v, found.targetAt, 16);
      const mac = found.macAt < 0 ? null : bytes;
      return this.neighbours.advertised(entry, mac, found.macAt, found.solicited, found.override, now)
        ? StationDrop.none
        : StationDrop.notOurs;
    }
    if (target === null) return StationDrop.notOurs;
    if (target.state === 'tentative' && found.unspecified) {
      // Another wants it at the same time: neither gets it (RFC 4862 section 5.4.3).
      this.own.conflict(target, now);
      return StationDrop.conflict;
    }
    if (target.state !== 'valid') return StationDrop.notOurs;
    if (!this.#mayAnswer(now)) return StationDrop.limited;
    if (found.unspecified) {
      this.#speech.advertisement(target.address, null, null);
      return StationDrop.none;
    }
    const macAt = found.macAt < 0 ? fromAt : found.macAt;
    this.#speech.advertisement(target.address, bytes.slice(srcAt, srcAt + 16), bytes.slice(macAt, macAt + MAC_LEN));
    if (found.macAt >= 0) this.#learn(bytes, v, srcAt, found.macAt, now);
    return StationDrop.none;
  }

  /** Ends everything that waits. */
  forget(): void {
    this.neighbours.forget(() => true);
  }

  #learn(bytes: Uint8Array, v: DataView, srcAt: number, macAt: number, now: Millis): void {
    const linkLocal = bytes[srcAt] === 0xfe && (bytes[srcAt + 1]! & 0xc0) === 0x80;
    const known = this.neighbours.table.find(v, srcAt, 16) >= 0;
    if ((linkLocal || known || this.own.isOnLink(bytes, srcAt, 16)) && this.own.find(bytes, srcAt, 16) === null)
      this.neighbours.heard(v, srcAt, 16, bytes, macAt, now);
  }

  #solicit(entry: number, everybody: boolean): void {
    const target = this.neighbours.table.address(entry);
    const to = everybody ? null : this.neighbours.macOf(entry);
    const src = this.own.sourceFor(target);
    if (target.length === 4) this.#speech.arpRequest(src, target, to);
    // From `::` it would ask whether the address is free. We may have one in a moment, when the next question is due.
    else if (src !== null) this.#speech.solicitation(src, target, to);
  }

  #release(entry: number): void {
    const mac = this.neighbours.macOf(entry);
    for (const { bytes } of this.#held.take(entry))
      this.#speech.packet(bytes, HELD_HEADROOM, bytes.length - HELD_HEADROOM, mac);
  }

  #giveUp(entry: number): void {
    for (const { bytes, tag } of this.#held.take(entry))
      this.#sink.unreachable(bytes, HELD_HEADROOM, bytes.length - HELD_HEADROOM, tag);
  }

  /** The broadcast address of a network of ours, or the network itself (RFC 1122 section 3.2.1.3, RFC 3021): nobody answers for these. */
  #isBroadcast(word: number): boolean {
    for (const { address, bits } of this.own.networks) {
      if (address.length !== 4 || bits > 30) continue;
      const hostMask = bits === 0 ? -1 : (1 << (32 - bits)) - 1;
      const ours = new DataView(address.buffer, address.byteOffset).getInt32(0);
      if (((ours ^ word) & ~hostMask) === 0 && ((word & hostMask) === 0 || (word & hostMask) === hostMask)) return true;
    }
    return false;
  }

  #mayAnswer(now: Millis): boolean {
    const earned = ((now - this.#answersAt) * limits.ANSWERS_PER_SECOND) / 1000;
    this.#answers = Math.min(limits.ANSWERS_BURST, this.#answers + earned);
    this.#answersAt = now;
    if (this.#answers < 1) return false;
    this.#answers--;
    return true;
  }
}
