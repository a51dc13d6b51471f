/** WireGuard devices on a network that loses, doubles, delays and reorders, as its seed says, on a clock that the test moves. */
import assert from 'node:assert/strict';
import { type Endpoint, parseEndpoint } from '@vrouter/core/endpoint.ts';
import { parseIp } from '@vrouter/core/ip.ts';
import { type Prefix, parseInterfaceAddress } from '@vrouter/core/prefix.ts';
import { type Rng, seededRng } from '@vrouter/core/rng.ts';
import { type Millis, millis } from '@vrouter/core/time.ts';
import { TestCrypto } from './crypto.testing.ts';
import { WireguardDevice, type WireguardNow, type WireguardPeer } from './device.ts';
import type { WireguardSink } from './ports.ts';

export const MTU = 1420;
const EPOCH_UNIX_MS = 1_700_000_000_000;
const SPARE = 64;

export function endpoint(text: string): Endpoint {
  const parsed = parseEndpoint(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

export function prefix(text: string): Prefix {
  const parsed = parseInterfaceAddress(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

export function ip(text: string): Uint8Array {
  const parsed = parseIp(text);
  assert.ok(parsed.ok, text);
  return parsed.value;
}

/** An IP packet with a payload that tells them apart; the checksum is nobody's business here. */
export function packet(src: string, dst: string, payload: Uint8Array): Uint8Array {
  const from = ip(src);
  const header = from.length === 4 ? 20 : 40;
  const bytes = new Uint8Array(header + payload.length);
  const view = new DataView(bytes.buffer);
  if (header === 20) {
    bytes[0] = 0x45;
    view.setUint16(2, bytes.length);
  } else {
    bytes[0] = 0x60;
    view.setUint16(4, payload.length);
  }
  bytes.set(from, header === 20 ? 12 : 8);
  bytes.set(ip(dst), header === 20 ? 16 : 24);
  bytes.set(payload, header);
  return bytes;
}

export interface Weather {
  /** 0 to 1. */
  readonly loss: number;
  readonly duplicate: number;
  readonly delayMs: readonly [least: number, most: number];
  /** Share of the datagrams that arrive with a bit turned. */
  readonly corrupt?: number;
}

export const FAIR: Weather = { loss: 0, duplicate: 0, delayMs: [1, 1] };

interface Flight {
  readonly at: number;
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly bytes: Uint8Array;
}

export interface Sent {
  readonly at: number;
  readonly type: number;
  readonly to: string;
  readonly bytes: Uint8Array;
}

export class Net {
  now = 0;
  weather: Weather;
  readonly #rng: Rng;
  readonly #hosts: Host[] = [];
  #flights: Flight[] = [];

  constructor(seed: number, weather: Weather = FAIR) {
    this.#rng = seededRng(seed);
    this.weather = weather;
  }

  host(name: string, at: string): Host {
    const host = new Host(this, name, endpoint(at), seededRng(this.#rng.uint32()));
    this.#hosts.push(host);
    return host;
  }

  post(from: Endpoint, to: Endpoint, bytes: Uint8Array): void {
    const { loss, duplicate, delayMs, corrupt = 0 } = this.weather;
    const copies = this.#chance(loss) ? 0 : this.#chance(duplicate) ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const delay = delayMs[0] + (this.#rng.uint32() % (delayMs[1] - delayMs[0] + 1));
      const copy = bytes.slice();
      if (corrupt > 0 && this.#chance(corrupt))
        copy[this.#rng.uint32() % copy.length]! ^= 1 << (this.#rng.uint32() % 8);
      this.#flights.push({ at: this.now + delay, from, to, bytes: copy });
    }
  }

  /** Moves the clock, with all that happens on the way. */
  at(time: number): void {
    for (let steps = 0; ; steps++) {
      assert.ok(steps < 100_000, 'the network does not come to rest');
      const flight = this.#flights.reduce<Flight | null>((a, b) => (a === null || b.at < a.at ? b : a), null);
      const waker = this.#hosts.reduce((a, b) => (b.wakeAt() < a.wakeAt() ? b : a));
      const next = Math.min(flight?.at ?? Number.POSITIVE_INFINITY, Math.max(this.now, waker.wakeAt()));
      if (next > time) break;
      this.now = next;
      if (flight !== null && flight.at === next) {
        this.#flights = this.#flights.filter((other) => other !== flight);
        const host = this.#hosts.find(({ endpoint }) => endpoint.text === flight.to.text);
        if (host?.asleep === false) host.hear(flight.bytes, flight.from);
      } else {
        for (let ticks = 0; waker.wakeAt() <= this.now; ticks++) {
          assert.ok(ticks < 10_000, 'ticks must come to an end');
          waker.device.tick(waker.clock, waker);
        }
      }
    }
    this.now = time;
  }

  /** Forgets what is under way. */
  clear(): void {
    this.#flights = [];
  }

  #chance(share: number): boolean {
    return this.#rng.uint32() / 2 ** 32 < share;
  }
}

export class Host implements WireguardSink {
  readonly net: Net;
  readonly name: string;
  readonly crypto = new TestCrypto();
  readonly privateKey: Uint8Array = new Uint8Array(32);
  device: WireguardDevice;
  endpoint: Endpoint;
  /** How wrong its wall clock is. */
  skewMs = 0;
  /** Suspended: hears nothing, and its monotonic clock stands still. The wall clock goes on. */
  asleep = false;
  sent: Sent[] = [];
  /** Inner packets, and what `receive` answered otherwise. */
  delivered: { readonly bytes: Uint8Array; readonly peer: WireguardPeer }[] = [];
  verdicts: number[] = [];

  readonly #rng: Rng;
  /** How far the monotonic clock lies behind that of the network. */
  #behindMs = 0;
  #sleptAt = 0;

  constructor(net: Net, name: string, at: Endpoint, rng: Rng) {
    this.net = net;
    this.name = name;
    this.endpoint = at;
    this.#rng = rng;
    rng.fill(this.privateKey);
    this.device = new WireguardDevice(this.crypto, rng, this.privateKey);
  }

  get now(): Millis {
    return millis(this.net.now - this.#behindMs);
  }

  /** When the device must be ticked, on the network's clock. */
  wakeAt(): number {
    return this.asleep ? Number.POSITIVE_INFINITY : this.device.wakeAt() + this.#behindMs;
  }

  sleep(): void {
    if (!this.asleep) this.#sleptAt = this.net.now;
    this.asleep = true;
  }

  /** `counted`: its clock is one that went on meanwhile, as CLOCK_BOOTTIME does. */
  wake(counted = false): void {
    if (this.asleep && !counted) this.#behindMs += this.net.now - this.#sleptAt;
    this.asleep = false;
  }

  /** A new life with the same key that remembers nothing; peers are to be made known again. */
  restart(): void {
    this.device.close();
    this.device = new WireguardDevice(this.crypto, this.#rng, this.privateKey);
  }

  get clock(): WireguardNow {
    return { now: this.now, unixMs: EPOCH_UNIX_MS + this.net.now + this.skewMs };
  }

  /** Adds the other as a peer, to be found where it is now unless `blind`. */
  knows(other: Host, allowed: readonly string[], blind = false): WireguardPeer {
    const peer = this.device.setPeer(
      {
        publicKey: other.device.publicKey,
        allowedIps: allowed.map(prefix),
        endpoint: blind ? null : other.endpoint,
      },
      this.now,
    );
    assert.ok(peer);
    return peer;
  }

  datagram(to: Endpoint, buffer: Uint8Array, at: number, length: number): void {
    const bytes = buffer.slice(at, at + length);
    this.sent.push({ at: this.net.now, type: bytes[0]!, to: to.text, bytes });
    this.net.post(this.endpoint, to, bytes);
  }

  /** Sends an inner packet; what `send` answers. Nothing outside the promised room may be touched. */
  say(bytes: Uint8Array, mtu = MTU): number {
    const region = new Uint8Array(SPARE + bytes.length + SPARE).fill(0xa5);
    region.set(bytes, SPARE);
    const four = bytes[0]! >>> 4 === 4;
    const peer = this.device.route(region, SPARE + (four ? 16 : 24), four ? 4 : 16);
    assert.ok(peer, 'no route');
    const view = new DataView(region.buffer);
    const result = this.device.send(peer, region, view, SPARE, bytes.length, mtu, this.clock, this);
    assert.ok(region.subarray(0, SPARE - 16).every((byte) => byte === 0xa5));
    assert.ok(region.subarray(SPARE + bytes.length + 31).every((byte) => byte === 0xa5));
    if (result > 0) this.datagram(peer.endpoint!, region, SPARE - 16, result);
    return result;
  }

  /** Takes a datagram; what `receive` answers. */
  hear(bytes: Uint8Array, from: Endpoint): number {
    const region = new Uint8Array(SPARE + bytes.length + SPARE).fill(0xa5);
    region.set(bytes, SPARE);
    const view = new DataView(region.buffer);
    const result = this.device.receive(region, view, SPARE, bytes.length, from, this.clock, this);
    assert.ok(region.subarray(0, SPARE).every((byte) => byte === 0xa5));
    assert.ok(region.subarray(SPARE + bytes.length).every((byte) => byte === 0xa5));
    this.verdicts.push(result);
    if (result > 0)
      this.delivered.push({
        bytes: region.slice(SPARE + 16, SPARE + 16 + result),
        peer: this.device.receivedFrom!,
      });
    return result;
  }

  /** When messages of a type went out since the last `quiet`. */
  timesOf(type: number): number[] {
    return this.sent.filter((one) => one.type === type).map((one) => one.at);
  }

  quiet(): void {
    this.sent = [];
    this.delivered = [];
    this.verdicts = [];
  }
}

/** Two hosts that know each other: a has 10.0.0.1 and fd00::1, b has 10.0.0.2 and fd00::2 inside. */
export function couple(
  seed = 1,
  weather: Weather = FAIR,
): { net: Net; a: Host; b: Host; ab: WireguardPeer; ba: WireguardPeer } {
  const net = new Net(seed, weather);
  const a = net.host('a', '192.0.2.1:1001');
  const b = net.host('b', '192.0.2.2:1002');
  const ab = a.knows(b, ['10.0.0.2/32', 'fd00::2/128']);
  const ba = b.knows(a, ['10.0.0.1/32', 'fd00::1/128']);
  return { net, a, b, ab, ba };
}

export const fromA = (text = 'ping'): Uint8Array => packet('10.0.0.1', '10.0.0.2', new TextEncoder().encode(text));
export const fromB = (text = 'pong'): Uint8Array => packet('10.0.0.2', '10.0.0.1', new TextEncoder().encode(text));
