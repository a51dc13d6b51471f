/**
 * Any bytes as a frame with its virtio-net header: cut or refused, never read or written outside of it; and any bytes as packets to
 * gather: what comes of them is cut into the same again.
 */

import { Gatherer } from './gather.ts';
import { emitVnet, parseVnet, VNET_LEN, VnetGso, vnetGso } from './header.ts';
import { packet, rowsOf } from './packets.testing.ts';
import { cut, gathered, meant } from './rounds.testing.ts';
import { finishVnetChecksum, Segmenter, VnetFault } from './segment.ts';

export const name = 'wire/virtio-net';

export const seeds: readonly Uint8Array[] = (['tcp', 'udp'] as const).flatMap((protocol) =>
  ([4, 6] as const).map((family) => {
    const whole = packet({ protocol, family, length: 90 });
    const bytes = new Uint8Array(VNET_LEN + whole.length);
    const gso = protocol === 'udp' ? VnetGso.udpDatagrams : family === 4 ? VnetGso.tcp4 : VnetGso.tcp6;
    const checksumStart = family === 4 ? 20 : 40;
    const checksumOffset = protocol === 'tcp' ? 16 : 6;
    const header = { flags: 1, gso, headerLength: 40, gsoSize: 30, checksumStart, checksumOffset };
    emitVnet(header, new DataView(bytes.buffer), 0);
    bytes.set(whole, VNET_LEN);
    return bytes;
  }),
);

export function fuzzOne(bytes: Uint8Array): void {
  for (const linkBytes of [0, 14] as const) {
    cutOne(bytes, linkBytes);
    gatherOne(bytes, linkBytes);
  }
}

function cutOne(given: Uint8Array, linkBytes: 0 | 14): void {
  const bytes = given.slice();
  const view = new DataView(bytes.buffer);
  const header = parseVnet(view, 0, bytes.length);
  const segmenter = new Segmenter(linkBytes);
  if (header === null) {
    if (segmenter.begin({ bytes, view }, 0, bytes.length) !== VnetFault.short) throw new Error('too short, and taken');
    return;
  }
  if (vnetGso(view, 0) === VnetGso.none) {
    finishVnetChecksum(view, 0, bytes.length);
    return;
  }
  if (segmenter.begin({ bytes, view }, 0, bytes.length) !== VnetFault.none) return;
  let payload = 0;
  const into = new Uint8Array(segmenter.longest);
  const memory = { bytes: into, view: new DataView(into.buffer) };
  const expected = segmenter.left;
  let count = 0;
  for (; segmenter.left > 0; count++) {
    const length = segmenter.next(memory, 0);
    if (length > into.length) throw new Error('longer than the longest');
    payload += length;
  }
  if (count !== expected) throw new Error(`${expected} segments became ${count}`);
  if (payload < bytes.length - VNET_LEN) throw new Error('payload was lost');
}

/** The bytes in packets of one to a few hundred bytes, the first byte of each its length. */
function gatherOne(bytes: Uint8Array, linkBytes: 0 | 14): void {
  const packets: Uint8Array[] = [];
  for (let at = 0; at < bytes.length && packets.length < 32; ) {
    const length = Math.min(bytes[at]! + 1, bytes.length - at);
    packets.push(bytes.slice(at, at + length));
    at += length;
  }
  // Whole packets among them, so that something joins.
  if (bytes.length > 20) packets.push(bytes.slice(VNET_LEN), bytes.slice(VNET_LEN));
  for (let i = 0; i < 3; i++) packets.push(packet({ seq: i * 50, length: 50, id: i, host: bytes[0] ?? 1 }));
  const gatherer = new Gatherer(packets.length, linkBytes, { tcp: true, udp: true });
  gatherer.gather(rowsOf(packets));
  let held = 0;
  for (let f = 0; f < gatherer.frames; f++) held += gatherer.packets[f]!;
  if (held !== packets.length) throw new Error(`${packets.length} packets became ${held}`);
  const back = gathered(packets, linkBytes).flatMap((frame) => cut(frame, linkBytes));
  const sorted = (all: readonly Uint8Array[]): string =>
    all
      .map((one) => meant(one, linkBytes).toHex())
      .sort()
      .join();
  if (sorted(back) !== sorted(packets)) throw new Error('what was joined did not come apart into the same');
}
