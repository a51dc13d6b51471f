/** A station with a clock that tests move, and a LAN that writes down what it says. */
import { formatIp, parseIp } from '@vrouter/core/ip.ts';
import { formatMac } from '@vrouter/core/mac.ts';
import { parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { type Millis, millis } from '@vrouter/core/time.ts';
import { ARP_LEN, ArpOperation, emitArp, parseArp } from '@vrouter/wire/arp/arp.ts';
import { ETHERNET_LEN, EtherType, parseEthernet } from '@vrouter/wire/ethernet/ethernet.ts';
import { emitNeighbour, makeNdpMessage, NdpFault, NdpType, neighbourLen, readNdp } from '@vrouter/wire/ndp/ndp.ts';
import type { NeighbourLimits } from './neighbours.ts';
import { Station, type StationSink, type Waiting } from './station.ts';
import { NeighbourState } from './table.ts';

export const OURS = Uint8Array.fromHex('02005e000001');
export const mac = (n: number): Uint8Array => Uint8Array.of(2, 0, 0, 0, n >>> 8, n & 255);

export function ip(text: string): Uint8Array {
  const parsed = parseIp(text);
  if (!parsed.ok) throw new Error(text);
  return parsed.value;
}

export class Lan implements StationSink {
  readonly station: Station;
  now: Millis = millis(0);
  /** What was said, `<ms> <to> <what>`. */
  readonly said: string[] = [];
  /** Packets that waited in vain, by their tags. */
  readonly lost: number[] = [];
  readonly #stateNames = Object.fromEntries(Object.entries(NeighbourState).map(([name, number]) => [number, name]));

  /** `chance` of 0x80000000 makes the reachable time the base one. */
  constructor(limits?: NeighbourLimits, chance = 0x80000000) {
    this.station = new Station({ mac: OURS, chance, ...(limits === undefined ? {} : { limits }) }, this);
  }

  /** Addresses of ours, past their first second, with nothing said so far. */
  have(...addresses: readonly string[]): this {
    for (const text of addresses) {
      const parsed = parseInterfaceAddress(text);
      if (!parsed.ok) throw new Error(text);
      this.station.addAddress(parsed.value, this.now);
    }
    this.pass(10_000);
    this.said.length = 0;
    return this;
  }

  frame(bytes: Uint8Array, at: number, length: number): void {
    this.said.push(`${this.now} ${describe(bytes.slice(at, at + length))}`);
  }

  unreachable(_bytes: Uint8Array, _at: number, _length: number, tag: number): void {
    this.lost.push(tag);
  }

  /** Lets time pass with every tick on the way. */
  pass(ms: number): void {
    const endAt = this.now + ms;
    for (let next = this.station.wakeAt(); next <= endAt; next = this.station.wakeAt()) {
      this.now = millis(Math.max(next, this.now));
      this.station.tick(this.now);
    }
    this.now = millis(endAt);
  }

  /** A packet for a neighbour. `sent`: with its MAC address; else what became of it. */
  send(to: string, tag = 0): 'sent' | Waiting {
    const address = ip(to);
    const view = new DataView(address.buffer, address.byteOffset);
    const { neighbours } = this.station;
    const entry = neighbours.table.find(view, 0, address.length);
    if (entry >= 0 && neighbours.use(entry, this.now)) return 'sent';
    const bytes = Uint8Array.of(address.length === 4 ? 0x45 : 0x60, tag);
    return this.station.wait(entry, view, 0, address.length, { bytes, at: 0, length: 2, tag }, this.now);
  }

  /** ARP from a neighbour; returns the StationDrop. */
  arp(operation: 'request' | 'reply', from: Uint8Array, sender: string, target: string): number {
    const bytes = new Uint8Array(ARP_LEN + 18);
    const view = new DataView(bytes.buffer);
    const message = {
      operation: ArpOperation[operation],
      senderMac: from,
      senderIp: ip(sender),
      targetMac: OURS,
      targetIp: ip(target),
    };
    emitArp(message, bytes, view, 0);
    return this.station.receiveArp(bytes, view, 0, bytes.length, this.now);
  }

  /** A solicitation from a neighbour; `withMac` false leaves its address out. */
  solicit(from: Uint8Array, src: string, target: string, withMac = true): number {
    const dst = ip('ff02::1:ff00:0');
    dst.set(ip(target).subarray(13), 13);
    const said = {
      src: ip(src),
      dst,
      target: ip(target),
      mac: withMac ? from : null,
      solicited: false,
      override: false,
    };
    return this.#ndp(from, { type: NdpType.neighbourSolicitation, ...said });
  }

  advertise(
    from: Uint8Array,
    target: string,
    how: { solicited?: boolean; override?: boolean; bare?: boolean },
  ): number {
    const { solicited = false, override = false, bare = false } = how;
    const dst = ip(solicited ? 'fe80::1' : 'ff02::1');
    const said = { src: ip(target), dst, target: ip(target), mac: bare ? null : from, solicited, override };
    return this.#ndp(from, { type: NdpType.neighbourAdvertisement, ...said });
  }

  /** `mac state`, or null for nobody. */
  knows(address: string): string | null {
    const bytes = ip(address);
    const { neighbours } = this.station;
    const entry = neighbours.table.find(new DataView(bytes.buffer, bytes.byteOffset), 0, bytes.length);
    if (entry < 0) return null;
    return `${formatMac(neighbours.macOf(entry))} ${this.#stateNames[neighbours.table.state[entry]!]}`;
  }

  #ndp(from: Uint8Array, message: Parameters<typeof emitNeighbour>[0]): number {
    const bytes = new Uint8Array(ETHERNET_LEN + neighbourLen(message));
    const view = new DataView(bytes.buffer);
    bytes.set(from, 6);
    emitNeighbour(message, bytes, view, ETHERNET_LEN);
    return this.station.receiveNdp(bytes, view, ETHERNET_LEN, bytes.length, 6, this.now);
  }
}

/** A frame in words. */
function describe(frame: Uint8Array): string {
  const view = new DataView(frame.buffer);
  const header = parseEthernet(frame, view, 0, frame.length)!;
  const to = formatMac(header.dst);
  if (header.type === EtherType.arp) {
    const arp = parseArp(frame, view, ETHERNET_LEN, frame.length)!;
    const what = arp.operation === ArpOperation.request ? 'asks for' : 'answers';
    return `${to} ${formatIp(arp.senderIp)} ${what} ${formatIp(arp.targetIp)}`;
  }
  const found = makeNdpMessage();
  if (readNdp(view, ETHERNET_LEN, frame.length, found) !== NdpFault.none) return `${to} packet ${frame[15]}`;
  const src = formatIp(frame.slice(22, 38));
  const target = formatIp(frame.slice(found.targetAt, found.targetAt + 16));
  if (found.type === NdpType.neighbourSolicitation) return `${to} ${src} asks for ${target}`;
  return `${to} ${src} says ${target}${found.solicited ? ' as asked' : ''}`;
}
