/**
 * Whether the machine's kernel keeps quiet on the device of a port. It hears each frame too, and unless it is told otherwise takes
 * what is for any of its own addresses, on whatever device, and answers past the gateway and its filters.
 */
import { readFileSync } from 'node:fs';

/** The number that a setting under /proc/sys has; null where it cannot be read. */
export type ReadSetting = (path: string) => number | null;

/**
 * Settings as sysctl(8) takes them that would quiet the kernel on this device; none when it is quiet, or when that cannot be told.
 * On a device without an address or route of the machine's, `rp_filter` of any kind lets no IPv4 in, ARP neither.
 */
export function quietingOf(device: string, read: ReadSetting = readSetting): string[] {
  // sysctl(8) takes slashes where a name has dots of its own, as eth1.5 has.
  const told = (path: string, value: number): string =>
    `${device.includes('.') ? path : path.replaceAll('/', '.')}=${value}`;
  const settings: string[] = [];
  const own = `net/ipv4/conf/${device}/rp_filter`;
  const filters = [read(own), read('net/ipv4/conf/all/rp_filter')];
  // The kernel takes the greater of the two.
  if (filters.every((filter) => filter === 0)) settings.push(told(own, 1));
  const ipv6 = `net/ipv6/conf/${device}/disable_ipv6`;
  if (read(ipv6) === 0) settings.push(told(ipv6, 1));
  return settings;
}

function readSetting(path: string): number | null {
  try {
    return Number(readFileSync(`/proc/sys/${path}`, 'utf8'));
  } catch {
    return null;
  }
}
