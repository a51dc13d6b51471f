/**
 * ethernet-output: gives a packet the Ethernet header of its neighbour - the next hop of its route, else its destination - and hands it
 * over port by port, from where it lies. Without a MAC address yet it waits in the mind of the port, which asks for one.
 * In: link-output. Out: the sockets of the ports; icmp-error for what cannot wait.
 */
import { Waiting } from '@vrouter/protocols/neighbour/station.ts';
import {
  ETHERNET_LEN,
  ETHERNET_SRC_AT,
  ETHERNET_TYPE_AT,
  EtherType,
  MAC_LEN,
  putMac,
} from '@vrouter/wire/ethernet/ethernet.ts';
import { IPV4_DST_AT } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_DST_AT } from '@vrouter/wire/ipv6/ipv6.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { BreathClock } from '../../graph/breath-clock.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import { type EthernetPort, packetTag } from '../../ports/ethernet/port.ts';
import { HOP_BYTES } from '../../state/adjacency.ts';
import type { Forwarding } from '../../state/forwarding.ts';
import type { Handoff } from '../../workers/handoff.ts';
import { Parcel } from '../../workers/ring.ts';
import { IcmpCause } from '../icmp-error/cause.ts';

export class EthernetOutput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #clock: BreathClock;
  readonly #errors: Frame;
  /** Ports with rows waiting. */
  readonly #waiting: EthernetPort[];
  /** Null where there is one worker. */
  readonly #handoff: Handoff | null;

  constructor(
    forwarding: Forwarding,
    counters: Counters,
    clock: BreathClock,
    errors: Frame,
    handoff: Handoff | null = null,
  ) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#clock = clock;
    this.#errors = errors;
    this.#waiting = [];
    this.#handoff = handoff;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { adjacencies, links } = this.#forwarding;
    const handoff = this.#handoff;
    if (handoff !== null && !handoff.isKeeper) {
      for (let i = 0; i < frame.count; i++) handoff.row(handoff.keeper, Parcel.packet, batch, frame.rows[i]!);
      return;
    }
    const { now } = this.#clock;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const egress = batch.egress[row]!;
      const port = links[egress]!.ethernet!;
      const station = port.station!;
      const { bytes, view } = batch.region[row]!;
      const at = batch.offset[row]!;
      const four = bytes[at]! >>> 4 === 4;
      const adjacency = batch.adjacency[row]!;
      const direct = adjacencies.hopBytes[adjacency] === 0;
      const hopView = direct ? view : adjacencies.hopView;
      const hopAt = direct ? at + (four ? IPV4_DST_AT : IPV6_DST_AT) : adjacency * HOP_BYTES;
      const hopBytes = four ? 4 : 16;
      const { table } = station.neighbours;
      const entry = table.find(hopView, hopAt, hopBytes);
      if (entry < 0 || !station.neighbours.use(entry, now)) {
        const length = batch.length[row]!;
        const tag = packetTag(batch.ingress[row]!, batch.flags[row]!);
        this.#held(batch, row, station.wait(entry, hopView, hopAt, hopBytes, { bytes, at, length, tag }, now));
        continue;
      }
      const header = at - ETHERNET_LEN;
      putMac(bytes, header, table.mac, entry * MAC_LEN);
      putMac(bytes, header + ETHERNET_SRC_AT, station.mac);
      view.setUint16(header + ETHERNET_TYPE_AT, four ? EtherType.ipv4 : EtherType.ipv6);
      const { rows } = port;
      // A batch makes more rows than it has when packets are cut.
      if (rows.count === rows.capacity) this.#send(port);
      else if (rows.count === 0) this.#waiting.push(port);
      const out = rows.count++;
      rows.region[out] = batch.region[row]!;
      rows.offset[out] = header;
      rows.length[out] = ETHERNET_LEN + batch.length[row]!;
      this.#counters.sent(egress, batch.length[row]!);
    }
    for (let i = 0; i < this.#waiting.length; i++) this.#send(this.#waiting[i]!);
    this.#waiting.length = 0;
  }

  /** Counts what the mind did not keep. A packet that waits counts as sent, as one that waits for a handshake does. */
  #held(batch: PacketBatch, row: number, waiting: Waiting): void {
    const egress = batch.egress[row]!;
    if (waiting === Waiting.held || waiting === Waiting.displaced) this.#counters.sent(egress, batch.length[row]!);
    if (waiting === Waiting.displaced) this.#counters.drop(Drop.neighbourQueue, egress);
    if (waiting === Waiting.broadcast) this.#counters.drop(Drop.directedBroadcast, egress);
    if (waiting !== Waiting.full) return;
    this.#counters.drop(Drop.neighboursFull, egress);
    batch.error[row] = IcmpCause.hostUnreachable;
    this.#errors.push(row);
  }

  #send({ rows, socket, link }: EthernetPort): void {
    const taken = socket === null ? 0 : socket.send(rows);
    if (taken < rows.count) this.#counters.drop(Drop.socketFull, link, rows.count - taken);
    rows.count = 0;
  }
}
