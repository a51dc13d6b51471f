/** Networks that this machine is in or has routes to, whoever made them: what a new network must not be. */
import { closeSync, openSync, readSync } from 'node:fs';
import { endianness, networkInterfaces } from 'node:os';
import { networkOf, type Prefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';

/** Bytes of a table of routes: who has a whole internet in it is not held up. Default routes come first, and what is on a link has an address. */
const TABLE_MAX = 1 << 20;
/** RTF_REJECT of include/uapi/linux/route.h: a blackhole or the like, on no link. */
const REJECT = 0x200;

/** ::/0, as that table has it. */
const EVERYTHING = /^0{32} 00 /;

export interface HostNetwork {
  readonly interface: string;
  readonly prefix: Prefix;
  /** An own address is in it, or it is on the link; else a next hop leads there. */
  readonly isOwn: boolean;
  /** It is the next hop of a default route, alone. */
  readonly isGateway: boolean;
}

/**
 * From the kernel's tables, since `networkInterfaces` leaves out what has no carrier, as a bridge without ports. IPv4 routes of the main
 * table; IPv6 addresses, and next hops of default routes.
 */
export function hostNetworks(read = readTable, addresses = addressesNow): HostNetwork[] {
  const all = [
    ...ofIpv4Routes(read('/proc/self/net/route')),
    ...ofIpv6Addresses(read('/proc/self/net/if_inet6')),
    ...ofIpv6Defaults(read('/proc/self/net/ipv6_route')),
    ...addresses(),
  ];
  // People know the network of a link better than the next hop in it.
  return [...all.filter((one) => !one.isGateway), ...all.filter((one) => one.isGateway)];
}

/** Interface, destination, next hop, flags, references, use, metric, mask; addresses are hexadecimal in the machine's byte order. */
function ofIpv4Routes(table: string): HostNetwork[] {
  return rowsOf(table).flatMap(([name, destination, nextHop, flags, , , , mask]) => {
    if (name === undefined || !isWord(destination) || !isWord(nextHop) || !isWord(mask)) return [];
    const isOnLink = Number(`0x${nextHop}`) === 0;
    if (Number(`0x${mask}`) === 0) return isOnLink ? [] : [gateway(name, ipv4Bytes(nextHop))];
    const bits = ipv4Bytes(mask).reduce((sum, byte) => sum + bitsOf(byte), 0);
    const isOwn = isOnLink && (Number(`0x${flags}`) & REJECT) === 0;
    return [{ interface: name, prefix: { address: ipv4Bytes(destination), bits }, isOwn, isGateway: false }];
  });
}

/** Address without colons, number of the interface, prefix length, scope, flags, name; numbers are hexadecimal. */
function ofIpv6Addresses(table: string): HostNetwork[] {
  return rowsOf(table).flatMap(([address = '', , length, , , name]) => {
    if (name === undefined || !/^[0-9a-f]{32}$/.test(address)) return [];
    const prefix = { address: Uint8Array.fromHex(address), bits: Number(`0x${length}`) };
    return prefix.bits === 0 ? [] : [own(name, networkOf(prefix))];
  });
}

/** Destination, its length, source, its length, next hop, metric, references, use, flags, name; hexadecimal. */
function ofIpv6Defaults(table: string): HostNetwork[] {
  // A host with many networks has many more routes; few are for everything.
  const defaults = table.split('\n').filter((line) => EVERYTHING.test(line));
  return rowsOf(defaults.join('\n')).flatMap(([, , , , nextHop = '', , , , , name]) => {
    if (name === undefined || !/^(?!0+$)[0-9a-f]{32}$/.test(nextHop)) return [];
    return [gateway(name, Uint8Array.fromHex(nextHop))];
  });
}

function own(name: string, prefix: Prefix): HostNetwork {
  return { interface: name, prefix, isOwn: true, isGateway: false };
}

function gateway(name: string, address: Uint8Array): HostNetwork {
  return { interface: name, prefix: { address, bits: address.length * 8 }, isOwn: true, isGateway: true };
}

function addressesNow(): HostNetwork[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses.flatMap(({ cidr }) => {
      const parsed = cidr === null ? null : parseInterfaceAddress(cidr);
      return parsed?.ok === true && parsed.value.bits > 0 ? [own(name, networkOf(parsed.value))] : [];
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

/** Its beginning; '' where the machine has no such table. */
function readTable(path: string): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const bytes = Buffer.alloc(TABLE_MAX);
    let length = 0;
    // The kernel gives a page at a time.
    for (let got = 1; got > 0 && length < bytes.length; length += got)
      got = readSync(file, bytes, length, bytes.length - length, null);
    return bytes.toString('latin1', 0, length);
  } finally {
    closeSync(file);
  }
}
