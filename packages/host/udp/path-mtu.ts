/**
 * The path MTU that the kernel knows: a probe socket is connected to the endpoint, which sends nothing but looks the route up, and
 * IP_MTU (ip(7)) or IPV6_MTU (ipv6(7)) tells. The kernel learns from "fragmentation needed" about whatever any socket has sent there
 * (RFC 1191, RFC 8201) and forgets after ten minutes. One probe socket per family, opened when first asked.
 *
 * Three system calls are much when thousands of peers are looked at every few seconds, so answers are kept: a minute, or until there may be news
 * (path-news.ts), and then two seconds still, since news about one path are no news about all.
 */
import type { Endpoint } from '@vrouter/core/endpoint.ts';
import { PathNews } from './path-news.ts';
import { AF_INET, AF_INET6, SOCKADDR_IN6_LEN, writeSockaddr } from './sockaddr.ts';
import * as sys from './syscalls.ts';

const KEEP_MS = 60_000;
const KEEP_DESPITE_NEWS_MS = 2000;

interface Kept {
  readonly mtu: number | null;
  readonly askedAtMs: number;
  /** The news before the kernel was asked. */
  readonly news: number;
}

/** Where the value and its length lie in the arena, behind the address. */
const VALUE_AT = 32;
const LENGTH_AT = 40;

export class PathMtuProbe {
  readonly #native: sys.SocketNative;
  readonly #arena = new ArrayBuffer(64);
  readonly #view = new DataView(this.#arena);
  readonly #base: number;
  readonly #kept = new WeakMap<Endpoint, Kept>();
  readonly #news = new PathNews();
  /** How often the kernel was asked. */
  asked = 0;
  #fd4 = -1;
  #fd6 = -1;

  constructor(native: sys.SocketNative) {
    this.#native = native;
    this.#base = native.addresses.of(this.#arena);
  }

  /**
   * Bytes of the largest IP packet on the way there; null when there is no way, or no telling. `scope` for link-local addresses. `refusals`
   * counts what a path did not take; a change is news.
   */
  ask(to: Endpoint, scope: number, refusals: number): number | null {
    const nowMs = performance.now();
    const news = this.#news.at(nowMs) + refusals;
    const kept = this.#kept.get(to);
    if (kept !== undefined && nowMs - kept.askedAtMs < (kept.news === news ? KEEP_MS : KEEP_DESPITE_NEWS_MS))
      return kept.mtu;
    this.asked++;
    const mtu = this.#askKernel(to, scope);
    this.#kept.set(to, { mtu, askedAtMs: nowMs, news });
    return mtu;
  }

  #askKernel(to: Endpoint, scope: number): number | null {
    const four = to.address.length === 4;
    const family = four ? AF_INET : AF_INET6;
    const { calls } = this.#native;
    let fd = four ? this.#fd4 : this.#fd6;
    if (fd < 0) {
      fd = calls.socket(family, sys.SOCK_DGRAM | sys.SOCK_NONBLOCK | sys.SOCK_CLOEXEC, 0);
      if (fd < 0) return null;
      if (four) this.#fd4 = fd;
      else this.#fd6 = fd;
    }
    // The address of its first connection would stay with the socket: AF_UNSPEC lets go of it (connect(2)).
    this.#view.setUint16(0, 0, true);
    calls.connect(fd, this.#base, SOCKADDR_IN6_LEN);
    const length = writeSockaddr(this.#view, 0, family, to.address, to.port, scope);
    if (calls.connect(fd, this.#base, length) < 0) return null;
    this.#view.setInt32(LENGTH_AT, 4, true);
    const level = four ? sys.IPPROTO_IP : sys.IPPROTO_IPV6;
    const name = four ? sys.IP_MTU : sys.IPV6_MTU;
    if (calls.getsockopt(fd, level, name, this.#base + VALUE_AT, this.#base + LENGTH_AT) < 0) return null;
    return this.#view.getInt32(VALUE_AT, true);
  }

  close(): void {
    if (this.#fd4 >= 0) this.#native.calls.close(this.#fd4);
    if (this.#fd6 >= 0) this.#native.calls.close(this.#fd6);
    this.#fd4 = -1;
    this.#fd6 = -1;
  }
}
