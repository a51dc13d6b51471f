/** Any text at the parser of host names: it never throws, and what it lets by is harmless and stays as it is. */
import { asciiBytes } from './bytes.ts';
import { parseHostName } from './dns-name.ts';

export const name = 'core/dns-name';

export const seeds: readonly Uint8Array[] = [
  'web.blue.lan',
  'my_app-1.',
  'a\nb=c#d,e f',
  `${'a'.repeat(63)}.${'b'.repeat(63)}`,
  '10.0.0.1',
].map(asciiBytes);

export function fuzzOne(bytes: Uint8Array): void {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  const parsed = parseHostName(text);
  if (!parsed.ok) return;
  const again = parseHostName(parsed.value);
  if (!again.ok || again.value !== parsed.value) throw new Error(`${text} came back as another`);
  if (!/^[a-z0-9_.-]{1,253}$/.test(parsed.value) || /(?:^|\.)(?:\.|$)/.test(parsed.value))
    throw new Error(`${JSON.stringify(text)} was let by`);
}
