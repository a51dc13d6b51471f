/** UDP sockets in the shape of the engine's `DatagramSocket`. */
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { openDgram } from './dgram.ts';
import { openMmsg } from './mmsg.ts';
import type { UdpOptions, UdpSocket } from './shape.ts';
import { loadSocketCalls } from './syscalls.ts';

export type UdpBackend = UdpSocket['backend'];

/** The backend that this machine gets. */
export function udpBackend(): UdpBackend {
  return loadSocketCalls() === null ? 'dgram' : 'recvmmsg';
}

/**
 * Opens and binds a UDP socket; `::` takes IPv4 as well, and its IPv4 peers show as IPv4. `backend` forces the fallback.
 * Rejects with ProblemError: `port.inUse`, `port.denied` (privileges), `address.invalid`, `input.invalid` (no such port).
 */
export async function openUdp(options: UdpOptions, backend: UdpBackend = udpBackend()): Promise<UdpSocket> {
  const { port } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new ProblemError(problem('input.invalid', `a UDP port is a number from 0 to 65535, not ${port}`, 'port'));
  if (backend === 'dgram') return openDgram(options);
  const native = loadSocketCalls();
  if (native === null) throw new Error('this machine has no recvmmsg that we can call');
  return openMmsg(native, options);
}
