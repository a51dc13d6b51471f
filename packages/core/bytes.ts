import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** Compares two byte strings without telling by timing where they differ. Lengths are not secret. */
export function equalConstantTime(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** ASCII text as bytes; other characters throw, since only constants of ours come here. */
export function asciiBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) throw new RangeError(`not ASCII at ${i}`);
    bytes[i] = code;
  }
  return bytes;
}

/** A 32-byte key in base64 as wg(8) prints it: 44 characters, canonical. Error: `key.invalid`. */
export function parseKey(text: string, field?: string): Result<Uint8Array> {
  if (/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(text)) return ok(Uint8Array.fromBase64(text));
  return err(problem('key.invalid', 'a key is 32 bytes in base64: 44 characters that end in "="', field));
}

export function formatKey(key: Uint8Array): string {
  return key.toBase64();
}
