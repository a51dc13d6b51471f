/** Any bytes as a capture file of either format: nothing may throw, and what is accepted must come back the same when written again. */
import { parsePcap, pcapHeader, pcapRecord } from './pcap.ts';
import { parsePcapng, pcapngInterface, pcapngPacket, pcapngSection } from './pcapng.ts';

export const name = 'wire/pcap';

const data = Uint8Array.fromHex('4500001f1c464000401109ea0a4d00020a4d00030fa01388000b03af616263');
const wg0 = Uint8Array.of(0x77, 0x67, 0x30);
export const seeds: readonly Uint8Array[] = [
  joined(pcapHeader(101, 65_535), pcapRecord(1_700_000_000_123, data, 0, data.length, data.length)),
  joined(
    pcapngSection(),
    pcapngInterface(wg0, 101, 65_535),
    pcapngPacket({ interface: 0, unixMs: 1, data, originalLength: data.length, direction: 1, comment: wg0 }),
  ),
];

export function fuzzOne(bytes: Uint8Array): void {
  const old = parsePcap(bytes);
  if (old !== null) {
    const records = old.packets.map((one) => pcapRecord(one.unixMs, one.data, 0, one.data.length, one.originalLength));
    const again = parsePcap(joined(pcapHeader(old.linkType, old.snapLen), ...records));
    if (again?.packets.length !== old.packets.length) throw new Error('packets were lost');
    for (const [i, packet] of old.packets.entries())
      if (packet.data.toHex() !== again.packets[i]!.data.toHex()) throw new Error(`packet ${i} came back changed`);
  }
  const ng = parsePcapng(bytes);
  if (ng === null) return;
  const interfaces = ng.interfaces.map((one) => pcapngInterface(one.name, one.linkType, one.snapLen));
  const again = parsePcapng(joined(pcapngSection(), ...interfaces, ...ng.packets.map(pcapngPacket)));
  if (again?.packets.length !== ng.packets.length) throw new Error('packets were lost');
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
