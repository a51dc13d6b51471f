/** Ports at which programs of this machine listen, which would hear nothing more of them once they are published. */
import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { formatIp, unmapped } from '@vrouter/core/ip.ts';

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  /** Canonical; `0.0.0.0` and `::` are every one, the latter of both families. */
  readonly address: string;
  readonly port: number;
}

/** TCP_LISTEN and TCP_CLOSE of include/net/tcp_states.h; the latter is a UDP socket that is connected to nobody. */
const states = { tcp: '0A', udp: '07' } as const;

/** Of TCP, and of UDP sockets that hear anybody. */
export function listenersNow(read = readTable): Listener[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) =>
    ['', '6'].flatMap((family) => rowsOf(read(`/proc/self/net/${protocol}${family}`), protocol)),
  );
}

/** Number, own address and port, those of the other side, state, ...; hexadecimal, addresses in words of the machine's byte order. */
function rowsOf(table: string, protocol: 'tcp' | 'udp'): Listener[] {
  return table.split('\n').flatMap((line) => {
    const [, local = '', , state] = line.trim().split(/\s+/);
    const [, address, port] = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local) ?? [];
    if (address === undefined || state !== states[protocol]) return [];
    return [{ protocol, address: addressOf(address), port: Number(`0x${port}`) }];
  });
}

function addressOf(hex: string): string {
  const bytes = Uint8Array.fromHex(hex);
  if (endianness() === 'LE') for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  return formatIp(unmapped(bytes));
}

/** Who would hear nothing more if these ports were published; null: nobody. `hostAddress` is a published port's. */
export function disturbed(
  listeners: readonly Listener[],
  {
    hostAddress,
    protocol,
    hostPort,
    count,
  }: { hostAddress: string | null; protocol: string; hostPort: number; count: number },
): Listener | null {
  const isIpv6 = hostAddress?.includes(':') === true;
  const isEvery = hostAddress === null || hostAddress === '::';
  return (
    listeners.find(({ protocol: other, address, port }) => {
      if (other !== protocol || port < hostPort || port >= hostPort + count) return false;
      if (address === '::' || (address === '0.0.0.0' && !isIpv6)) return true;
      return isEvery ? address.includes(':') === isIpv6 : address === hostAddress;
    }) ?? null
  );
}

/** '' where the machine has no such table. */
function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
