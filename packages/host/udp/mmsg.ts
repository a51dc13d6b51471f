/** A UDP socket by system calls: batches both ways, nothing allocated per datagram. First read udp(7), recvmmsg(2). */
import { randomInt } from 'node:crypto';
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import { parseIp } from '@vrouter/core/ip.ts';
import { ProblemError } from '@vrouter/core/problem.ts';
import { ReadablePoll } from '../internal/poll.ts';
import { MmsgReceiver, RX_ARENA_LEN } from './mmsg-rx.ts';
import { MmsgSender } from './mmsg-tx.ts';
import { PathMtuProbe } from './path-mtu.ts';
import { bindProblem, errnoName } from './problems.ts';
import { type DatagramRows, DEFAULT_BUFFER_BYTES, type UdpOptions, type UdpSocket, zeroCounters } from './shape.ts';
import { AF_INET, AF_INET6, EndpointTable, readEndpoint, SOCKADDR_IN6_LEN, writeSockaddr } from './sockaddr.ts';
import * as sys from './syscalls.ts';

export class MmsgSocket implements UdpSocket {
  readonly backend = 'recvmmsg';
  readonly localPort: number;
  readonly counters = zeroCounters();
  readonly #native: sys.SocketNative;
  readonly #receiver: MmsgReceiver;
  readonly #sender: MmsgSender;
  readonly #endpoints: EndpointTable;
  readonly #pathMtu: PathMtuProbe;
  #fd: number;
  #poll: ReadablePoll | null = null;

  /** Takes over the bound descriptor. */
  constructor(native: sys.SocketNative, bound: BoundUdp) {
    const { fd, localPort } = bound;
    this.#native = native;
    this.#fd = fd;
    this.localPort = localPort;
    const arena = new ArrayBuffer(RX_ARENA_LEN);
    const endpoints = new EndpointTable(new DataView(arena), randomInt(0x1_0000_0000));
    this.#endpoints = endpoints;
    this.#pathMtu = new PathMtuProbe(native);
    this.#receiver = new MmsgReceiver(native, fd, arena, endpoints, this.counters);
    this.#sender = new MmsgSender(native, bound, endpoints, this.counters);
  }

  get refused(): number {
    return this.#sender.refused;
  }

  receive(into: DatagramRows): number {
    if (this.#fd < 0) {
      into.count = 0;
      return 0;
    }
    const count = this.#receiver.receive(into);
    if (this.#receiver.pending) this.#poll?.wake();
    return count;
  }

  send(rows: DatagramRows): number {
    return this.#fd < 0 ? 0 : this.#sender.send(rows);
  }

  pathMtu(to: Endpoint): number | null {
    return this.#fd < 0 ? null : this.#pathMtu.ask(to, this.#endpoints.scopeOf(to), this.counters.sendUnbundled);
  }

  onReadable(callback: () => void): void {
    if (this.#poll !== null) throw new Error('the socket has a callback already');
    if (this.#fd < 0) return;
    this.#poll = new ReadablePoll(this.#native.native, this.#fd, callback);
    if (this.#receiver.pending) this.#poll.wake();
  }

  async close(): Promise<void> {
    if (this.#fd < 0) return;
    this.#poll?.close();
    this.#pathMtu.close();
    this.#native.calls.close(this.#fd);
    // The number may soon be somebody else's file.
    this.#fd = -1;
  }
}

/** A bound descriptor and what belongs to it; plain data, so that it can go to another thread of the process. */
export interface BoundUdp {
  readonly fd: number;
  readonly family: number;
  readonly localPort: number;
  /** The kernel knows UDP_SEGMENT. */
  readonly runs: boolean;
  /** It is bound to no address of its own: who asks chooses, and is answered from there. */
  readonly anyAddress: boolean;
}

/** Makes a socket of a descriptor, which is the socket's from now on. */
export function adoptMmsg(native: sys.SocketNative, bound: BoundUdp): MmsgSocket {
  return new MmsgSocket(native, bound);
}

/** Opens and binds. Throws ProblemError: `port.inUse`, `port.denied`, `address.invalid`. */
export function openMmsg(native: sys.SocketNative, options: UdpOptions): MmsgSocket {
  return adoptMmsg(native, bindUdp(native, options));
}

/** Opens and binds a descriptor, as `openMmsg`. `joins`: the port is another socket's of ours, which has SO_REUSEPORT set. */
export function bindUdp(native: sys.SocketNative, options: UdpOptions, joins: boolean = false): BoundUdp {
  const { address, port } = options;
  const parsed = parseIp(address, 'address');
  if (!parsed.ok) throw new ProblemError(parsed.error);
  const family = parsed.value.length === 4 ? AF_INET : AF_INET6;
  const anyAddress = parsed.value.every((byte) => byte === 0);
  const { calls } = native;
  const errno = (): number => native.native.koffi.errno();
  const fd = calls.socket(family, sys.SOCK_DGRAM | sys.SOCK_NONBLOCK | sys.SOCK_CLOEXEC, 0);
  if (fd < 0) {
    // A kernel without IPv6 still has all the addresses that "::" asks for.
    if (address === '::' && errno() === sys.errno.EAFNOSUPPORT)
      return bindUdp(native, { ...options, address: '0.0.0.0' }, joins);
    throw new ProblemError(bindProblem(errnoName(errno()), address, port));
  }
  try {
    const scratch = new ArrayBuffer(64);
    const view = new DataView(scratch);
    const at = native.addresses.of(scratch);
    const set = (level: number, name: number, value: number): boolean => {
      view.setInt32(32, value, true);
      return calls.setsockopt(fd, level, name, at + 32, 4) === 0;
    };
    if (family === AF_INET6) set(sys.IPPROTO_IPV6, sys.IPV6_V6ONLY, 0);
    // Each message tells which of our addresses it was sent to; on an IPv6 socket this tells mapped IPv4 addresses too.
    if (!anyAddress) {
      // It has one address, and its system sees to that.
    } else if (family === AF_INET6) set(sys.IPPROTO_IPV6, sys.IPV6_RECVPKTINFO, 1);
    else set(sys.IPPROTO_IP, sys.IP_PKTINFO, 1);
    if (joins) set(sys.SOL_SOCKET, sys.SO_REUSEPORT, 1);
    const receiveBytes = options.receiveBufferBytes ?? DEFAULT_BUFFER_BYTES;
    // The forced forms need CAP_NET_ADMIN and pass over the system's limit; the plain ones are cut to it.
    if (!set(sys.SOL_SOCKET, sys.SO_RCVBUFFORCE, receiveBytes)) set(sys.SOL_SOCKET, sys.SO_RCVBUF, receiveBytes);
    if (!set(sys.SOL_SOCKET, sys.SO_SNDBUFFORCE, DEFAULT_BUFFER_BYTES))
      set(sys.SOL_SOCKET, sys.SO_SNDBUF, DEFAULT_BUFFER_BYTES);
    set(sys.SOL_UDP, sys.UDP_GRO, 1);
    const runs = set(sys.SOL_UDP, sys.UDP_SEGMENT, 0);
    const length = writeSockaddr(view, 0, family, parsed.value, port, 0);
    if (calls.bind(fd, at, length) < 0) throw new ProblemError(bindProblem(errnoName(errno()), address, port));
    view.setInt32(32, SOCKADDR_IN6_LEN, true);
    if (calls.getsockname(fd, at, at + 32) < 0) throw new ProblemError(bindProblem(errnoName(errno()), address, port));
    return { fd, family, localPort: readEndpoint(view, 0).port, runs, anyAddress };
  } catch (thrown) {
    calls.close(fd);
    throw thrown;
  }
}
