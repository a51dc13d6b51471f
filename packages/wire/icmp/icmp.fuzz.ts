/** Any bytes as an ICMP message of either family, as they are and with a right checksum: what is an echo is the same when written again. */
import { finishChecksum, sumWords } from '../checksum/checksum.ts';
import { checkIcmp, emitIcmpEcho, IcmpFault, icmpEchoLen, parseIcmpEcho, setIcmpType } from './icmp.ts';

export const name = 'wire/icmp';

export const seeds: readonly Uint8Array[] = [
  '0800339500070001616263',
  '8000c05c00070001616263',
  '0000fffe00000001',
].map((hex) => Uint8Array.fromHex(hex));

/** Sum of a pseudo-header; any will do. */
const PSEUDO = 0x1234;

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const [family, sum] of [
    [4, 0],
    [6, PSEUDO],
  ] as const) {
    roundTrip(family, view, bytes, sum);
    if (bytes.length < 4) continue;
    view.setUint16(2, 0);
    view.setUint16(2, finishChecksum(sumWords(view, 0, bytes.length, sum)));
    roundTrip(family, view, bytes, sum);
  }
}

function roundTrip(family: 4 | 6, view: DataView, bytes: Uint8Array, sum: number): void {
  const echo = parseIcmpEcho(family, view, 0, bytes.length, sum);
  if (echo === null) return;
  const again = new Uint8Array(icmpEchoLen(echo)).fill(0xa5);
  const copy = new DataView(again.buffer);
  emitIcmpEcho(echo, copy, 0, sum);
  if (again.length !== bytes.length || parseIcmpEcho(family, copy, 0, again.length, sum)?.sequence !== echo.sequence)
    throw new Error('came back changed');
  setIcmpType(copy, 0, 3);
  if (checkIcmp(copy, 0, again.length, sum) !== IcmpFault.none) throw new Error('the checksum was not mended');
}
