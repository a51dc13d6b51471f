/** Any text as If-Match: it never throws, and what is read can be written and read again. */
import { asciiBytes } from '@vrouter/core/bytes.ts';
import { parseEntityTags } from './entity-tag.ts';

export const name = 'controller/rest/entity-tag';

export const seeds: readonly Uint8Array[] = ['*', '"a"', 'W/"a", "b.c"', ' , "a" ,, ""', '"a" "b"', 'a', '"'].map(
  asciiBytes,
);

export function fuzzOne(bytes: Uint8Array): void {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  const read = parseEntityTags(text, 'if-match');
  if (!read.ok || read.value === '*') return;
  const written = read.value.map(({ weak, tag }) => `${weak ? 'W/' : ''}"${tag}"`).join(', ');
  const again = parseEntityTags(written, 'if-match');
  if (!again.ok || JSON.stringify(again.value) !== JSON.stringify(read.value)) throw new Error(`${text} read anew`);
}
