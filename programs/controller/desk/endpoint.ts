/** What peers connect to: `host` or `host:port`, where the host is a name, an IPv4 address, or an IPv6 address (in brackets with a port). */
import { parseHostPort } from '@vrouter/core/host-port.ts';
import { must } from './check.ts';

const DEFAULT_PORT = 51_820;

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
  return must(parseHostPort(text, defaultPort, 'endpoint'));
}
