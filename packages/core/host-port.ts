/** Where something is reached: `host:port`, where the host is a name, an IPv4 address, or an IPv6 address in brackets. */
import { parseIp } from './ip.ts';
import { problem } from './problem.ts';
import { err, ok, type Result } from './result.ts';

/** Host names as RFC 1123 section 2.1 has them; one of digits and dots alone would be a mistyped address. */
const NAME = /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,62})(\.[a-zA-Z0-9][a-zA-Z0-9-]{0,62})*\.?$/;

/**
 * The one form of `host`, `host:port`, a bare IPv6 address or one in brackets: always with a port, which is `defaultPort` where none is
 * said. Names and addresses stay as they were written. `address.invalid`.
 */
export function parseHostPort(text: string, defaultPort: number, field?: string): Result<string> {
  const wrong = problem(
    'address.invalid',
    'an endpoint is a host or host:port: vpn.example:51820, [2001:db8::1]:51820',
    field,
  );
  if (isIpv6(text)) return ok(`[${text}]:${defaultPort}`);
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return err(wrong);
  const [, bracketed, bare, digits] = match;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port < 1 || port > 65_535) return err(wrong);
  if (bracketed !== undefined) return isIpv6(bracketed) ? ok(`[${bracketed}]:${port}`) : err(wrong);
  if (!parseIp(bare!).ok && (!NAME.test(bare!) || /^[\d.]+$/.test(bare!))) return err(wrong);
  return ok(`${bare}:${port}`);
}

function isIpv6(text: string): boolean {
  return text.includes(':') && parseIp(text).ok;
}
