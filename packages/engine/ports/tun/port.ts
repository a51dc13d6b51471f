/** The engine's TUN port: a device whose other side is the host's own kernel. It is there while its link is up. */
import { BATCH_ROWS, PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { FrameRows, TunSocket } from '../frames.ts';

export class TunPort {
  readonly input = 'tun-input';
  /** Index of the link. */
  readonly link: number;
  /** Null while the link is down. */
  socket: TunSocket | null;
  /** Packets on their way out; tun-output's. */
  readonly rows: FrameRows;
  readonly #counters: Counters;
  #malformed: number;

  constructor(link: number, counters: Counters) {
    this.link = link;
    this.socket = null;
    this.rows = new PacketBatch(BATCH_ROWS);
    this.#counters = counters;
    this.#malformed = 0;
  }

  /** The device is there. */
  open(socket: TunSocket): void {
    this.socket = socket;
    this.#malformed = 0;
  }

  /** Fills the batch from the socket; returns the rows. Frames that made no sense are counted here: they may be all that has come. */
  receive(batch: PacketBatch): number {
    if (this.socket === null) {
      batch.count = 0;
      return 0;
    }
    const count = this.socket.receive(batch);
    batch.ingress.fill(this.link, 0, count);
    const malformed = this.socket.malformed ?? 0;
    if (malformed > this.#malformed) this.#counters.drop(Drop.offloadMalformed, this.link, malformed - this.#malformed);
    this.#malformed = malformed;
    return count;
  }
}
