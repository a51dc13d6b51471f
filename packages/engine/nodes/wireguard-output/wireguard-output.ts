/**
 * wireguard-output: finds the peer by allowed IPs, seals in place and puts the datagram into the outbox. Without a session the mind
 * keeps a copy and starts a handshake; that counts as sent. A packet for a peer of another worker is handed over before it is sealed.
 * In: link-output. Out: the sockets, by way of the outbox; icmp-error when no peer has the destination, or nobody knows where
 * that peer is.
 */
import { WireguardDrop } from '@vrouter/protocols/wireguard/drops.ts';
import { IPV4_DST_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_DST_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import { type PacketBatch, ROW_HANDED } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import type { Outbox } from '../../ports/wireguard/outbox.ts';
import type { Forwarding } from '../../state/forwarding.ts';
import type { Handoff } from '../../workers/handoff.ts';
import { Parcel } from '../../workers/ring.ts';
import { IcmpCause } from '../icmp-error/cause.ts';

const HEADER = 16;
const TAG = 16;

export class WireguardOutput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #outbox: Outbox;
  readonly #errors: Frame;
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;

  constructor(
    forwarding: Forwarding,
    counters: Counters,
    clock: BreathClock,
    outbox: Outbox,
    errors: Frame,
    handoff: Handoff | null = null,
  ) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#clock = clock;
    this.#outbox = outbox;
    this.#errors = errors;
    this.#handoff = handoff;
  }

  process(batch: PacketBatch, frame: Frame): void {
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const egress = batch.egress[row]!;
      const link = this.#forwarding.links[egress]!;
      const port = link.wireguard!;
      const length = batch.length[row]!;
      let region = batch.region[row]!;
      let at = batch.offset[row]!;
      const four = region.bytes[at]! >>> 4 === 4;
      const peer = port.device.route(region.bytes, at + (four ? IPV4_DST_AT : IPV6_DST_AT), four ? 4 : 16);
      if (peer === null) {
        this.#counters.drop(Drop.noPeer, egress);
        batch.error[row] = IcmpCause.hostUnreachable;
        this.#errors.push(row);
        continue;
      }
      if (peer.owner >= 0) {
        // Handed over once already, and the workers do not agree yet on whose it is.
        if (this.#handoff === null || (batch.flags[row]! & ROW_HANDED) !== 0) this.#counters.drop(Drop.noPeer, egress);
        else this.#handoff.row(peer.owner, Parcel.packet, batch, row);
        continue;
      }
      const padding = Math.min(-length & 15, Math.max(0, link.mtu - length));
      if (batch.tailroom[row]! < padding + TAG) {
        // Another row begins where the tag would go.
        const to = this.#outbox.reserve(HEADER + length + padding + TAG) + HEADER;
        this.#outbox.slab.bytes.set(region.bytes.subarray(at, at + length), to);
        region = this.#outbox.slab;
        at = to;
      }
      const sealed = port.device.send(peer, region.bytes, region.view, at, length, link.mtu, this.#clock, port);
      if (sealed < 0) {
        this.#counters.dropWireguard(-sealed, egress);
        // Linux tells the sender the same for EDESTADDRREQ as for ENOKEY (wg_xmit in drivers/net/wireguard/device.c).
        if (-sealed === WireguardDrop.noEndpoint) {
          batch.error[row] = IcmpCause.hostUnreachable;
          this.#errors.push(row);
        }
        continue;
      }
      this.#counters.sent(egress, length);
      if (sealed > 0) this.#outbox.add(port, region, at - HEADER, sealed, peer.endpoint!);
    }
  }
}
