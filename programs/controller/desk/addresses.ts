/** Addresses out of a vrouter's networks. The lowest free one is found through a mark below which all are taken. */
import { formatPrefix, type Prefix, parsePrefix, prefixesOverlap } from '@vrouter/core/prefix.ts';
import { ProblemError, problem } from '@vrouter/core/problem.ts';
import { specialPrefix } from '@vrouter/intent/validate/special.ts';
import { claim, holderOf } from '../store/claims.ts';
import type { Tx } from '../store/schema.ts';
import { type NetworkRow, setLowestFree } from '../store/vrouters.ts';

/** Host numbers stay exact as JavaScript numbers and no network is that full. */
const HOST_BITS_MAX = 48;

/** The usable host numbers of a network, both ends included. */
export function hostRange(prefix: Prefix): { readonly first: number; readonly last: number } {
  const width = prefix.address.length * 8;
  const bits = Math.min(width - prefix.bits, HOST_BITS_MAX);
  const count = 2 ** bits;
  // RFC 3021: a /31 has two hosts; a /32 (/128) is one. RFC 4291 section 2.6.1: host 0 of an IPv6 network is its routers' anycast.
  if (bits === 0) return { first: 0, last: 0 };
  if (width === 32) return bits === 1 ? { first: 0, last: 1 } : { first: 1, last: count - 2 };
  return bits === 1 ? { first: 0, last: 1 } : { first: 1, last: count - 1 };
}

/** Host `number` of the network. */
export function hostAddress(prefix: Prefix, number: number): Uint8Array {
  const address = new Uint8Array(prefix.address);
  let rest = number;
  for (let i = address.length - 1; i >= 0 && rest > 0; i--) {
    address[i] = address[i]! + (rest % 256);
    rest = Math.floor(rest / 256);
  }
  return address;
}

/** Networks that a vrouter is to have, canonical. Throws `prefix.invalid`, `network.overlap`. */
export function readNetworks(texts: readonly string[]): Prefix[] {
  const networks: Prefix[] = [];
  for (const [i, text] of texts.entries()) {
    const parsed = parsePrefix(text, `networks[${i}]`);
    if (!parsed.ok) throw new ProblemError(parsed.error);
    const wrong = specialPrefix(parsed.value, 'network', `networks[${i}]`);
    if (wrong !== null) throw new ProblemError(wrong);
    const { first, last } = hostRange(parsed.value);
    if (last <= first) {
      const hint = `${text} has no room for the gateway and one peer; choose a /31 (/127) or larger`;
      throw new ProblemError(problem('prefix.invalid', hint, `networks[${i}]`));
    }
    const other = networks.find((network) => prefixesOverlap(network, parsed.value));
    if (other !== undefined) {
      const hint = `${text} overlaps ${formatPrefix(other)}; leave one out or choose another`;
      throw new ProblemError(problem('network.overlap', hint, `networks[${i}]`));
    }
    networks.push(parsed.value);
  }
  return networks;
}

/** What a vrouter keeps of a network: the gateway has its first address. */
export function networkRow(vrouterId: string, ordinal: number, prefix: Prefix): NetworkRow {
  const { first } = hostRange(prefix);
  const gatewayAddress = formatPrefix({ address: hostAddress(prefix, first), bits: prefix.bits });
  return { vrouterId, ordinal, prefix: formatPrefix(prefix), gatewayAddress, lowestFree: first + 1 };
}

/** What the gateway claims of its networks: themselves and its own addresses, each once. */
export function ownPrefixes(networks: readonly NetworkRow[]): string[] {
  return [...new Set(networks.flatMap(({ prefix, gatewayAddress }) => [prefix, hostPrefix(gatewayAddress)]))];
}

function hostPrefix(address: string): string {
  return address.replace(/\/\d+$/, address.includes(':') ? '/128' : '/32');
}

/** Takes the lowest free address of a network for `owner`: `10.77.0.2/32`. Throws `pool.exhausted`. */
export async function takeLowest(tx: Tx, network: NetworkRow, owner: string): Promise<string> {
  const parsed = parsePrefix(network.prefix);
  if (!parsed.ok) throw new ProblemError(parsed.error);
  const { last } = hostRange(parsed.value);
  for (let number = network.lowestFree; number <= last; number++) {
    const address = hostAddress(parsed.value, number);
    const text = formatPrefix({ address, bits: address.length * 8 });
    if ((await holderOf(tx, network.vrouterId, text)) !== null) continue;
    await claim(tx, network.vrouterId, owner, [text]);
    await setLowestFree(tx, network, number + 1);
    return text;
  }
  const hint = `${network.prefix} has no free address; remove peers, or make a vrouter with a larger network`;
  throw new ProblemError(problem('pool.exhausted', hint, 'networks'));
}

/** Moves the mark down when an address below it is given back. */
export async function giveBack(tx: Tx, network: NetworkRow, addresses: readonly string[]): Promise<void> {
  const parsed = parsePrefix(network.prefix);
  if (!parsed.ok) throw new ProblemError(parsed.error);
  const { first } = hostRange(parsed.value);
  for (const text of addresses) {
    const address = parsePrefix(text);
    if (!address.ok || !prefixesOverlap(parsed.value, address.value)) continue;
    const number = hostNumber(parsed.value, address.value.address);
    if (number >= first && number < network.lowestFree) await setLowestFree(tx, network, number);
  }
}

function hostNumber(network: Prefix, address: Uint8Array): number {
  let number = 0;
  for (let i = 0; i < address.length; i++) number = number * 256 + (address[i]! - network.address[i]!);
  return number;
}
