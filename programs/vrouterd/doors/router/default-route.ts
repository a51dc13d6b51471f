/** The interface by which this machine reaches the rest of the world, as the kernel's routing tables have it. */
import { readKernelTable } from '../intents/kernel-table.ts';

/** linux/route.h */
const RTF_UP = 0x1;
const RTF_REJECT = 0x200;

/** Of IPv4, else of IPv6; the one with the lowest metric, null when there is none. Throws ProblemError when the kernel does not tell. */
export function defaultRouteInterface(read = readKernelTable): string | null {
  return ofIpv4(read('/proc/self/net/route')) ?? ofIpv6(read('/proc/self/net/ipv6_route'));
}

/** Interface, destination, gateway, flags, references, use, metric, mask, ...; numbers in hexadecimal but the metric. */
function ofIpv4(table: string): string | null {
  return lowest(
    rowsOf(table).flatMap(([name = '', destination, , flags = '0', , , metric, mask]) =>
      destination === '00000000' && mask === '00000000' ? [[name, Number(metric), Number(`0x${flags}`)]] : [],
    ),
  );
}

/** Destination, its length, source, its length, next hop, metric, references, use, flags, interface; all in hexadecimal. */
function ofIpv6(table: string): string | null {
  return lowest(
    rowsOf(table).flatMap(([destination, length, , , , metric = '0', , , flags = '0', name = '']) =>
      /^0{32}$/.test(destination ?? '') && length === '00' ? [[name, Number(`0x${metric}`), Number(`0x${flags}`)]] : [],
    ),
  );
}

function lowest(rows: readonly (readonly [name: string, metric: number, flags: number])[]): string | null {
  let best: string | null = null;
  let bestMetric = Number.POSITIVE_INFINITY;
  for (const [name, metric, flags] of rows) {
    if (name === '' || name === 'lo' || (flags & RTF_UP) === 0 || (flags & RTF_REJECT) !== 0) continue;
    if (metric >= bestMetric) continue;
    best = name;
    bestMetric = metric;
  }
  return best;
}

function rowsOf(table: string): string[][] {
  return table.split('\n').map((line) => line.trim().split(/\s+/));
}
