/** What peers connect to: `host` or `host:port`, where the host is a name, an IPv4 address, or an IPv6 address (in brackets with a port). */
import { isIP } from 'node:net';
import { ProblemError, problem } from '@vrouter/core/problem.ts';

const DEFAULT_PORT = 51_820;
const NAME = /^(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,62})(\.[a-zA-Z0-9][a-zA-Z0-9-]{0,62})*\.?$/;

/**
 * The endpoint and the port to listen on. Who names a port in the endpoint alone means both; they differ on purpose when there is a
 * NAT in front. Throws `address.invalid`.
 */
export function readEndpointAndPort(
  text: string,
  listenPort: number | undefined,
): { readonly endpoint: string; readonly listenPort: number } {
  const endpoint = readEndpoint(text, listenPort ?? DEFAULT_PORT);
  return { endpoint, listenPort: listenPort ?? Number(endpoint.slice(endpoint.lastIndexOf(':') + 1)) };
}

/** The canonical `host:port`. Throws `address.invalid` with field `endpoint`. */
export function readEndpoint(text: string, defaultPort: number): string {
  const wrong = (): ProblemError =>
    new ProblemError(
      problem(
        'address.invalid',
        'an endpoint is a host or host:port: vpn.example:51820, [2001:db8::1]:51820',
        'endpoint',
      ),
    );
  if (isIP(text) === 6) return `[${text}]:${defaultPort}`;
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) throw wrong();
  const [, bracketed, bare, digits] = match;
  const port = digits === undefined ? defaultPort : Number(digits);
  if (port < 1 || port > 65535) throw wrong();
  if (bracketed !== undefined) {
    if (isIP(bracketed) !== 6) throw wrong();
    return `[${bracketed}]:${port}`;
  }
  if (isIP(bare!) !== 4 && (!NAME.test(bare!) || /^[\d.]+$/.test(bare!))) throw wrong();
  return `${bare}:${port}`;
}
