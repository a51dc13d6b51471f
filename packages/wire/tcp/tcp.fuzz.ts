/** Any bytes as a segment: the guard is enough for every accessor, options are walked to an end, what parses is written back as it was. */
import { sumWords } from '../checksum/checksum.ts';
import {
  checkTcp,
  emitTcp,
  parseTcp,
  TCP_CHECKSUM_AT,
  TcpFault,
  tcpFlags,
  tcpHeaderLen,
  tcpLen,
  tcpOption,
  tcpUrgent,
} from './tcp.ts';

export const name = 'wire/tcp';

export const seeds: readonly Uint8Array[] = [
  '30390050000000010000000070022000ae910000020405b401010402',
  '00500fa0000003e8000007d05011ffff86bb0000686921',
].map((text) => Uint8Array.fromHex(text));

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (checkTcp(view, 0, bytes.length) !== TcpFault.none) {
    if (parseTcp(view, 0, bytes.length, 0) !== null) throw new Error('parsed what the guard refuses');
    return;
  }
  const end = tcpHeaderLen(view, 0);
  tcpFlags(view, 0);
  tcpUrgent(view, 0);
  for (let kind = 0; kind < 256; kind++) {
    const at = tcpOption(view, 0, kind);
    if (at >= 0 && (view.getUint8(at) !== kind || at + view.getUint8(at + 1) > end))
      throw new Error(`option ${kind} at ${at} is not one`);
  }
  // A pseudo-header with which the sum comes out right.
  const pseudo = 0xffff - (sumWords(view, 0, bytes.length, 0) % 0xffff);
  const header = parseTcp(view, 0, bytes.length, pseudo);
  if (header === null) throw new Error('a right checksum was refused');
  const again = bytes.slice();
  again.fill(0xa5, 0, tcpLen(header));
  emitTcp(header, new DataView(again.buffer), 0, pseudo);
  for (let i = 0; i < bytes.length; i++) {
    const wanted = i === 12 ? bytes[i]! & 0xf0 : bytes[i]!;
    // The sum changes with the reserved bits that are not written.
    const sum = i === TCP_CHECKSUM_AT || i === TCP_CHECKSUM_AT + 1;
    if (again[i] !== wanted && !(sum && ((bytes[12]! & 0xf) !== 0 || isZeroSum(bytes))))
      throw new Error(`byte ${i} came back as ${again[i]}`);
  }
}

/** 0x0000 and 0xffff are one number in this arithmetic. */
function isZeroSum(bytes: Uint8Array): boolean {
  const sum = (bytes[TCP_CHECKSUM_AT]! << 8) | bytes[TCP_CHECKSUM_AT + 1]!;
  return sum === 0 || sum === 0xffff;
}
