/** The engine's TUN port: a device whose other side is the host's own kernel. It is there while its link is up. */
import { BATCH_ROWS, PacketBatch } from '../../batch/packet-batch.ts';
import type { FrameRows, TunSocket } from '../frames.ts';

export class TunPort {
  readonly input = 'tun-input';
  /** Index of the link. */
  readonly link: number;
  /** Null while the link is down. */
  socket: TunSocket | null;
  /** Packets on their way out; tun-output's. */
  readonly rows: FrameRows;

  constructor(link: number) {
    this.link = link;
    this.socket = null;
    this.rows = new PacketBatch(BATCH_ROWS);
  }

  /** Fills the batch from the socket; returns the rows. */
  receive(batch: PacketBatch): number {
    if (this.socket === null) {
      batch.count = 0;
      return 0;
    }
    const count = this.socket.receive(batch);
    batch.ingress.fill(this.link, 0, count);
    return count;
  }
}
