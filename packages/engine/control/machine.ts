/** What to say of an engine whose machine lacks the fast ways. */
import type { MachineFacts } from './messages.ts';

/** A sentence for each slow way that the engine had to take; none on a machine that has all. */
export function slowBackends({ udp, crypto }: MachineFacts): string[] {
  const told: string[] = [];
  if (udp === 'dgram')
    told.push(
      'UDP goes through node:dgram, one datagram at a time, and answers leave from the address that the system chooses: recvmmsg is not within reach (koffi, Linux on x86-64 or arm64)',
    );
  if (crypto === 'node-crypto')
    told.push('packets are sealed by node:crypto, four to seven times dearer: OpenSSL is not within reach (koffi)');
  return told;
}
