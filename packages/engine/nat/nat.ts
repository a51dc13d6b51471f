/**
 * The translator: NAT44 after RFC 4787 (UDP), 5382 (TCP) and 5508 (ICMP), for published ports and masquerade at once. Two motions:
 *
 *   outbound   the source becomes what stands for it outside; a session is made if a masquerade rule says so
 *   inbound    the destination, an address of ours, becomes the inside one; a session is made if a port is published, or if the
 *              mapping's host has sent to that far address
 *
 * A packet from the inside to one of our outside addresses (hairpin, RFC 4787 section 6, REQ-9) makes both: its source is translated,
 * then its destination. Errors of ICMP make the same motions by the packet that they carry.
 *
 * Read first: sessions.ts. Both return a number of graph/drops.ts, `Drop.none` when the packet may go on.
 */
import type { Rng } from '@vrouter/core/rng.ts';
import { IpProtocol } from '@vrouter/wire/ipv4/protocols.ts';
import { Drop } from '../graph/drops.ts';
import { DirectFlows } from './direct.ts';
import { Errors } from './errors.ts';
import { Flow, FlowKind } from './flow.ts';
import { type HostRule, Hosts, hostDelta } from './hosts.ts';
import { isFirstSyn, mayOpen, pooled, untranslatable } from './judge.ts';
import { realm } from './mappings.ts';
import { Masquerade, type MasqueradeRule } from './masquerade.ts';
import { IN, Lot, OUT, Pieces } from './pieces.ts';
import { Published, type PublishedRange } from './published.ts';
import { rewriteEndpoint, rewriteHost } from './rewrite.ts';
import { FULL, Sessions } from './sessions.ts';
import type { NatSettings } from './settings.ts';
import { mayBeForgotten, takeUp } from './take-up.ts';
import { seePacket, seeSegment } from './tcp-state.ts';
import { TupleIndex } from './tuple-index.ts';

/** What `inbound` says of a packet that is not for anybody inside: it is ours. */
export const NOT_TRANSLATED = -1;
/** The packet is a piece that is kept until the first of its datagram has come: the row has ended, which is no drop. */
export const HELD = -2;
/** Mappings of a pool and of a link are told apart by this bit. */
const POOL_WAY = 0x40000000;

export class Nat {
  readonly sessions: Sessions;
  readonly masquerade: Masquerade;
  readonly published: Published;
  readonly hosts: Hosts;
  readonly direct: DirectFlows;
  /** By link index: its own address that masquerade uses (0 is none), and its VRF. */
  linkAddress: Int32Array;
  linkVrf: Int32Array;
  /** Packets and bytes by rule, and refusals for want of a port by pool. */
  readonly packets: number[];
  readonly bytes: number[];
  readonly exhausted: number[];
  /** After `inbound` and `outbound`: the VRF in which the packet goes on, and in which an error about it starts. */
  insideVrf: number;
  outsideVrf: number;
  readonly pieces: Pieces;
  /** The link that an own address stands on. */
  #linkOf: TupleIndex;
  readonly #flow: Flow;
  readonly #errors: Errors;
  readonly #rng: Rng;
  /** Whether the packet that is looked at got an outside source. */
  #hasLeft: boolean;
  /** Why a session was not made; `Drop.none`: nobody asked for one. */
  #refused: number;

  constructor(settings: NatSettings, rng: Rng) {
    this.published = new Published();
    this.masquerade = new Masquerade();
    this.hosts = new Hosts();
    this.sessions = new Sessions(settings, rng, this.published);
    this.linkAddress = new Int32Array(0);
    this.linkVrf = new Int32Array(0);
    this.packets = [];
    this.bytes = [];
    this.exhausted = [];
    this.insideVrf = 0;
    this.outsideVrf = 0;
    this.pieces = new Pieces(settings.fragmentMs, rng);
    this.#linkOf = new TupleIndex(rng.uint32());
    this.#flow = new Flow();
    this.#errors = new Errors(this.sessions, this.hosts);
    this.direct = new DirectFlows(settings, rng, this.published);
    this.#rng = rng;
    this.#hasLeft = false;
    this.#refused = Drop.none;
  }

