/**
 * Ports at which programs of this machine listen, which would hear nothing more of them once they are published: the one rule of all doors that publish
 * ports. What is published already is not asked for again.
 */
import { endianness } from 'node:os';
import { formatIp, unmapped } from '@vrouter/core/ip.ts';
import { type Problem, problem } from '@vrouter/core/problem.ts';
import type { Intent, PublishedPortIntent } from '@vrouter/intent/model/intents.ts';
import { readKernelTable } from './kernel-table.ts';

export interface Listener {
  readonly protocol: 'tcp' | 'udp';
  /** Canonical; `0.0.0.0` and `::` are every one, the latter of both families. */
  readonly address: string;
  readonly port: number;
}

/** TCP_LISTEN and TCP_CLOSE of include/net/tcp_states.h; the latter is a UDP socket that is connected to nobody. */
const states = { tcp: '0A', udp: '07' } as const;

/** Of TCP, and of UDP sockets that hear anybody. */
export function listenersNow(read = readKernelTable): Listener[] {
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

const DNS_PORT = 53;

/** Without our resolvers, which listen at the gateways of networks and at the link-local addresses of their links. `said`: by all sources. */
export function othersThanResolvers(
  listeners: readonly Listener[],
  said: Iterable<{ readonly intent: Intent }>,
): readonly Listener[] {
  if (!listeners.some(({ port }) => port === DNS_PORT)) return listeners;
  const gateways = new Set<string>();
  for (const { intent } of said)
    if (intent.kind === 'network') for (const { gateway } of intent.subnets) gateways.add(gateway);
  return listeners.filter(
    ({ address, port }) =>
      port !== DNS_PORT || !(gateways.has(address) || (gateways.size > 0 && address.startsWith('fe80:'))),
  );
}

/** Null: nobody listens where the port would be. `advice` is what the client of a door can do about it. */
export function listenerProblem(
  listeners: readonly Listener[],
  published: PublishedPortIntent,
  { field, advice }: { readonly field: string; readonly advice: string },
): Problem | null {
  const listener = disturbed(listeners, published);
  if (listener === null) return null;
  const { protocol, address, port } = listener;
  const sentence = `a program of this host listens at ${protocol} port ${port} of ${address} and would hear nothing more`;
  return problem('port.inUse', `${sentence}: ${advice}`, field);
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
