/** Row numbers that wait for a node. Each node has one; it is emptied when the node has run. */
import { BATCH_ROWS, SPARE_ROWS } from '../batch/packet-batch.ts';

export class Frame {
  readonly rows: Int32Array;
  count: number;

  constructor(capacity: number = BATCH_ROWS + SPARE_ROWS) {
    this.rows = new Int32Array(capacity);
    this.count = 0;
  }

  /** A row waits for one node at a time, so a frame as long as the batch with its spare rows never overflows. */
  push(row: number): void {
    this.rows[this.count++] = row;
  }
}
