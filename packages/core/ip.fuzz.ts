/** Any text at the parsers of addresses: none may throw, and what they accept must come back the same from its own text. */
import { asciiBytes, parseKey } from './bytes.ts';
import { parseEndpoint } from './endpoint.ts';
import { formatIp, parseIp } from './ip.ts';
import { parseInterfaceName, parseName } from './names.ts';
import { formatPrefix, parseInterfaceAddress, parsePrefix } from './prefix.ts';

export const name = 'core/ip';

export const seeds: readonly Uint8Array[] = [
  '192.0.2.1',
  '255.255.255.255/32',
  '10.0.0.0/8',
  '2001:db8::1',
  '2001:db8:0:0:1:0:0:1/64',
  '::ffff:192.0.2.128',
  '::/0',
  '[2001:db8::1]:51820',
  '192.0.2.1:51820',
].map(asciiBytes);

export function fuzzOne(bytes: Uint8Array): void {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  const ip = parseIp(text);
  if (ip.ok) stable(formatIp(ip.value), (again) => mapped(parseIp(again), formatIp));
  const prefix = parsePrefix(text);
  if (prefix.ok) stable(formatPrefix(prefix.value), (again) => mapped(parsePrefix(again), formatPrefix));
  const address = parseInterfaceAddress(text);
  if (address.ok) stable(formatPrefix(address.value), (again) => mapped(parseInterfaceAddress(again), formatPrefix));
  const endpoint = parseEndpoint(text);
  if (endpoint.ok) stable(endpoint.value.text, (again) => mapped(parseEndpoint(again), (value) => value.text));
  parseName(text);
  parseInterfaceName(text);
  parseKey(text);
}

function mapped<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false },
  format: (value: T) => string,
): string | null {
  return result.ok ? format(result.value) : null;
}

function stable(text: string, roundTrip: (text: string) => string | null): void {
  const again = roundTrip(text);
  if (again !== text) throw new Error(`${text} came back as ${again}`);
}
