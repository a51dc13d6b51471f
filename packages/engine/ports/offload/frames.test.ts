import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emitVnet, VNET_LEN, VnetFlag, VnetGso } from '@vrouter/wire/virtio-net/header.ts';
import { packet } from '@vrouter/wire/virtio-net/packets.testing.ts';
import { cut } from '@vrouter/wire/virtio-net/rounds.testing.ts';
import { makeRegion, PacketBatch } from '../../batch/packet-batch.ts';
import { Fate, type FrameRows, type GatheredFrames, type OffloadSocket } from '../frames.ts';
import { OffloadFrames } from './frames.ts';

/** A kernel of one's own: what it says, in reads of at most `perRead` frames, and what it was told. */
class Kernel implements OffloadSocket {
  gone = false;
  offloads = { tcp: true, udp: true };
  perRead = 3;
  wakes = 0;
  readonly says: Uint8Array[] = [];
  readonly heard: Uint8Array[] = [];
  fate: (frame: Uint8Array) => number = () => Fate.taken;
  readonly #region = makeRegion(1 << 20);

  receive(into: FrameRows): number {
    into.count = 0;
    // What was there before is gone, as in a kernel's read.
    this.#region.bytes.fill(0xee);
    for (let at = 64; into.count < this.perRead && this.says.length > 0; into.count++) {
      const frame = this.says.shift()!;
      this.#region.bytes.set(frame, at);
      into.region[into.count] = this.#region;
      into.offset[into.count] = at;
      into.length[into.count] = frame.length;
      at += frame.length + 128;
    }
    return into.count;
  }

  sendGathered(frames: GatheredFrames, fates: Uint8Array): void {
    for (let f = 0; f < frames.frames; f++) {
      const parts: number[] = [];
      for (let p = frames.firstPiece[f]!; p < frames.firstPiece[f + 1]!; p++) {
        const at = frames.offset[p]!;
        parts.push(...frames.region[p]!.bytes.subarray(at, at + frames.length[p]!));
      }
      const frame = Uint8Array.from(parts);
      fates[f] = this.fate(frame);
      if (fates[f] === Fate.taken) this.heard.push(frame);
    }
  }

  wake(): void {
    this.wakes++;
  }

  onReadable(): void {}

  async close(): Promise<void> {}
}

function said(gsoSize: number, bytes: Uint8Array, flags: number = VnetFlag.needsChecksum): Uint8Array {
  const frame = new Uint8Array(VNET_LEN + bytes.length);
  const gso = gsoSize === 0 ? VnetGso.none : VnetGso.tcp4;
  const place = { checksumStart: flags === 0 ? 0 : 20, checksumOffset: flags === 0 ? 0 : 16 };
  emitVnet({ flags, gso, headerLength: 40, gsoSize, ...place }, new DataView(frame.buffer), 0);
  frame.set(bytes, VNET_LEN);
  return frame;
}

/** Takes batch after batch for as long as there are any; each must have room around its rows. */
function takeAll(frames: OffloadFrames, kernel: Kernel, capacity: number): Uint8Array[] {
  const into = new PacketBatch(capacity);
  const got: Uint8Array[] = [];
  for (;;) {
    const wakes = kernel.wakes;
    const count = frames.receive(into);
    assert.equal(count, into.count);
    if (count === 0) return got;
    for (let row = 0; row < count; row++) {
      const at = into.offset[row]!;
      const { bytes } = into.region[row]!;
      got.push(bytes.slice(at, at + into.length[row]!));
      bytes.fill(0xdd, at - 16, at);
      bytes.fill(0xdd, at + into.length[row]!, at + into.length[row]! + 64);
    }
    // With something left and a silent kernel, only a wake brings us back.
    if (count === capacity && kernel.says.length === 0 && got.length < 700) assert.ok(kernel.wakes > wakes);
  }
}

const hex = (packets: readonly Uint8Array[]): string[] => packets.map((one) => one.toHex());
const train = (count: number, size: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => packet({ length: size, seq: i * size, id: i, first: (i * size * 7) & 0xff }));

test('super-packets become their segments, of more batches than one, in order with what stands between', () => {
  for (const capacity of [1, 7, 256]) {
    const kernel = new Kernel();
    const frames = new OffloadFrames(kernel, 0);
    const lone = packet({ host: 9, length: 33 });
    kernel.says.push(
      said(10, packet({ length: 7000 })),
      said(0, lone, 0),
      said(1000, packet({ length: 1500 })),
      said(0, lone, 0),
      said(0, lone, 0),
    );
    const wanted = [...train(700, 10), lone, ...cut(said(1000, packet({ length: 1500 }))), lone, lone];
    assert.deepEqual(hex(takeAll(frames, kernel, capacity)), hex(wanted));
    assert.equal(frames.malformed, 0);
  }
});

test('long segments are as many as there is memory for, and the rest comes later', () => {
  const kernel = new Kernel();
  const frames = new OffloadFrames(kernel, 0);
  for (let i = 0; i < 20; i++) kernel.says.push(said(30_000, packet({ length: 60_000 })));
  assert.equal(takeAll(frames, kernel, 256).length, 40);
});

test('what makes no sense is counted, and the rest comes', () => {
  const kernel = new Kernel();
  const frames = new OffloadFrames(kernel, 0);
  const good = packet({ length: 10 });
  kernel.says.push(new Uint8Array(9), said(10, good.subarray(0, 30)), said(0, good.subarray(0, 30)), said(0, good, 0));
  assert.deepEqual(hex(takeAll(frames, kernel, 256)), hex([good]));
  assert.equal(frames.malformed, 3);
});

function rowsOf(packets: readonly Uint8Array[]): FrameRows {
  const rows = new PacketBatch(256);
  for (const one of packets) {
    const region = makeRegion(one.length);
    region.bytes.set(one);
    rows.region[rows.count] = region;
    rows.length[rows.count++] = one.length;
  }
  return rows;
}

test('runs go out as one; what is refused as one goes out one by one; what is lost is lost alone', () => {
  const kernel = new Kernel();
  const frames = new OffloadFrames(kernel, 0);
  const packets = [...train(5, 100), packet({ host: 7 }), ...train(3, 50)];
  assert.equal(frames.send(rowsOf(packets)), 9);
  assert.equal(kernel.heard.length, 3);
  assert.deepEqual(hex(kernel.heard.flatMap((frame) => cut(frame))), hex(packets));

  kernel.heard.length = 0;
  kernel.fate = (frame) => (frame[1] === VnetGso.none ? Fate.taken : Fate.refused);
  assert.equal(frames.send(rowsOf(packets)), 9);
  assert.equal(kernel.heard.length, 9);
  assert.deepEqual(hex(kernel.heard.flatMap((frame) => cut(frame))).sort(), hex(packets).sort());

  kernel.heard.length = 0;
  kernel.fate = (frame) => (frame.length > 500 ? Fate.lost : Fate.taken);
  assert.equal(frames.send(rowsOf(packets)), 4);
  // One packet alone that is refused is lost.
  kernel.fate = () => Fate.refused;
  assert.equal(frames.send(rowsOf(packets)), 0);
});
