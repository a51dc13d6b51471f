/** Any bytes as a message of neighbour discovery, as they are and with a right checksum: nothing may throw, and what is accepted keeps to its bounds. */
import { finishChecksum, sumPseudoHeader, sumWords } from '../checksum/checksum.ts';
import { isNdp, makeNdpMessage, NdpFault, NdpType, readNdp } from './ndp.ts';

export const name = 'wire/ndp';

export const seeds: readonly Uint8Array[] = [
  '6000000000203afffe800000000000000000000000000002ff0200000000000000000001ff0000018700' +
    'ed4e0000000020010db8000000000000000000000001010102005e100002',
  '6000000000103afffe800000000000000000000000000002ff0200000000000000000000000000028500' +
    '000000000000010102005e100002',
].map((hex) => Uint8Array.fromHex(hex));

const found = makeNdpMessage();

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  isNdp(view, 0, bytes.length);
  judge(bytes, view);
  if (bytes.length < 44) return;
  const length = Math.min(view.getUint16(4), bytes.length - 40);
  if (length < 4) return;
  view.setUint16(4, length);
  view.setUint8(7, 255);
  view.setUint16(42, 0);
  view.setUint16(42, finishChecksum(sumWords(view, 40, length, sumPseudoHeader(view, 8, 16, 58, length))));
  judge(bytes, view);
}

function judge(bytes: Uint8Array, view: DataView): void {
  if (readNdp(view, 0, bytes.length, found) !== NdpFault.none) return;
  if (!isNdp(view, 0, bytes.length)) throw new Error('read, but not seen as one');
  if (found.macAt >= 0 && (found.macAt < 50 || found.macAt + 6 > bytes.length))
    throw new Error('a MAC address outside');
  if (found.type !== NdpType.routerSolicitation && found.targetAt !== 48) throw new Error('a target elsewhere');
}
