/** IPv4 and IPv6 addresses as bytes and text. Text follows RFC 4291 section 2.2 in and RFC 5952 out. */
import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** 4 or 16 bytes, network order. The length is the family. */
export type IpBytes = Uint8Array;

const DOT = 46;
const ZERO = 48;

export function parseIp(text: string, field?: string): Result<IpBytes> {
  const bytes = text.includes(':') ? ipv6Bytes(text) : ipv4Bytes(text);
  return bytes === null
    ? err(problem('address.invalid', `"${clip(text)}" is not an IPv4 or IPv6 address`, field))
    : ok(bytes);
}

export function formatIp(bytes: IpBytes): string {
  return bytes.length === 4 ? `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` : formatIpv6(bytes);
}

/** IPv4 for an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), any other as it is. */
export function unmapped(bytes: IpBytes): IpBytes {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return bytes;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return bytes;
  return bytes.slice(12);
}

function ipv4Bytes(text: string): Uint8Array | null {
  const bytes = new Uint8Array(4);
  let part = 0;
  let value = 0;
  let digits = 0;
  // Letter by letter: routes come by the hundred thousand, and a regular expression takes four times as long.
  for (let i = 0; i <= text.length; i++) {
    const letter = i === text.length ? DOT : text.charCodeAt(i);
    if (letter === DOT) {
      if (digits === 0 || part > 3) return null;
      bytes[part++] = value;
      value = 0;
      digits = 0;
      continue;
    }
    const digit = letter - ZERO;
    // A leading zero means octal to some readers and decimal to others: refused.
    if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return null;
    value = value * 10 + digit;
    digits++;
    if (value > 255) return null;
  }
  return part === 4 ? bytes : null;
}

function ipv6Bytes(text: string): Uint8Array | null {
  const halves = text.split('::');
  if (halves.length > 2) return null;
  const short = halves.length === 2;
  const head = groups(halves[0]!, !short);
  const tail = short ? groups(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (short ? missing < 1 : missing !== 0) return null;
  const words = [...head, ...new Array<number>(short ? missing : 0).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 8; i++) {
    bytes[2 * i] = words[i]! >>> 8;
    bytes[2 * i + 1] = words[i]! & 0xff;
  }
  return bytes;
}

/** The 16-bit groups of one side of `::`; dotted IPv4 at the very end of the address counts as two. Null when malformed. */
function groups(side: string, atEnd: boolean): number[] | null {
  if (side === '') return [];
  const words: number[] = [];
  const parts = side.split(':');
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (atEnd && i === parts.length - 1 && part.includes('.')) {
      const v4 = ipv4Bytes(part);
      if (v4 === null) return null;
      words.push((v4[0]! << 8) | v4[1]!, (v4[2]! << 8) | v4[3]!);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      words.push(Number.parseInt(part, 16));
    } else return null;
  }
  return words;
}

function formatIpv6(bytes: Uint8Array): string {
  const words: number[] = [];
  for (let i = 0; i < 16; i += 2) words.push((bytes[i]! << 8) | bytes[i + 1]!);
  // RFC 5952 section 4.2: the longest run of at least two zero groups is shortened, the first of equals.
  let from = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && words[j] === 0) j++;
    if (j - i > length) {
      from = i;
      length = j - i;
    }
    if (j > i) i = j;
  }
  const hex = (part: number[]): string => part.map((word) => word.toString(16)).join(':');
  return from < 0 ? hex(words) : `${hex(words.slice(0, from))}::${hex(words.slice(from + length))}`;
}

function clip(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}...` : text;
}
