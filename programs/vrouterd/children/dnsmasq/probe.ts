/** One question over UDP from the host itself, as a sign of life. */
import { createSocket } from 'node:dgram';
import { networkInterfaces } from 'node:os';

/** RFC 1035 section 4.1: one question, recursion desired, for the address of a name without a dot, which is never asked of others. */
const QUESTION = Buffer.concat([
  Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
  Buffer.from([13]),
  Buffer.from('vrouter-probe'),
  Buffer.from([0, 0, 1, 0, 1]),
]);

/** Of this host, without scopes. */
export function ownAddresses(): ReadonlySet<string> {
  return new Set(Object.values(networkInterfaces()).flatMap((rows) => rows?.map(({ address }) => address) ?? []));
}

/**
 * Whether anything answers at port 53 of the address in time. Null when it is none of `ours`: nothing is sent
 * to strangers.
 */
export async function answersAt(
  address: string,
  timeoutMs: number,
  ours: ReadonlySet<string>,
): Promise<boolean | null> {
  if (!ours.has(address)) return null;
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeoutMs);
      const settle = (alive: boolean): void => {
        clearTimeout(timer);
        resolve(alive);
      };
      socket.on('error', () => settle(false));
      socket.on('message', () => settle(true));
      // Connected, so that only its answers are heard, and that nobody listens there is an error.
      socket.connect(53, address, () => socket.send(QUESTION));
    });
  } finally {
    socket.close();
  }
}
