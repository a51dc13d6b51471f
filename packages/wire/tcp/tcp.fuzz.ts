/** Any bytes as a TCP header: nothing throws, at most an MSS and the checksum change, and a right checksum stays right. */
import { finishChecksum, sumWords } from '../checksum/checksum.ts';
import { clampTcpMss, TCP_MIN_LEN, tcpIsSyn, tcpMssAt } from './tcp.ts';

export const name = 'wire/tcp';

export const seeds: readonly Uint8Array[] = [
  Uint8Array.fromHex('c0000050000000010000000060022000000000000204ffff'),
  Uint8Array.fromHex('c0000050000000010000000070022000000000000103030a010204ffff0000'),
];

const MOST = 1000;

export function fuzzOne(bytes: Uint8Array): void {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  if (copy.length >= TCP_MIN_LEN) {
    view.setUint16(16, 0);
    view.setUint16(16, finishChecksum(sumWords(view, 0, copy.length, 0)));
  }
  const before = copy.slice();
  const changed = clampTcpMss(view, 0, copy.length, MOST);
  if (!changed) {
    if (copy.toHex() !== before.toHex()) throw new Error('changed without saying so');
    return;
  }
  if (!tcpIsSyn(view, 0, copy.length) || view.getUint16(tcpMssAt(view, 0)) !== MOST) throw new Error('not clamped');
  const differs = copy.filter((byte, i) => byte !== before[i]).length;
  if (differs > 4) throw new Error(`${differs} bytes have changed`);
  if (finishChecksum(sumWords(view, 0, copy.length, 0)) !== 0) throw new Error('the checksum is wrong');
}
