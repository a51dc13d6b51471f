/** What the system says when a socket cannot be had, as Problems. */
import { getSystemErrorName } from 'node:util';
import { type Problem, problem } from '@vrouter/core/problem.ts';

/** The `EADDRINUSE` of an errno. */
export function errnoName(errno: number): string {
  return getSystemErrorName(-errno);
}

/** Why a UDP socket could not be bound: `port.inUse`, `port.denied`, `address.invalid`, else `internal`. */
export function bindProblem(name: string, address: string, port: number): Problem {
  const where = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  switch (name) {
    case 'EADDRINUSE':
      return problem(
        'port.inUse',
        `UDP port ${port} on ${address} is in use: stop what holds it, or choose another port`,
      );
    case 'EACCES':
    case 'EPERM':
      return problem(
        'port.denied',
        `UDP ${where} needs privileges: choose a port above 1023, or give CAP_NET_BIND_SERVICE`,
      );
    case 'EADDRNOTAVAIL':
    case 'EINVAL':
      return problem('address.invalid', `${address} is not an address of this machine`);
    case 'EAFNOSUPPORT':
      return problem('address.invalid', `this machine has no ${address.includes(':') ? 'IPv6' : 'IPv4'}`);
    default:
      return problem('internal', `UDP ${where} cannot be opened: ${name}`);
  }
}
