/**
 * Our WireGuard against wireguard-go, over UDP on loopback. Its interface stands in a network namespace, so that the kernel there is
 * the host behind the tunnel; ours is the device alone, and this test plays the host behind it.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Endpoint, parseEndpoint } from '@vrouter/core/endpoint.ts';
import { type Prefix, parsePrefix } from '@vrouter/core/prefix.ts';
import type { Rng } from '@vrouter/core/rng.ts';
import { millis } from '@vrouter/core/time.ts';
import { TestCrypto } from '@vrouter/protocols/wireguard/crypto.testing.ts';
import { WireguardDevice, type WireguardNow, type WireguardPeer } from '@vrouter/protocols/wireguard/device.ts';
import type { WireguardSink } from '@vrouter/protocols/wireguard/ports.ts';
import { finishChecksum, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import { emitIpv4, IPV4_MIN_LEN, ipv4Protocol, swapIpv4Addresses } from '@vrouter/wire/ipv4/ipv4.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { needs, programPath } from './world/needs.ts';

const MTU = 1420;
const HEADROOM = 16;
const OURS = Uint8Array.of(10, 99, 0, 1);
const THEIRS = Uint8Array.of(10, 99, 0, 2);

const rng: Rng = {
  fill: (into) => void crypto.getRandomValues(into as Uint8Array<ArrayBuffer>),
  uint32: () => crypto.getRandomValues(new Uint32Array(1))[0]!,
};

function randomKey(): Uint8Array {
  const key = new Uint8Array(32);
  rng.fill(key);
  return key;
}

function endpointOf(address: string, port: number): Endpoint {
  const parsed = parseEndpoint(`${address}:${port}`);
  assert.ok(parsed.ok);
  return parsed.value;
}

function prefixOf(text: string): Prefix {
  const parsed = parsePrefix(text);
  assert.ok(parsed.ok);
  return parsed.value;
}

async function until(what: string, fulfilled: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (await fulfilled()) return;
    await sleep(10);
  }
  assert.fail(`not within ten seconds: ${what}`);
}

/** A device on a UDP socket, and behind it a host that returns UDP packets to their sender and remembers ICMP. */
class Us implements WireguardSink {
  readonly device = new WireguardDevice(new TestCrypto(), rng, randomKey());
  readonly icmp: Uint8Array[] = [];
  udpEchoed = 0;
  #socket: Socket | null = null;
  readonly #timer = setInterval(() => {
    if (this.device.wakeAt() <= performance.now()) this.device.tick(this.#clock(), this);
  }, 10);

  get port(): number {
    return this.#socket!.address().port;
  }

  /** Opens a socket on a new port and closes the one before. */
  async move(): Promise<void> {
    this.#socket?.close();
    this.#socket = createSocket('udp4');
    this.#socket.on('message', (bytes, from) => this.#hear(bytes, from));
    this.#socket.bind(0, '127.0.0.1');
    await once(this.#socket, 'listening');
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket?.close();
    this.device.close();
  }

  datagram(to: Endpoint, buffer: Uint8Array, at: number, length: number): void {
    this.#socket!.send(buffer.slice(at, at + length), to.port, to.address.join('.'));
  }

  say(peer: WireguardPeer, packet: Uint8Array): void {
    const buffer = new Uint8Array(HEADROOM + packet.length + 31);
    buffer.set(packet, HEADROOM);
    const view = new DataView(buffer.buffer);
    const length = this.device.send(peer, buffer, view, HEADROOM, packet.length, MTU, this.#clock(), this);
    assert.ok(length >= 0);
    if (length > 0) this.datagram(peer.endpoint!, buffer, 0, length);
  }

  #hear(datagram: Uint8Array, from: RemoteInfo): void {
    // Not `slice`: of a Buffer that is no copy.
    const buffer = new Uint8Array(datagram);
    const view = new DataView(buffer.buffer);
    const source = endpointOf(from.address, from.port);
    const length = this.device.receive(buffer, view, 0, buffer.length, source, this.#clock(), this);
    if (length <= 0) return;
    const peer = this.device.receivedFrom!;
    const packet = buffer.slice(HEADROOM, HEADROOM + length);
    const v = new DataView(packet.buffer);
    if (ipv4Protocol(v, 0) === IpProtocol.icmp) this.icmp.push(packet);
    if (ipv4Protocol(v, 0) !== IpProtocol.udp) return;
    // Checksums do not see the order of addresses and ports.
    swapIpv4Addresses(v, 0);
    const source16 = v.getUint16(IPV4_MIN_LEN);
    v.setUint16(IPV4_MIN_LEN, v.getUint16(IPV4_MIN_LEN + 2));
    v.setUint16(IPV4_MIN_LEN + 2, source16);
    this.say(peer, packet);
    this.udpEchoed++;
  }

  #clock(): WireguardNow {
    return { now: millis(performance.now()), unixMs: Date.now() };
  }
}

/** wireguard-go with its interface in a namespace of its own. */
class Them {
  readonly name = `vrwg${process.pid}`;
  readonly #child: ChildProcess;
  #ended = false;

