/** Any bytes as a UDP datagram of either family: nothing may throw, and what is accepted is the same when written again. */
import { emitUdp, parseUdp, UDP_LEN, udpChecksum } from './udp.ts';

export const name = 'wire/udp';

/** Pseudo-header sums between 192.0.2.1 and .2, and between fd77::1 and ::2, for 11 bytes. */
const sums = { 4: 0x1_841f, 6: 0x1_fb0d } as const;

export const seeds: readonly Uint8Array[] = [
  '03e807d0000babb9616263',
  '03e807d0000b0000616263',
  '0fa013880008ffff',
].map((hex) => Uint8Array.fromHex(hex));

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const family of [4, 6] as const) {
    const sum = sums[family];
    const header = parseUdp(view, 0, bytes.length, family, sum);
    if (header === null) continue;
    const again = bytes.slice(0, UDP_LEN + header.payloadLength);
    const copy = new DataView(again.buffer);
    emitUdp(header, copy, 0, sum);
    // A sender may leave the checksum out over IPv4; we never do.
    const sent = udpChecksum(view, 0);
    if (sent !== 0 && udpChecksum(copy, 0) !== sent) throw new Error('another checksum');
    if (JSON.stringify(parseUdp(copy, 0, again.length, family, sum)) !== JSON.stringify(header))
      throw new Error('came back changed');
  }
}
