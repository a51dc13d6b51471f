/** Networks that this machine is in or has routes to, whoever made them: what a new network must not be. */
import { readFileSync } from 'node:fs';
import { endianness, networkInterfaces } from 'node:os';
import { networkOf, type Prefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';

export interface HostNetwork {
  readonly interface: string;
  readonly prefix: Prefix;
  /** An own address is in it, or it is on the link; else a next hop leads there. */
  readonly isOwn: boolean;
}

/**
 * From the kernel's tables, since `networkInterfaces` leaves out what has no carrier, as a bridge without ports. IPv4 routes of the main
 * table, the default route aside; IPv6 addresses.
 */
export function hostNetworks(read = readTable, addresses = addressesNow): HostNetwork[] {
  return [
    ...ofIpv4Routes(read('/proc/self/net/route')),
    ...ofIpv6Addresses(read('/proc/self/net/if_inet6')),
    ...addresses(),
  ];
}

/** Interface, destination, next hop, flags, references, use, metric, mask; addresses are hexadecimal in the machine's byte order. */
function ofIpv4Routes(table: string): HostNetwork[] {
  return rowsOf(table).flatMap(([name, destination, nextHop, , , , , mask]) => {
    if (name === undefined || !isWord(destination) || !isWord(mask) || Number(`0x${mask}`) === 0) return [];
    const bits = ipv4Bytes(mask).reduce((sum, byte) => sum + bitsOf(byte), 0);
    return [
      { interface: name, prefix: { address: ipv4Bytes(destination), bits }, isOwn: Number(`0x${nextHop}`) === 0 },
    ];
  });
}

/** Address without colons, number of the interface, prefix length, scope, flags, name; numbers are hexadecimal. */
function ofIpv6Addresses(table: string): HostNetwork[] {
  return rowsOf(table).flatMap(([address = '', , length, , , name]) => {
    if (name === undefined || !/^[0-9a-f]{32}$/.test(address)) return [];
    const prefix = { address: Uint8Array.fromHex(address), bits: Number(`0x${length}`) };
    return [{ interface: name, prefix: networkOf(prefix), isOwn: true }];
  });
}

function addressesNow(): HostNetwork[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ cidr }) => {
      const parsed = cidr === null ? null : parseInterfaceAddress(cidr);
      return parsed?.ok === true ? [{ interface: name, prefix: networkOf(parsed.value), isOwn: true }] : [];
    }),
  );
}

function isWord(text: string | undefined): text is string {
  return text !== undefined && /^[0-9A-F]{8}$/.test(text);
}

function ipv4Bytes(word: string): Uint8Array {
  const bytes = Uint8Array.fromHex(word);
  return endianness() === 'LE' ? bytes.reverse() : bytes;
}

function bitsOf(byte: number): number {
  return byte.toString(2).replaceAll('0', '').length;
}

function rowsOf(table: string): string[][] {
  return table.split('\n').map((line) => line.trim().split(/\s+/));
}

/** '' where the machine has no such table. */
function readTable(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
