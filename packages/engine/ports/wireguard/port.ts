/**
 * The engine's WireGuard port: one mind, one UDP socket, and the way between them. The mind outlives its sockets, so another listen
 * port or a link that goes down and up costs no peer anything.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import type { WireguardDevice } from '@vrouter/protocols/wireguard/device.ts';
import type { WireguardSink } from '@vrouter/protocols/wireguard/ports.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { DatagramRows, DatagramSocket } from '../datagram.ts';
import { type Outbox, outgoingRows } from './outbox.ts';

export class WireguardPort implements WireguardSink {
  readonly input = 'wireguard-input';
  /** Index of the link. */
  readonly link: number;
  readonly device: WireguardDevice;
  /** Null while the link is down. */
  socket: DatagramSocket | null;
  /** Datagrams to send at the end of the batch; the outbox's. */
  readonly rows: DatagramRows;
  /** Whether the outbox has it on its list. */
  waiting: boolean;
  readonly #outbox: Outbox;

  constructor(link: number, device: WireguardDevice, outbox: Outbox) {
    this.link = link;
    this.device = device;
    this.socket = null;
    this.rows = outgoingRows();
    this.waiting = false;
    this.#outbox = outbox;
  }

  /** Fills the batch from the socket; returns the rows. */
  receive(batch: PacketBatch): number {
    if (this.socket === null) {
      batch.count = 0;
      return 0;
    }
    const count = this.socket.receive(batch);
    batch.ingress.fill(this.link, 0, count);
    batch.flags.fill(0, 0, count);
    return count;
  }

  /** What the mind says by itself. */
  datagram(to: Endpoint, buffer: Uint8Array, at: number, length: number): void {
    this.#outbox.copy(this, buffer, at, length, to);
  }
}
