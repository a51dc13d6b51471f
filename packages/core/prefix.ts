/** CIDR prefixes: `10.0.0.0/24`, `2001:db8::/32`; and interface addresses, which keep their host bits: `10.0.0.1/24`. */
import { formatIp, type IpBytes, parseIp } from './ip.ts';
import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

export interface Prefix {
  /** 4 or 16 bytes. */
  readonly address: IpBytes;
  /** Prefix length in bits, 0 to 32 or 128. */
  readonly bits: number;
}

/** A network prefix; host bits must be zero, because a stray one mostly means that another prefix was meant. `prefix.invalid`. */
export function parsePrefix(text: string, field?: string): Result<Prefix> {
  const parsed = parseInterfaceAddress(text, field);
  if (!parsed.ok) return parsed;
  const network = networkOf(parsed.value);
  const canonical = formatPrefix(network);
  if (canonical !== formatPrefix(parsed.value))
    return err(problem('prefix.invalid', `"${text}" has host bits set; write ${canonical}`, field));
  return ok(network);
}

/** An address with its prefix length; a bare address means /32 or /128. Host bits stay. `prefix.invalid`. */
export function parseInterfaceAddress(text: string, field?: string): Result<Prefix> {
  const slash = text.indexOf('/');
  const address = parseIp(slash < 0 ? text : text.slice(0, slash), field);
  if (!address.ok)
    return err(problem('prefix.invalid', `${address.error.message}; a prefix looks like 10.0.0.0/24`, field));
  const most = address.value.length * 8;
  const length = slash < 0 ? String(most) : text.slice(slash + 1);
  // A leading zero is octal to some readers, as in an address.
  if (!/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > most)
    return err(problem('prefix.invalid', `the prefix length is 0 to ${most}, without leading zeros`, field));
  return ok({ address: address.value, bits: Number(length) });
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatIp(prefix.address)}/${prefix.bits}`;
}

/** The same prefix with its host bits cleared. */
export function networkOf(prefix: Prefix): Prefix {
  const address = new Uint8Array(prefix.address);
  for (let i = 0; i < address.length; i++) {
    const keep = Math.min(8, Math.max(0, prefix.bits - 8 * i));
    address[i] = address[i]! & (0xff00 >>> keep) & 0xff;
  }
  return { address, bits: prefix.bits };
}

/** Whether every address of `inner` is in `outer`. Families never mix. */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  if (outer.address.length !== inner.address.length || inner.bits < outer.bits) return false;
  return networkOf({ address: inner.address, bits: outer.bits }).address.every(
    (byte, i) => byte === networkOf(outer).address[i],
  );
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return containsPrefix(a, b) || containsPrefix(b, a);
}
