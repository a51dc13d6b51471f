/** Any bytes as each of the four WireGuard messages: nothing may throw, one kind at most accepts them, and it writes the same bytes again. */
import { COOKIE_REPLY_LEN, emitCookieReply, parseCookieReply } from './cookie-reply.ts';
import { dataLen, emitData, parseData } from './data.ts';
import { emitInitiation, INITIATION_LEN, parseInitiation } from './initiation.ts';
import { emitResponse, parseResponse, RESPONSE_LEN } from './response.ts';

export const name = 'wire/wireguard';

export const seeds: readonly Uint8Array[] = [
  [1, INITIATION_LEN],
  [2, RESPONSE_LEN],
  [3, COOKIE_REPLY_LEN],
  [4, 32],
  [4, 112],
].map(([type, length]) => Uint8Array.from({ length: length! }, (_, i) => (i === 0 ? type! : i < 4 ? 0 : i & 0xff)));

export function fuzzOne(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length;
  const kinds: Uint8Array[] = [];
  const written = (length: number, emit: (v: DataView) => void): void => {
    const again = new Uint8Array(length).fill(0xa5);
    emit(new DataView(again.buffer));
    kinds.push(again);
  };
  const initiation = parseInitiation(view, 0, end);
  if (initiation !== null) written(INITIATION_LEN, (v) => emitInitiation(initiation, v, 0));
  const response = parseResponse(view, 0, end);
  if (response !== null) written(RESPONSE_LEN, (v) => emitResponse(response, v, 0));
  const cookie = parseCookieReply(view, 0, end);
  if (cookie !== null) written(COOKIE_REPLY_LEN, (v) => emitCookieReply(cookie, v, 0));
  const data = parseData(view, 0, end);
  if (data !== null) written(dataLen(data), (v) => emitData(data, v, 0));
  if (kinds.length > 1) throw new Error('two kinds at once');
  for (const again of kinds) if (again.toHex() !== bytes.toHex()) throw new Error(`came back as ${again.toHex()}`);
}
