/**
 * Makes a FrameSocket of one that shares the kernel's offloads, so that the graph sees finished packets of at most the link's MTU:
 *
 *   in:  super-packets are cut into memory of ours; others stay where they were read, and get their checksum if the kernel left it open
 *   out: packets of a flow that follow each other are gathered; what the kernel does not take as one goes out one by one
 *
 * A super-packet may be more segments than a batch has rows: the rest waits for the next `receive`.
 */
import { Gatherer } from '@vrouter/wire/virtio-net/gather.ts';
import { VNET_LEN, VnetGso, vnetGso } from '@vrouter/wire/virtio-net/header.ts';
import { finishVnetChecksum, Segmenter, VnetFault } from '@vrouter/wire/virtio-net/segment.ts';
import { BATCH_ROWS, makeRegion, PacketBatch } from '../../batch/packet-batch.ts';
import type { Region } from '../datagram.ts';
import { Fate, type FrameRows, type FrameSocket, type OffloadSocket } from '../frames.ts';

/** What every FrameSocket leaves before and behind a frame. */
const SPARE = 64;
/** Segments of one batch: 256 of the usual size. */
const CUT_BYTES = 1 << 19;

export class OffloadFrames implements FrameSocket {
  malformed: number;
  readonly #socket: OffloadSocket;
  readonly #segmenter: Segmenter;
  readonly #gatherer: Gatherer;
  readonly #fates: Uint8Array;
  /** What was read and not yet handed out: rows from `#next` on, and what the segmenter holds. */
  readonly #raw: PacketBatch;
  #next: number;
  readonly #cut: Region;
  /** Rows of super-packets that were refused, and what sends them one by one. */
  readonly #again: PacketBatch;
  readonly #single: Gatherer;

  /** `linkBytes`: what lies before the IP header in every frame; 0 for TUN, 14 for Ethernet. `send` takes `BATCH_ROWS` rows at most. */
  constructor(socket: OffloadSocket, linkBytes: 0 | 14) {
    this.malformed = 0;
    this.#socket = socket;
    this.#segmenter = new Segmenter(linkBytes);
    this.#gatherer = new Gatherer(BATCH_ROWS, linkBytes, socket.offloads);
    this.#fates = new Uint8Array(BATCH_ROWS);
    this.#raw = new PacketBatch(BATCH_ROWS);
    this.#next = 0;
    this.#cut = makeRegion(CUT_BYTES);
    this.#again = new PacketBatch(BATCH_ROWS);
    this.#single = new Gatherer(BATCH_ROWS, linkBytes, { tcp: false, udp: false });
  }

  get gone(): boolean {
    return this.#socket.gone;
  }

  receive(into: FrameRows): number {
    into.count = 0;
    let at = SPARE;
    for (;;) {
      at = this.#handOut(into, at);
      if (this.#segmenter.left > 0 || into.count === into.capacity) break;
      if (this.#next === this.#raw.count) {
        // Rows may lie where the next ones would be read.
        if (into.count > 0) break;
        this.#next = 0;
        if (this.#socket.receive(this.#raw) === 0) return 0;
      }
      this.#take(into, this.#next++);
    }
    // The descriptor will not tell of what is left.
    if (this.#segmenter.left > 0 || this.#next < this.#raw.count) this.#socket.wake();
    return into.count;
  }

  /** Cuts on until rows, memory or the super-packet end; returns where the next segment may lie. */
  #handOut(into: FrameRows, from: number): number {
    const segmenter = this.#segmenter;
    let at = from;
    while (segmenter.left > 0 && into.count < into.capacity && at + segmenter.longest + SPARE <= CUT_BYTES) {
      const length = segmenter.next(this.#cut, at);
      const row = into.count++;
      into.region[row] = this.#cut;
      into.offset[row] = at;
      into.length[row] = length;
      at = (at + length + 2 * SPARE + 7) & ~7;
    }
    return at;
  }

  /** One frame as it was read: to the segmenter, or out as it is. */
  #take(into: FrameRows, row: number): void {
    const region = this.#raw.region[row]!;
    const at = this.#raw.offset[row]!;
    const end = at + this.#raw.length[row]!;
    if (end - at < VNET_LEN) {
      this.malformed++;
      return;
    }
    const whole = vnetGso(region.view, at) === VnetGso.none;
    const fault = whole ? finishVnetChecksum(region.view, at, end) : this.#segmenter.begin(region, at, end);
    if (fault !== VnetFault.none) {
      this.malformed++;
      return;
    }
    if (!whole) return;
    const out = into.count++;
    into.region[out] = region;
    into.offset[out] = at + VNET_LEN;
    into.length[out] = end - at - VNET_LEN;
  }

  send(rows: FrameRows): number {
    this.#gatherer.gather(rows);
    this.#socket.sendGathered(this.#gatherer, this.#fates);
    let sent = 0;
    this.#again.count = 0;
    for (let f = 0; f < this.#gatherer.frames; f++) {
      const packets = this.#gatherer.packets[f]!;
      if (this.#fates[f] === Fate.taken) sent += packets;
      else if (this.#fates[f] === Fate.refused && packets > 1) this.#keep(rows, f);
    }
    return this.#again.count === 0 ? sent : sent + this.#sendAgain();
  }

  #keep(rows: FrameRows, frame: number): void {
    for (let row = this.#gatherer.firstRow[frame]!; row >= 0; row = this.#gatherer.nextRow[row]!) {
      const kept = this.#again.count++;
      this.#again.region[kept] = rows.region[row]!;
      this.#again.offset[kept] = rows.offset[row]!;
      this.#again.length[kept] = rows.length[row]!;
    }
  }

  #sendAgain(): number {
    this.#single.gather(this.#again);
    this.#socket.sendGathered(this.#single, this.#fates);
    let sent = 0;
    for (let f = 0; f < this.#single.frames; f++) if (this.#fates[f] === Fate.taken) sent++;
    return sent;
  }

  onReadable(callback: () => void): void {
    this.#socket.onReadable(callback);
  }

  close(): Promise<void> {
    return this.#socket.close();
  }
}