  constructor() {
    ip('netns', 'add', this.name);
    const env = { ...process.env, LOG_LEVEL: 'error', WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD: '1' };
    this.#child = spawn(programPath('wireguard-go')!, ['-f', this.name], { stdio: 'ignore', env });
    this.#child.once('exit', () => {
      this.#ended = true;
    });
  }

  async start(): Promise<void> {
    await until('the control socket of wireguard-go', () => {
      assert.equal(this.#ended, false, 'wireguard-go has ended');
      return existsSync(this.#path);
    });
    ip('link', 'set', this.name, 'netns', this.name);
    ip('-n', this.name, 'addr', 'add', '10.99.0.2/24', 'dev', this.name);
    ip('-n', this.name, 'link', 'set', this.name, 'mtu', String(MTU), 'up');
  }

  /** Speaks UAPI: `get`, or `set` with lines. */
  async control(operation: 'get' | 'set', lines: readonly string[] = []): Promise<Map<string, string>> {
    const socket = connect(this.#path);
    socket.end(`${[`${operation}=1`, ...lines].join('\n')}\n\n`);
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    const answer = new Map(text.split('\n').flatMap((line) => [line.split('=', 2) as [string, string]]));
    assert.equal(answer.get('errno'), '0', text);
    return answer;
  }

  /** A program inside that sends a UDP datagram to us and waits for it to come back. */
  async echo(payload: string): Promise<void> {
    const program = `
      const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (bytes) => process.exit(String(bytes) === ${JSON.stringify(payload)} ? 0 : 1));
      const send = () => socket.send(${JSON.stringify(payload)}, 4242, '10.99.0.1');
      send();
      setInterval(send, 500);
      setTimeout(() => process.exit(2), 9000);`;
    const child = spawn(programPath('ip')!, ['netns', 'exec', this.name, process.execPath, '-e', program], {
      stdio: 'inherit',
    });
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0, 'the datagram came back');
  }

  async stop(): Promise<void> {
    if (!this.#ended) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    ip('netns', 'del', this.name);
  }

  get #path(): string {
    return `/var/run/wireguard/${this.name}.sock`;
  }
}

function ip(...args: readonly string[]): void {
  execFileSync(programPath('ip')!, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function echoRequest(sequence: number, payloadBytes: number): Uint8Array {
  const packet = new Uint8Array(IPV4_MIN_LEN + 8 + payloadBytes).fill(0x61);
  const v = new DataView(packet.buffer);
  const header = {
    dscp: 0,
    ecn: 0,
    id: sequence,
    dontFragment: true,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
  };
  const addresses = { src: OURS, dst: THEIRS, options: new Uint8Array(0) };
  emitIpv4({ ...header, ...addresses, protocol: IpProtocol.icmp, payloadLength: 8 + payloadBytes }, v, 0);
  v.setUint32(IPV4_MIN_LEN, 0x0800_0000);
  v.setUint32(IPV4_MIN_LEN + 4, sequence);
  v.setUint16(IPV4_MIN_LEN + 2, finishChecksum(sumWords(v, IPV4_MIN_LEN, 8 + payloadBytes, 0)));
  return packet;
}

async function pinged(us: Us, peer: WireguardPeer, sequence: number, payloadBytes: number): Promise<void> {
  us.icmp.length = 0;
  us.say(peer, echoRequest(sequence, payloadBytes));
  await until(`an answer to ping ${sequence}`, () => us.icmp.length > 0);
  const answer = us.icmp[0]!;
  assert.deepEqual([answer.length, answer[IPV4_MIN_LEN]], [IPV4_MIN_LEN + 8 + payloadBytes, 0]);
  assert.equal(new DataView(answer.buffer).getUint32(IPV4_MIN_LEN + 4), sequence);
}

test('wireguard-go: handshakes by either end, packets both ways, roaming, the same counters', {
  skip: needs('root', 'netns', 'tun', 'ip', 'wireguard-go'),
  timeout: 90_000,
}, async () => {
  const them = new Them();
  const us = new Us();
  try {
    await us.move();
    await them.start();
    const theirPrivate = randomKey();
    const theirPublic = new TestCrypto().publicKey(theirPrivate);
    const psk = randomKey();
    const ourName = `public_key=${us.device.publicKey.toHex()}`;
    const introduce = [
      ourName,
      `preshared_key=${psk.toHex()}`,
      'allowed_ip=10.99.0.1/32',
      `endpoint=127.0.0.1:${us.port}`,
    ];
    await them.control('set', [`private_key=${theirPrivate.toHex()}`, ...introduce]);
    const theirPort = Number((await them.control('get')).get('listen_port'));

    // They know where we are, we do not know where they are: they start.
    let peer = us.device.setPeer(
      { publicKey: theirPublic, presharedKey: psk, allowedIps: [prefixOf('10.99.0.2/32')] },
      millis(performance.now()),
    )!;
    await them.echo('they call');
    assert.equal(peer.endpoint?.port, theirPort);
    assert.equal(peer.current?.initiator, false);
    await pinged(us, peer, 1, 56);

    // We on another port: they follow what is authentic.
    await us.move();
    await pinged(us, peer, 2, 56);
    assert.equal((await them.control('get')).get('endpoint'), `127.0.0.1:${us.port}`);
    await them.echo('they followed');

    // Both forget; now only we know where the other is: we start.
    us.device.removePeer(theirPublic);
    await them.control('set', [ourName, 'remove=true']);
    await them.control('set', introduce.slice(0, 3));
    peer = us.device.setPeer(
      {
        publicKey: theirPublic,
        presharedKey: psk,
        allowedIps: [prefixOf('10.99.0.2/32')],
        endpoint: endpointOf('127.0.0.1', theirPort),
      },
      millis(performance.now()),
    )!;
    await pinged(us, peer, 3, 0);
    assert.equal(peer.current?.initiator, true);
    for (const bytes of [1, 15, 16, 17, MTU - 28]) await pinged(us, peer, 100 + bytes, bytes);
    await them.echo('and back');
    assert.ok(us.udpEchoed >= 3);

    await until('both ends to have counted the same', async () => {
      const theirs = await them.control('get');
      return Number(theirs.get('rx_bytes')) === peer.txBytes && Number(theirs.get('tx_bytes')) === peer.rxBytes;
    });
  } finally {
    us.close();
    await them.stop();
  }
});
