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
  #malformed: number;

  constructor(link: number) {
    this.link = link;
    this.socket = null;
    this.rows = new PacketBatch(BATCH_ROWS);
    this.#malformed = 0;
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

  /** Frames that came since the last call and made no sense. */
  takeMalformed(): number {
    const now = this.socket?.malformed ?? 0;
    // Another socket counts anew.
    const more = now < this.#malformed ? now : now - this.#malformed;
    this.#malformed = now;
    return more;
  }
}
