/** Any bytes as ARP and as neighbour discovery: nothing may throw, no limit may be passed, and what is said is whole. */
import { millis } from '@vrouter/core/time.ts';
import { finishChecksum, sumPseudoHeader, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import { Station } from './station.ts';

export const name = 'protocols/neighbour';

export const seeds: readonly Uint8Array[] = [
  '000108000604000102005e100002c0a8010200000000' + '0000c0a80101',
  '000108000604000202005e100002c0a8010202005e000001c0a80101',
  `6000000000203afffd880000000000000000000000000002ff0200000000000000000001ff000001` +
    `8700000000000000fd880000000000000000000000000001010102005e100002`,
  `6000000000203afffd880000000000000000000000000002fd880000000000000000000000000001` +
    `8800000060000000fd880000000000000000000000000002020102005e100002`,
].map((hex) => Uint8Array.fromHex(hex));

const LIMITS = { neighbours: 8, incomplete: 4 };
const sink = {
  frame(bytes: Uint8Array, at: number, length: number): void {
    if (length < 60 || at + length > bytes.length) throw new Error(`a frame of ${length} bytes`);
  },
  unreachable(): void {},
};
const station = new Station({ mac: Uint8Array.fromHex('02005e000001'), chance: 7, limits: LIMITS }, sink);
station.addAddress({ address: Uint8Array.of(192, 168, 1, 1), bits: 24 }, millis(0));
station.addAddress({ address: Uint8Array.fromHex('fd880000000000000000000000000001'), bits: 64 }, millis(0));
const clock = { now: 0 };

export function fuzzOne(bytes: Uint8Array): void {
  clock.now += 100;
  const { now } = clock;
  const packet = new Uint8Array(6 + bytes.length);
  packet.set(bytes, 6);
  const view = new DataView(packet.buffer);
  station.receiveArp(packet, view, 6, packet.length, millis(now));
  station.receiveNdp(packet, view, 6, packet.length, 0, millis(now));
  if (bytes.length >= 44) {
    const length = Math.min(view.getUint16(10), bytes.length - 40);
    view.setUint16(10, length);
    view.setUint8(13, 255);
    if (length >= 4) {
      view.setUint16(48, 0);
      view.setUint16(48, finishChecksum(sumWords(view, 46, length, sumPseudoHeader(view, 14, 16, 58, length))));
      station.receiveNdp(packet, view, 6, packet.length, 0, millis(now));
    }
  }
  if (bytes.length >= 16 && station.neighbours.table.find(view, 6, 16) < 0)
    station.wait(-1, view, 6, 16, { bytes: packet, at: 0, length: 6, tag: 0 }, millis(now));
  station.tick(millis(now));
  const { table, incomplete } = station.neighbours;
  if (table.count > LIMITS.neighbours || incomplete > LIMITS.incomplete || incomplete < 0)
    throw new Error(`${table.count} neighbours, ${incomplete} looked for`);
}
