/** MAC addresses (IEEE 802 section 8) as bytes and text; text is written as `02:00:5e:10:00:01`, and read with `-` too. */
import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** 6 bytes. */
export type MacBytes = Uint8Array;

/** A station's own address: neither a group's nor all zero. Error: `address.invalid`. */
export function parseMac(text: string, field?: string): Result<MacBytes> {
  if (!/^[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}$/.test(text))
    return err(problem('address.invalid', 'a MAC address looks like 02:00:5e:10:00:01', field));
  const bytes = Uint8Array.from(text.split(/[:-]/), (part) => Number.parseInt(part, 16));
  if ((bytes[0]! & 1) !== 0 || bytes.every((byte) => byte === 0))
    return err(problem('address.invalid', `${formatMac(bytes)} is no station's address`, field));
  return ok(bytes);
}

export function formatMac(bytes: MacBytes): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