  /** Lets time come to `now`, in milliseconds. */
  advance(now: number): void {
    this.sessions.advance(now);
    if (!this.published.isEmpty) this.direct.advance(now);
    this.pieces.advance(now);
  }

  /** Other limits and lives, see `Sessions.limit`. */
  limit(settings: NatSettings): void {
    this.sessions.limit(settings);
    this.direct.limit(settings);
  }

  /**
   * What is to be done is another now: all rules, and the links by index (`linkAddress` 0 is none). Sessions of rules in `gone`, and
   * those whose outside address is no longer ours, end.
   */
  configure(
    masquerade: readonly MasqueradeRule[],
    published: readonly PublishedRange[],
    linkAddress: Int32Array,
    linkVrf: Int32Array,
    gone: ReadonlySet<number>,
    hosts: readonly HostRule[] = [],
  ): void {
    this.masquerade.replace(masquerade);
    this.hosts.replace(hosts, this.#rng.uint32());
    this.published.replace(published);
    this.linkAddress = linkAddress;
    this.linkVrf = linkVrf;
    this.#linkOf = new TupleIndex(this.#rng.uint32(), linkAddress.length);
    for (let link = 0; link < linkAddress.length; link++)
      if (linkAddress[link] !== 0) this.#linkOf.set(linkAddress[link]!, linkVrf[link]!, 0, 0, link);
    const { sessions } = this;
    const pools = new Map(masquerade.flatMap(({ pool }) => (pool === null ? [] : [[pool.index | POOL_WAY, pool]])));
    for (let row = 0; row < sessions.rows; row++) {
      if (sessions.protocol[row] === 0) continue;
      const mapping = sessions.mapping[row]!;
      const way = mapping < 0 ? -1 : sessions.mappings.way[mapping]!;
      const ip = sessions.outsideIp[row]!;
      const isOurs = way < 0 || (pools.get(way)?.addresses.includes(ip) ?? linkAddress[way] === ip);
      if (!isOurs || gone.has(sessions.rule[row]!)) sessions.remove(row);
    }
    this.direct.keepPublished();
    sessions.mappings.reserveAnew();
    this.pieces.clear();
  }

  /** The way out of link `egress`, for a packet of VRF `vrf` that came in by `ingress`. */
  outbound(view: DataView, at: number, end: number, vrf: number, ingress: number, egress: number): number {
    const flow = this.#flow;
    flow.read(view, at, end);
    this.outsideVrf = vrf;
    if (flow.kind === FlowKind.piece) return this.#pieceOut(view, flow, end, vrf, ingress, egress);
    this.#hasLeft = false;
    const outcome = this.#wholeOut(view, flow, end, vrf, ingress, egress);
    if (flow.isFirstPiece) this.pieces.settle(flow.src, flow, OUT, vrf, this.#lotOutside(flow, vrf, outcome));
    return outcome;
  }

  /**
   * The way out for a packet that we made: nobody else's address is in it, but in the packet that an error of ours carries. `aboutInbound`:
   * that packet had its destination translated.
   */
  outboundOurs(view: DataView, at: number, end: number, vrf: number, aboutInbound: boolean): void {
    const flow = this.#flow;
    flow.read(view, at, end);
    this.outsideVrf = vrf;
    if (flow.kind === FlowKind.error && this.#errors.out(view, flow, end, vrf, aboutInbound))
      this.outsideVrf = this.#errors.vrf;
  }

  #wholeOut(view: DataView, flow: Flow, end: number, vrf: number, ingress: number, egress: number): number {
    // Between hosts of one link addresses are as they are.
    const own =
      this.hosts.isEmpty || egress === ingress || this.linkVrf[egress] !== vrf
        ? null
        : this.hosts.findInside(flow.src, vrf);
    if (flow.kind === FlowKind.flow) {
      let session = this.#findInside(flow, vrf);
      if (session < 0) {
        const target = this.#publishedSource(flow, vrf);
        if (target !== null && this.direct.answers(flow, vrf)) return Drop.none;
        // Before a published port that we may have forgotten a flow of: nothing tells whether it is that, or one by the own address.
        if (own !== null) return this.#hostOut(view, flow, end, own);
        const rule = this.masquerade.match(vrf, flow.src, ingress, egress);
        // It is published where it stands, in one VRF.
        const ownAddress = this.linkAddress[egress]!;
        if (
          target !== null &&
          this.linkVrf[egress] === vrf &&
          mayBeForgotten(flow, target, ingress, egress, ownAddress, rule !== null)
        ) {
          session = takeUp(this.sessions, flow, vrf, target, ownAddress);
          if (session < 0) return ~session;
        } else if (rule !== null) session = this.#openOutward(flow, vrf, rule, egress, this.linkVrf[egress]!);
        else {
          if (!this.published.isEmpty) this.direct.pass(flow, vrf, target, this.sessions);
          return Drop.none;
        }
        if (session < 0) return this.#refused;
      }
      this.#leave(view, flow, session, end - flow.at, vrf);
      return Drop.none;
    }
    if (flow.kind === FlowKind.error && this.#errors.out(view, flow, end, vrf, egress !== ingress)) {
      this.outsideVrf = this.#errors.vrf;
      return Drop.none;
    }
    if (own !== null) return flow.kind === FlowKind.short ? Drop.natShort : this.#hostOut(view, flow, end, own);
    // What cannot be translated must not show its inside address outside.
    if (this.masquerade.match(vrf, flow.src, ingress, egress) === null) return Drop.none;
    return untranslatable(flow.kind);
  }

  /** The way in, for a packet to an address of ours in VRF `vrf`. `NOT_TRANSLATED`: nobody inside has to do with it. */
  inbound(view: DataView, at: number, end: number, vrf: number, ingress: number): number {
    const flow = this.#flow;
    flow.read(view, at, end);
    if (flow.kind === FlowKind.piece) return this.#pieceIn(view, flow, end, vrf, ingress);
    const { src } = flow;
    const outcome = this.#wholeIn(view, flow, end, vrf, ingress);
    if (flow.isFirstPiece) {
      const other = outcome === NOT_TRANSLATED ? Lot.asItIs : Lot.refused;
      this.pieces.settle(src, flow, IN, vrf, outcome === Drop.none ? Lot.translated : other);
    }
    return outcome;
  }

  #wholeIn(view: DataView, flow: Flow, end: number, vrf: number, ingress: number): number {
    const isFlow = flow.kind === FlowKind.flow;
    const outcome = isFlow ? this.#flowIn(view, flow, end - flow.at, vrf, ingress) : NOT_TRANSLATED;
    if (outcome !== NOT_TRANSLATED) return outcome;
    if (flow.kind === FlowKind.error) {
      if (this.#errors.out(view, flow, end, vrf, true)) flow.read(view, flow.at, end);
      if (!this.#errors.in(view, flow, end, vrf)) return NOT_TRANSLATED;
      this.insideVrf = this.#errors.vrf;
      return Drop.none;
    }
    const host = this.hosts.isEmpty ? null : this.hosts.findOutside(flow.dst, vrf);
    return host === null ? NOT_TRANSLATED : this.#hostIn(view, flow, end, vrf, ingress, host);
  }

  #flowIn(view: DataView, flow: Flow, length: number, vrf: number, ingress: number): number {
    // An echo request asks us, whatever its identifier.
    if (flow.isEchoRequest) return NOT_TRANSLATED;
    let session = this.#findOutside(flow, vrf);
    if (session < 0) {
      const target = this.published.find(realm(flow.protocol, vrf), flow.dst, flow.dstPort);
      const mapping =
        target === null ? this.sessions.mappings.findOutside(flow.dst, flow.dstPort, realm(flow.protocol, vrf)) : -1;
      if (target === null && mapping < 0) return NOT_TRANSLATED;
      const refused = this.#hairpin(view, flow, length, vrf, ingress, target);
      if (refused !== Drop.none) return refused;
      session = this.#findOutside(flow, vrf);
      if (session < 0) session = this.#openInward(flow, vrf, target, mapping);
      if (session < 0) return this.#refused;
    }
    this.#enter(view, flow, session, length, vrf);
    return Drop.none;
  }

  /** A packet of a host with an address of its own goes out. */
  #hostOut(view: DataView, flow: Flow, end: number, host: HostRule): number {
    const delta = hostDelta(host, true);
    this.#count(host.rule, end - flow.at);
    rewriteHost(view, flow, end, true, host.outside, delta);
    this.#hasLeft = true;
    if (flow.isFirstPiece) this.pieces.translate(flow, OUT, host.vrf, host.outside, host.vrf, delta);
    return Drop.none;
  }

  /** A packet to a host with an address of its own comes in; one of another inside host gets an outside source, if it has one. */
  #hostIn(view: DataView, flow: Flow, end: number, vrf: number, ingress: number, host: HostRule): number {
    if (flow.kind === FlowKind.short) return Drop.natShort;
    const mine = this.hosts.findInside(flow.src, vrf);
    if (mine !== null) this.#hostOut(view, flow, end, mine);
    else if (flow.kind === FlowKind.flow) {
      const egress = this.masquerade.outsideOf(vrf, flow.src, ingress, this.linkAddress, this.linkVrf);
      if (egress !== null) {
        let session = this.#findInside(flow, vrf);
        if (session < 0) session = this.#openOutward(flow, vrf, egress.rule, egress.link, vrf);
        if (session < 0) return this.#refused;
        this.#leave(view, flow, session, end - flow.at, vrf);
      }
    }
    flow.read(view, flow.at, end);
    const delta = hostDelta(host, false);
    this.#count(host.rule, end - flow.at);
    this.insideVrf = vrf;
    rewriteHost(view, flow, end, false, host.inside, delta);
    if (flow.isFirstPiece) this.pieces.translate(flow, IN, vrf, host.inside, vrf, delta);
    return Drop.none;
  }

