/** Any text as a cursor: it never throws, and what is taken is what was given out. */
import { asciiBytes } from '@vrouter/core/bytes.ts';
import { cursorText, readCursor } from './cursor.ts';

export const name = 'controller/rest/cursor';

const LIST = 'peers/edge-1';

export const seeds: readonly Uint8Array[] = [
  cursorText(LIST, 'phone'),
  cursorText(LIST, ''),
  cursorText('routes/edge-1', 'route/default/10.0.0.0/8'),
  Buffer.from('[]').toString('base64url'),
  Buffer.from(`["${LIST}",7]`).toString('base64url'),
].map(asciiBytes);

export function fuzzOne(bytes: Uint8Array): void {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  for (const one of [text, Buffer.from(bytes).toString('base64url')]) {
    const key = readCursor(LIST, one);
    if (key !== null && cursorText(LIST, key) !== one) throw new Error(`${one} was taken for ${key}`);
  }
}
