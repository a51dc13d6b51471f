/** A filter ready for use: what it names is looked up once, and a packet is compared without words. */
import { parseKey } from '@vrouter/core/bytes.ts';
import { type Prefix, parsePrefix } from '@vrouter/core/prefix.ts';
import { problem } from '@vrouter/core/problem.ts';
import { err, ok, type Result } from '@vrouter/core/result.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import type { TraceFilter, TraceProtocol } from '../control/trace-messages.ts';
import type { TraceHeader } from './header.ts';

const MAX_COUNT = 1_000_000_000;
/** A day: nobody watches longer, and a forgotten watch ends. */
const MAX_SECONDS = 86_400;

const numbersOf: { readonly [P in TraceProtocol]: readonly number[] } = {
  tcp: [IpProtocol.tcp],
  udp: [IpProtocol.udp],
  icmp: [IpProtocol.icmp, IpProtocol.icmpv6],
};

export class PacketFilter {
  readonly drops: boolean;
  /** Infinity without a limit. */
  readonly count: number;
  readonly #link: string | null;
  /** The public key that it names, as text and as bytes. */
  readonly #peer: string | null;
  readonly peerKey: Uint8Array | null;
  readonly #source: Prefix | null;
  readonly #destination: Prefix | null;
  readonly #protocols: readonly number[] | null;
  readonly #port: number;

  private constructor(from: TraceFilter, source: Prefix | null, destination: Prefix | null) {
    this.drops = from.drops ?? false;
    this.count = from.count ?? Number.POSITIVE_INFINITY;
    this.#link = from.link ?? null;
    this.#peer = from.peer ?? null;
    this.peerKey = from.peer === undefined ? null : Uint8Array.fromBase64(from.peer);
    this.#source = source;
    this.#destination = destination;
    this.#protocols = from.protocol === undefined ? null : numbersOf[from.protocol];
    this.#port = from.port ?? 0;
  }

  /** Errors: `object.notFound` for a link, `prefix.invalid`, `key.invalid`, `input.invalid` for a number; each with its field. */
  static of(from: TraceFilter, linkExists: (name: string) => boolean): Result<PacketFilter> {
    if (from.link !== undefined && !linkExists(from.link))
      return err(problem('object.notFound', `there is no link ${from.link}`, 'link'));
    if (from.peer !== undefined) {
      const key = parseKey(from.peer, 'peer');
      if (!key.ok) return key;
    }
    for (const [name, most] of [
      ['port', 0xffff],
      ['count', MAX_COUNT],
      ['seconds', MAX_SECONDS],
    ] as const) {
      const value = from[name];
      if (value !== undefined && !(Number.isInteger(value) && value >= 1 && value <= most))
        return err(problem('input.invalid', `${name} must be a whole number from 1 to ${most}`, name));
    }
    const source = from.source === undefined ? null : parsePrefix(from.source, 'source');
    if (source !== null && !source.ok) return source;
    const destination = from.destination === undefined ? null : parsePrefix(from.destination, 'destination');
    if (destination !== null && !destination.ok) return destination;
    return ok(new PacketFilter(from, source?.value ?? null, destination?.value ?? null));
  }

  /** Whether it is about headers only as far as links and peers go: a datagram that could not be opened may match. */
  get anyHeader(): boolean {
    return this.#source === null && this.#destination === null && this.#protocols === null && this.#port === 0;
  }

  header(header: TraceHeader | null): boolean {
    if (header === null) return this.anyHeader;
    if (this.#source !== null && !covers(this.#source, header.source)) return false;
    if (this.#destination !== null && !covers(this.#destination, header.destination)) return false;
    if (this.#protocols !== null && !this.#protocols.includes(header.protocol)) return false;
    return this.#port === 0 || header.sourcePort === this.#port || header.destinationPort === this.#port;
  }

  /** The two links and peers of a packet, as far as it has them. */
  place(inLink: string | null, inPeer: string | null, outLink: string | null, outPeer: string | null): boolean {
    if (this.#link !== null && this.#link !== inLink && this.#link !== outLink) return false;
    return this.#peer === null || this.#peer === inPeer || this.#peer === outPeer;
  }
}

function covers({ address, bits }: Prefix, ip: Uint8Array): boolean {
  if (address.length !== ip.length) return false;
  for (let i = 0; i * 8 < bits; i++) {
    const mask = bits - i * 8 >= 8 ? 0xff : (0xff00 >>> (bits - i * 8)) & 0xff;
    if (((address[i]! ^ ip[i]!) & mask) !== 0) return false;
  }
  return true;
}
