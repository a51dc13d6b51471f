/** UTF-8 both ways, RFC 3629. This package knows no TextDecoder; control messages are nearly all ASCII, which goes in long strides. */

const STRIDE = 4096;

/** The text, or null when the bytes are not UTF-8 (overlong forms and surrogates included). */
export function decodeUtf8(bytes: Uint8Array): string | null {
  let text = '';
  let at = 0;
  while (at < bytes.length) {
    const end = Math.min(bytes.length, at + STRIDE);
    let ascii = at;
    while (ascii < end && bytes[ascii]! < 0x80) ascii++;
    if (ascii > at) text += String.fromCharCode.apply(null, bytes.subarray(at, ascii) as unknown as number[]);
    at = ascii;
    if (at === end) continue;
    const first = bytes[at]!;
    const size =
      first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
    if (size === 0 || at + size > bytes.length) return null;
    let point = first & (0xff >>> (size + 1));
    for (let i = 1; i < size; i++) {
      const next = bytes[at + i]!;
      if (next >>> 6 !== 2) return null;
      point = (point << 6) | (next & 0x3f);
    }
    const least = size === 2 ? 0x80 : size === 3 ? 0x800 : 0x10000;
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return null;
    text += String.fromCodePoint(point);
    at += size;
  }
  return text;
}

/** The bytes of a text; a lone surrogate becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text));
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      bytes[at++] = unit;
      continue;
    }
    let point = text.codePointAt(i)!;
    if (point > 0xffff) i++;
    else if (point >= 0xd800 && point < 0xe000) point = 0xfffd;
    if (point < 0x800) bytes[at++] = 0xc0 | (point >>> 6);
    else {
      if (point < 0x10000) bytes[at++] = 0xe0 | (point >>> 12);
      else {
        bytes[at++] = 0xf0 | (point >>> 18);
        bytes[at++] = 0x80 | ((point >>> 12) & 0x3f);
      }
      bytes[at++] = 0x80 | ((point >>> 6) & 0x3f);
    }
    bytes[at++] = 0x80 | (point & 0x3f);
  }
  return bytes;
}

function utf8Length(text: string): number {
  let length = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) length += 1;
    else if (unit < 0x800) length += 2;
    else if (text.codePointAt(i)! > 0xffff) {
      length += 4;
      i++;
    } else length += 3;
  }
  return length;
}
