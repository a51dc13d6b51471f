/**
 * Direct flows: those with a published inside endpoint by its own address, past what is published of it. Their answers look like those of
 * a published flow that we have forgotten, so they are remembered from their first packet on. Bounded and with lives as sessions are, in
 * a table of the same kind: an endpoint stands for itself. When it is full, newcomers are not remembered and pass all the same.
 */
import type { Rng } from '@vrouter/core/rng.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import type { Flow } from './flow.ts';
import { isSynAck, mayOpen } from './judge.ts';
import { realm } from './mappings.ts';
import type { Published, PublishedRange } from './published.ts';
import { Sessions } from './sessions.ts';
import type { NatSettings } from './settings.ts';
import { Seen, seePacket, seeSegment } from './tcp-state.ts';

export class DirectFlows {
  readonly #flows: Sessions;
  readonly #published: Published;

  constructor(settings: NatSettings, rng: Rng, published: Published) {
    this.#flows = new Sessions(settings, rng, published);
    this.#published = published;
  }

  /** Live ones. */
  get count(): number {
    return this.#flows.count;
  }

  get byteLength(): number {
    return this.#flows.byteLength;
  }

  /** Lets time come to `now`, in milliseconds. */
  advance(now: number): void {
    this.#flows.advance(now);
  }

  /** Other limits and lives, as for sessions. */
  limit(settings: NatSettings): void {
    this.#flows.limit(settings);
  }

  /** Direct flows of an inside host. */
  ofHost(ip: number, vrf: number): number {
    return this.#flows.ofHost(ip, vrf);
  }

  /** What is published is another now: flows of endpoints that still are go on. */
  keepPublished(): void {
    const flows = this.#flows;
    for (let row = 0; row < flows.rows; row++) {
      const protocol = flows.protocol[row]!;
      if (protocol === 0) continue;
      const inside = realm(protocol, flows.insideVrf[row]!);
      if (this.#published.findInside(inside, flows.insideIp[row]!, flows.insidePort[row]!) === null) flows.remove(row);
    }
  }

  /** Whether a packet from a published inside endpoint answers somebody who speaks to it directly; the flow lives on then. */
  answers(flow: Flow, vrf: number): boolean {
    const row = this.#flows.findInside(flow.src, flow.srcPort, flow.dst, flow.dstPort, realm(flow.protocol, vrf));
    if (row < 0) return false;
    this.#see(flow, row, true);
    return true;
  }

  /** The sender of a packet asks for an inside endpoint by the published address: it is answered by that from now on. */
  forget(flow: Flow, insideIp: number, insidePort: number, insideVrf: number): void {
    const inside = realm(flow.protocol, insideVrf);
    const row = this.#flows.findInside(insideIp, insidePort, flow.src, flow.srcPort, inside);
    if (row >= 0) this.#flows.remove(row);
  }

  /**
   * A packet passes under the addresses that it has. To a published inside endpoint its flow is direct, since what comes by the
   * published address does not come this way; a session that was taken up without anybody outside having spoken was none. `source` is
   * what is published of where the packet comes from: a SYN-ACK of it answers a SYN that has gone another way.
   */
  pass(flow: Flow, vrf: number, source: PublishedRange | null, sessions: Sessions): void {
    const { protocol, src, srcPort, dst, dstPort } = flow;
    const isTcp = protocol === IpProtocol.tcp;
    const inside = realm(protocol, vrf);
    if (source !== null && isTcp && isSynAck(flow.tcpFlags))
      this.#see(flow, this.#create(protocol, src, srcPort, vrf, dst, dstPort, source), true);
    const target = this.#published.findInside(inside, dst, dstPort);
    if (target === null) return;
    let row = this.#flows.findInside(dst, dstPort, src, srcPort, inside);
    if (row < 0) {
      if (isTcp && !mayOpen(flow.tcpFlags)) return;
      const session = sessions.findInside(dst, dstPort, src, srcPort, inside);
      if (session >= 0) {
        if (sessions.mapping[session]! >= 0 || (sessions.seen[session]! & Seen.inbound) !== 0) return;
        sessions.remove(session);
      }
      row = this.#create(protocol, dst, dstPort, vrf, src, srcPort, target);
    }
    this.#see(flow, row, false);
  }

  #create(
    protocol: number,
    ip: number,
    port: number,
    vrf: number,
    remoteIp: number,
    remotePort: number,
    target: PublishedRange,
  ): number {
    const flows = this.#flows;
    if (flows.refusal(ip, vrf) !== 0) return -1;
    return flows.create(protocol, ip, port, vrf, ip, port, vrf, remoteIp, remotePort, -1, target.rule);
  }

  #see(flow: Flow, row: number, outbound: boolean): void {
    // The table is full.
    if (row < 0) return;
    const before = this.#flows.seen[row]!;
    const isTcp = flow.protocol === IpProtocol.tcp;
    this.#flows.touch(row, isTcp ? seeSegment(before, flow.tcpFlags, outbound) : seePacket(before, outbound));
  }
}
