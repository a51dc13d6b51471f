/** What the system says when there is no VSOCK socket, as Problems with what to do. */
import { type Problem, problem } from '@vrouter/core/problem.ts';

export function vsockProblem(errnoName: string, port: number): Problem {
  switch (errnoName) {
    case 'EADDRINUSE':
      return problem('port.inUse', `VSOCK port ${port} is in use: stop what holds it, or choose another port`);
    case 'EACCES':
    case 'EPERM':
      return problem(
        'port.denied',
        `VSOCK port ${port} needs privileges: choose one above 1023, or give CAP_NET_BIND_SERVICE`,
      );
    case 'EAFNOSUPPORT':
    case 'EADDRNOTAVAIL':
    case 'ENODEV':
      return problem(
        'port.denied',
        'this machine has no VSOCK: load its module (in a guest vmw_vsock_virtio_transport, on a host vhost_vsock)',
      );
    default:
      return problem('internal', `VSOCK port ${port} cannot be opened: ${errnoName}`);
  }
}