  /** Gives a packet from the inside to one of our outside addresses its own outside source. */
  #hairpin(
    view: DataView,
    flow: Flow,
    length: number,
    vrf: number,
    ingress: number,
    target: PublishedRange | null,
  ): number {
    let session = this.#findInside(flow, vrf);
    const own = this.hosts.isEmpty ? null : this.hosts.findInside(flow.src, vrf);
    if (session < 0 && own !== null) {
      this.#hostOut(view, flow, flow.at + length, own);
      flow.read(view, flow.at, flow.at + length);
      return Drop.none;
    }
    if (session < 0) {
      const egress = this.#linkOf.find(flow.dst, vrf, 0, 0);
      const rule = this.masquerade.matchOutside(vrf, flow.src, ingress, flow.dst, egress);
      if (rule === null) return Drop.none;
      if (!(target === null ? rule.hairpin : target.hairpin)) return Drop.natFiltered;
      session = this.#openOutward(flow, vrf, rule, egress, vrf);
      if (session < 0) return this.#refused;
    }
    this.#leave(view, flow, session, length, vrf);
    flow.read(view, flow.at, flow.at + length);
    return Drop.none;
  }

  #findInside(flow: Flow, vrf: number): number {
    const remotePort = flow.protocol === IpProtocol.icmp ? 0 : flow.dstPort;
    return this.sessions.findInside(flow.src, flow.srcPort, flow.dst, remotePort, realm(flow.protocol, vrf));
  }

  #findOutside(flow: Flow, vrf: number): number {
    const remotePort = flow.protocol === IpProtocol.icmp ? 0 : flow.srcPort;
    return this.sessions.findOutside(flow.dst, flow.dstPort, flow.src, remotePort, realm(flow.protocol, vrf));
  }

  /** A session of an inside host that begins to speak; -1 with `#refused`. */
  #openOutward(flow: Flow, vrf: number, rule: MasqueradeRule, egress: number, outsideVrf: number): number {
    const { sessions } = this;
    const isIcmp = flow.protocol === IpProtocol.icmp;
    if ((isIcmp && !flow.isEchoRequest) || (flow.protocol === IpProtocol.tcp && !mayOpen(flow.tcpFlags)))
      return this.#refuse(Drop.natNoSession);
    const { pool } = rule;
    // One host, one outside address (RFC 4787 section 4.1, REQ-2).
    const outside = pool === null ? this.linkAddress[egress]! : pooled(pool.addresses, flow.src);
    if (outside === 0) return this.#refuse(Drop.natNoAddress);
    const refusal = sessions.refusal(flow.src, vrf);
    if (refusal !== 0) return this.#refuse(refusal === FULL ? Drop.natTableFull : Drop.natHostLimit);
    const inner = realm(flow.protocol, vrf);
    const way = pool === null ? egress : pool.index | POOL_WAY;
    let mapping = sessions.mappings.findInside(flow.src, flow.srcPort, inner, way);
    if (mapping < 0) {
      const first = isIcmp ? 0 : (pool?.firstPort ?? 1024);
      const last = isIcmp ? 0xffff : (pool?.lastPort ?? 0xffff);
      const outerRealm = realm(flow.protocol, outsideVrf);
      mapping = sessions.mappings.create(
        flow.src,
        flow.srcPort,
        inner,
        way,
        outside,
        outerRealm,
        first,
        last,
        rule.rule,
      );
      if (mapping < 0) {
        if (pool !== null) this.exhausted[pool.index] = (this.exhausted[pool.index] ?? 0) + 1;
        return this.#refuse(Drop.natPortsExhausted);
      }
    }
    const { outsideIp, outsidePort, outsideRealm } = sessions.mappings;
    const remotePort = isIcmp ? 0 : flow.dstPort;
    const outer = outsideRealm[mapping]!;
    // A port that was published over a mapping may speak to that far end already.
    if (sessions.findOutside(outsideIp[mapping]!, outsidePort[mapping]!, flow.dst, remotePort, outer) >= 0) {
      if (sessions.mappings.users[mapping] === 0) sessions.mappings.discard(mapping);
      return this.#refuse(Drop.natPortsExhausted);
    }
    return sessions.create(
      flow.protocol,
      flow.src,
      flow.srcPort,
      vrf,
      outsideIp[mapping]!,
      outsidePort[mapping]!,
      outer >>> 8,
      flow.dst,
      remotePort,
      mapping,
      rule.rule,
    );
  }

  /** What is published of the port that this comes from, unless it begins a connection of its own. */
  #publishedSource(flow: Flow, vrf: number): PublishedRange | null {
    if (this.published.isEmpty || (flow.protocol === IpProtocol.tcp && isFirstSyn(flow.tcpFlags))) return null;
    return this.published.findInside(realm(flow.protocol, vrf), flow.src, flow.srcPort);
  }

  /** A session that begins outside: to a published port, or through a mapping that its host has opened; -1 with `#refused`. */
  #openInward(flow: Flow, vrf: number, target: PublishedRange | null, mapping: number): number {
    const { sessions } = this;
    const { mappings } = sessions;
    if (target === null && !mappings.isPermitted(mapping, flow.src)) return this.#refuse(Drop.natFiltered);
    // An identifier has one session alone, so an echo reply of none has been asked for by nobody.
    const isTcp = flow.protocol === IpProtocol.tcp;
    // A published port is open to all: a connection that goes on after we were restarted is taken up in the middle.
    const isFirst = !isTcp || (target === null ? isFirstSyn(flow.tcpFlags) : mayOpen(flow.tcpFlags));
    if (flow.protocol === IpProtocol.icmp || !isFirst) return this.#refuse(Drop.natNoSession);
    const insideIp = target?.toAddress ?? mappings.insideIp[mapping]!;
    const insidePort =
      target === null ? mappings.insidePort[mapping]! : target.toPort + flow.dstPort - target.firstPort;
    const insideVrf = target?.vrf ?? mappings.insideRealm[mapping]! >>> 8;
    const refusal = sessions.refusal(insideIp, insideVrf);
    if (refusal !== 0) return this.#refuse(refusal === FULL ? Drop.natTableFull : Drop.natHostLimit);
    // The far end may already be spoken to by the inside one under another name.
    if (sessions.findInside(insideIp, insidePort, flow.src, flow.srcPort, realm(flow.protocol, insideVrf)) >= 0)
      return this.#refuse(Drop.natFiltered);
    const rule = target?.rule ?? mappings.rule[mapping]!;
    const { protocol, dst, dstPort, src, srcPort } = flow;
    if (target !== null) this.direct.forget(flow, insideIp, insidePort, insideVrf);
    return sessions.create(protocol, insideIp, insidePort, insideVrf, dst, dstPort, vrf, src, srcPort, mapping, rule);
  }

  /** A packet of a session goes out: its source becomes the outside one. */
  #leave(view: DataView, flow: Flow, session: number, length: number, vrf: number): void {
    const s = this.sessions;
    const ip = s.outsideIp[session]!;
    const delta = s.ipDelta[session]!;
    this.#see(flow, session, true, length);
    rewriteEndpoint(view, flow, true, ip, s.outsidePort[session]!, delta, s.transportDelta[session]!);
    this.outsideVrf = s.outsideVrf[session]!;
    this.#hasLeft = true;
    if (flow.isFirstPiece) this.pieces.translate(flow, OUT, vrf, ip, this.outsideVrf, delta);
  }

  /** A packet of a session comes in: its destination becomes the inside one. */
  #enter(view: DataView, flow: Flow, session: number, length: number, vrf: number): void {
    const s = this.sessions;
    const ip = s.insideIp[session]!;
    const delta = ~s.ipDelta[session]! & 0xffff;
    this.#see(flow, session, false, length);
    this.insideVrf = s.insideVrf[session]!;
    rewriteEndpoint(view, flow, false, ip, s.insidePort[session]!, delta, ~s.transportDelta[session]! & 0xffff);
    if (flow.isFirstPiece) this.pieces.translate(flow, IN, vrf, ip, this.insideVrf, delta);
  }

  #see(flow: Flow, session: number, outbound: boolean, length: number): void {
    const { sessions } = this;
    const before = sessions.seen[session]!;
    const isTcp = flow.protocol === IpProtocol.tcp;
    sessions.touch(session, isTcp ? seeSegment(before, flow.tcpFlags, outbound) : seePacket(before, outbound));
    this.#count(sessions.rule[session]!, length);
  }

  #count(rule: number, length: number): void {
    this.packets[rule] = this.packets[rule]! + 1;
    this.bytes[rule] = this.bytes[rule]! + length;
  }

  /** What later pieces of a datagram are to expect whose first went out, or not. */
  #lotOutside(flow: Flow, vrf: number, outcome: number): Lot {
    if (this.#hasLeft) return Lot.translated;
    if (outcome !== Drop.none) return Lot.refused;
    // What no session can have to do with leaves no trace: its other pieces pass without being known.
    const mayBe =
      this.sessions.ofHost(flow.src, vrf) > 0 ||
      this.direct.ofHost(flow.src, vrf) > 0 ||
      (!this.hosts.isEmpty && this.hosts.findInside(flow.src, vrf) !== null);
    return mayBe ? Lot.asItIs : Lot.unknown;
  }

  #pieceOut(view: DataView, flow: Flow, end: number, vrf: number, ingress: number, egress: number): number {
    switch (this.pieces.outward(view, flow, vrf)) {
      case Lot.translated:
        this.outsideVrf = this.pieces.vrf;
        return Drop.none;
      case Lot.asItIs:
        return Drop.none;
      case Lot.refused:
        return Drop.natFragment;
      default:
        if (
          this.sessions.ofHost(flow.src, vrf) === 0 &&
          this.hosts.findInside(flow.src, vrf) === null &&
          this.masquerade.match(vrf, flow.src, ingress, egress) === null
        )
          return Drop.none;
        return this.pieces.keep(view, flow, end, OUT, vrf, ingress, egress) ? HELD : Drop.natFragment;
    }
  }

  #pieceIn(view: DataView, flow: Flow, end: number, vrf: number, ingress: number): number {
    switch (this.pieces.inward(view, flow, vrf)) {
      case Lot.translated:
        this.insideVrf = this.pieces.vrf;
        return Drop.none;
      case Lot.asItIs:
        return NOT_TRANSLATED;
      case Lot.refused:
        return Drop.natFragment;
      default:
        // Without room to wait it is ours: whoever puts datagrams to us together bounds what it keeps.
        return this.pieces.keep(view, flow, end, IN, vrf, ingress, -1) ? HELD : NOT_TRANSLATED;
    }
  }

  #refuse(reason: number): number {
    this.#refused = reason;
    return -1;
  }
}
