/**
 * ICMP errors make the motions of the packet that they carry, by the session that it was of, or the host with an address of its own
 * (RFC 5508 section 4). Both return whether they were translated.
 */
import { checkIcmp, ICMP_ECHO_LEN, IcmpFault } from '@vrouter/wire/icmp/icmp.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { wordsDelta } from './checksums.ts';
import { Flow } from './flow.ts';
import { type Hosts, hostDelta } from './hosts.ts';
import { realm } from './mappings.ts';
import { IN, OUT } from './pieces.ts';
import { rewriteAddress, rewriteQuoted, rewriteQuotedHost } from './rewrite.ts';
import type { Sessions } from './sessions.ts';

export class Errors {
  /** Of an error that was translated: the VRF in which it goes on. */
  vrf: number;
  readonly #sessions: Sessions;
  readonly #hosts: Hosts;
  readonly #quoted: Flow;

  constructor(sessions: Sessions, hosts: Hosts) {
    this.vrf = 0;
    this.#sessions = sessions;
    this.#hosts = hosts;
    this.#quoted = new Flow();
  }

  /** Whether an ICMP error is whole and its sum right; a wrong one is not mended by us (RFC 5508 section 4.2, REQ-3). */
  #isSound(view: DataView, flow: Flow, end: number): boolean {
    return !flow.isFirstPiece && checkIcmp(view, flow.transport, end, 0) === IcmpFault.none;
  }

  /** Reads the packet in an ICMP error. */
  #readQuoted(view: DataView, flow: Flow, end: number): boolean {
    return this.#quoted.readQuoted(view, flow.transport + ICMP_ECHO_LEN, end);
  }

  /** As `out` (way OUT) and `in` for hosts with an address of their own: whatever the packet in the error is. */
  #ofHost(view: DataView, flow: Flow, end: number, vrf: number, way: 0 | 1): boolean {
    if (this.#hosts.isEmpty) return false;
    const quoted = this.#quoted;
    if (!quoted.readQuotedIp(view, flow.transport + ICMP_ECHO_LEN, end)) return false;
    const host = way === OUT ? this.#hosts.findInside(quoted.dst, vrf) : this.#hosts.findOutside(quoted.src, vrf);
    if (host === null) return false;
    const delta = hostDelta(host, way === OUT);
    const address = way === OUT ? host.outside : host.inside;
    rewriteQuotedHost(view, flow.transport, end, quoted, way === IN, address, delta);
    rewriteAddress(view, flow.at, way === OUT, address, wordsDelta(way === OUT ? flow.src : flow.dst, address));
    this.vrf = vrf;
    return true;
  }

  /** An error about a packet that came in: it carries the inside address as the destination (RFC 5508 section 4.3, REQ-5). */
  out(view: DataView, flow: Flow, end: number, vrf: number, ofHosts: boolean): boolean {
    if (!this.#isSound(view, flow, end)) return false;
    if (!this.#readQuoted(view, flow, end)) return ofHosts && this.#ofHost(view, flow, end, vrf, OUT);
    const quoted = this.#quoted;
    const s = this.#sessions;
    const remotePort = quoted.protocol === IpProtocol.icmp ? 0 : quoted.srcPort;
    const row = s.findInside(quoted.dst, quoted.dstPort, quoted.src, remotePort, realm(quoted.protocol, vrf));
    if (row < 0) return ofHosts && this.#ofHost(view, flow, end, vrf, OUT);
    const ip = s.outsideIp[row]!;
    const delta = s.ipDelta[row]!;
    rewriteQuoted(view, flow.transport, end, quoted, false, ip, s.outsidePort[row]!, delta, s.transportDelta[row]!);
    rewriteAddress(view, flow.at, true, ip, wordsDelta(flow.src, ip));
    this.vrf = s.outsideVrf[row]!;
    return true;
  }

  /** An error about a packet that went out: it carries the outside address as the source (RFC 5508 section 4.2, REQ-4). */
  in(view: DataView, flow: Flow, end: number, vrf: number): boolean {
    if (!this.#isSound(view, flow, end)) return false;
    if (!this.#readQuoted(view, flow, end)) return this.#ofHost(view, flow, end, vrf, IN);
    const quoted = this.#quoted;
    const s = this.#sessions;
    const remotePort = quoted.protocol === IpProtocol.icmp ? 0 : quoted.dstPort;
    const row = s.findOutside(quoted.src, quoted.srcPort, quoted.dst, remotePort, realm(quoted.protocol, vrf));
    if (row < 0) return this.#ofHost(view, flow, end, vrf, IN);
    const ip = s.insideIp[row]!;
    const delta = ~s.ipDelta[row]! & 0xffff;
    const transport = ~s.transportDelta[row]! & 0xffff;
    rewriteQuoted(view, flow.transport, end, quoted, true, ip, s.insidePort[row]!, delta, transport);
    rewriteAddress(view, flow.at, false, ip, wordsDelta(flow.dst, ip));
    this.vrf = s.insideVrf[row]!;
    return true;
  }
}
