/**
 * ip-input: the first look at an IP packet of either family. Header checks of RFC 1812 section 5.2.2 and RFC 8200 section 3, addresses
 * that never cross a router (RFC 1812 section 5.3.7, RFC 4291 section 2.7), and the length trimmed to what the header says. The TTL is
 * not judged here: a packet for us may arrive with its last hop (RFC 1812 section 5.3.1); `ip-rewrite` judges it.
 * In: from an input node. Out: source-check for links that check sources, else ip-lookup.
 */
import { checkIpv4, Ipv4Fault, ipv4Dst, ipv4Src, ipv4TotalLen } from '@vrouter/wire/ipv4/ipv4.ts';
import { checkIpv6, IPV6_DST_AT, IPV6_LEN, IPV6_SRC_AT, Ipv6Fault, ipv6PayloadLen } from '@vrouter/wire/ipv6/ipv6.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import type { Counters } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';
import { type Forwarding, SourceCheck } from '../../state/forwarding.ts';

const faultDrop4: { readonly [F in Ipv4Fault]: number } = {
  [Ipv4Fault.none]: Drop.none,
  [Ipv4Fault.short]: Drop.ipv4Short,
  [Ipv4Fault.version]: Drop.ipVersion,
  [Ipv4Fault.headerLength]: Drop.ipv4HeaderLength,
  [Ipv4Fault.totalLength]: Drop.ipv4TotalLength,
  [Ipv4Fault.checksum]: Drop.ipv4Checksum,
};
const faultDrop6: { readonly [F in Ipv6Fault]: number } = {
  [Ipv6Fault.none]: Drop.none,
  [Ipv6Fault.short]: Drop.ipv6Short,
  [Ipv6Fault.version]: Drop.ipVersion,
  [Ipv6Fault.payloadLength]: Drop.ipv6PayloadLength,
};

export class IpInput {
  readonly #forwarding: Forwarding;
  readonly #counters: Counters;
  readonly #check: Frame;
  readonly #next: Frame;

  constructor(forwarding: Forwarding, counters: Counters, check: Frame, next: Frame) {
    this.#forwarding = forwarding;
    this.#counters = counters;
    this.#check = check;
    this.#next = next;
  }

  process(batch: PacketBatch, frame: Frame): void {
    const { links } = this.#forwarding;
    for (let i = 0; i < frame.count; i++) {
      const row = frame.rows[i]!;
      const view = batch.region[row]!.view;
      const at = batch.offset[row]!;
      const length = batch.length[row]!;
      const version = length > 0 ? view.getUint8(at) >>> 4 : 0;
      const reason =
        version === 4 ? judge4(view, at, length) : version === 6 ? judge6(view, at, length) : Drop.ipVersion;
      if (reason !== Drop.none) {
        this.#counters.drop(reason, batch.ingress[row]!);
        continue;
      }
      const said = version === 4 ? ipv4TotalLen(view, at) : IPV6_LEN + ipv6PayloadLen(view, at);
      batch.tailroom[row] = batch.tailroom[row]! + length - said;
      batch.length[row] = said;
      if (links[batch.ingress[row]!]!.sourceCheck === SourceCheck.off) this.#next.push(row);
      else this.#check.push(row);
    }
  }
}

function judge4(view: DataView, at: number, length: number): number {
  const fault = checkIpv4(view, at, at + length);
  if (fault !== Ipv4Fault.none) return faultDrop4[fault];
  const src = ipv4Src(view, at);
  const srcNet = src >>> 24;
  // 224.0.0.0 and above: multicast, reserved, broadcast.
  if (srcNet === 0 || srcNet === 127 || srcNet >= 224) return Drop.martianSource;
  const dstNet = ipv4Dst(view, at) >>> 24;
  if (dstNet === 0 || dstNet === 127 || dstNet >= 240) return Drop.martianDestination;
  return dstNet >= 224 ? Drop.multicast : Drop.none;
}

function judge6(view: DataView, at: number, length: number): number {
  const fault = checkIpv6(view, at, at + length);
  if (fault !== Ipv6Fault.none) return faultDrop6[fault];
  if (view.getUint8(at + IPV6_SRC_AT) === 0xff || unspecifiedOrLoopback(view, at + IPV6_SRC_AT))
    return Drop.martianSource;
  if (unspecifiedOrLoopback(view, at + IPV6_DST_AT)) return Drop.martianDestination;
  return view.getUint8(at + IPV6_DST_AT) === 0xff ? Drop.multicast : Drop.none;
}

function unspecifiedOrLoopback(view: DataView, at: number): boolean {
  return (
    view.getUint32(at) === 0 &&
    view.getUint32(at + 4) === 0 &&
    view.getUint32(at + 8) === 0 &&
    view.getUint32(at + 12) <= 1
  );
}
