/** Frames of a `Gatherer` as a kernel would have them, and what a kernel, or our own segmenter, makes of them again. */
import { Gatherer, type GatherKinds } from './gather.ts';
import { VNET_LEN, VnetGso, vnetGso } from './header.ts';
import { rowsOf } from './packets.testing.ts';
import { finishVnetChecksum, Segmenter, VnetFault } from './segment.ts';

const kinds: GatherKinds = { tcp: true, udp: true };

/** What is written, frame by frame: header and pieces in one. */
export function gathered(
  packets: readonly Uint8Array[],
  linkBytes: 0 | 14 = 0,
  which: GatherKinds = kinds,
): Uint8Array[] {
  const gatherer = new Gatherer(Math.max(1, packets.length), linkBytes, which);
  gatherer.gather(rowsOf(packets));
  return Array.from({ length: gatherer.frames }, (_, f) => {
    const parts: number[] = [];
    for (let p = gatherer.firstPiece[f]!; p < gatherer.firstPiece[f + 1]!; p++) {
      const at = gatherer.offset[p]!;
      parts.push(...gatherer.region[p]!.bytes.subarray(at, at + gatherer.length[p]!));
    }
    return Uint8Array.from(parts);
  });
}

/** Packets of one frame with its virtio-net header. Throws on a fault. */
export function cut(frame: Uint8Array, linkBytes: 0 | 14 = 0): Uint8Array[] {
  const bytes = frame.slice();
  const memory = { bytes, view: new DataView(bytes.buffer) };
  if (vnetGso(memory.view, 0) === VnetGso.none) {
    const fault = finishVnetChecksum(memory.view, 0, bytes.length);
    if (fault !== VnetFault.none) throw new Error(`fault ${fault}`);
    return [bytes.slice(VNET_LEN)];
  }
  const segmenter = new Segmenter(linkBytes);
  const fault = segmenter.begin(memory, 0, bytes.length);
  if (fault !== VnetFault.none) throw new Error(`fault ${fault}`);
  const room = new Uint8Array(segmenter.longest + 3).fill(0xa5);
  const into = { bytes: room, view: new DataView(room.buffer) };
  const packets: Uint8Array[] = [];
  while (segmenter.left > 0) {
    const length = segmenter.next(into, 3);
    packets.push(room.slice(3, 3 + length));
  }
  return packets;
}

/** The packet without what a run may change of it: the identification of an IPv4 packet that may not be fragmented, and its checksum. */
export function meant(packet: Uint8Array, linkBytes: 0 | 14 = 0): Uint8Array {
  if (packet.length < linkBytes + 20 || packet[linkBytes]! >>> 4 !== 4 || (packet[linkBytes + 6]! & 0x40) === 0)
    return packet;
  return packet
    .slice()
    .fill(0, linkBytes + 4, linkBytes + 6)
    .fill(0, linkBytes + 10, linkBytes + 12);
}
