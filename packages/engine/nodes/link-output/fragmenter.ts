/**
 * Cuts a packet that is too long for its link into pieces that fit, in their order: IPv4 by RFC 791 section 3.2, our own IPv6 packets by
 * RFC 8200 section 4.5 (nobody else's are cut). Pieces are made in the batch's own memory and take spare rows; when either is used up
 * the packet is dropped whole, since half of it is of no use.
 */
import { finishChecksum, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import { copyFragmentOptions, ipv4FragmentOffset, ipv4MoreFragments } from '@vrouter/wire/ipv4/fragment.ts';
import { IPV4_MIN_LEN, ipVersion, ipv4DontFragment, ipv4HeaderLen } from '@vrouter/wire/ipv4/ipv4.ts';
import { emitIpv6Fragment, IPV6_FRAGMENT_HEADER, IPV6_FRAGMENT_LEN } from '@vrouter/wire/ipv6/extensions.ts';
import { IPV6_LEN, ipv6NextHeader } from '@vrouter/wire/ipv6/ipv6.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import { type Counters, Work } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';
import type { Frame } from '../../graph/frame.ts';

const MORE = 0x2000;
const MAX_HEADER = 60;

export class Fragmenter {
  readonly #counters: Counters;
  /** Header of the pieces after the first. */
  readonly #header: Uint8Array;
  #id: number;

  constructor(counters: Counters, seed: number) {
    this.#counters = counters;
    this.#header = new Uint8Array(MAX_HEADER);
    this.#id = seed >>> 0;
  }

  /** Pushes the pieces of the row to `next`; or pushes nothing and says why. */
  cut(batch: PacketBatch, row: number, mtu: number, next: Frame): number {
    const four = ipVersion(batch.region[row]!.view, batch.offset[row]!) === 4;
    const reason = four ? this.#cut4(batch, row, mtu, next) : this.#cut6(batch, row, mtu, next);
    if (reason === Drop.none) this.#counters.did(Work.fragmented);
    return reason;
  }

  #cut4(batch: PacketBatch, row: number, mtu: number, next: Frame): number {
    const { bytes, view } = batch.region[row]!;
    const from = batch.offset[row]!;
    const length = batch.length[row]!;
    const firstHeader = ipv4HeaderLen(view, from);
    const optionBytes = copyFragmentOptions(view, from, this.#header, IPV4_MIN_LEN);
    if (optionBytes < 0) return Drop.ipv4Options;
    this.#header.set(bytes.subarray(from, from + IPV4_MIN_LEN));
    const laterHeader = IPV4_MIN_LEN + optionBytes;
    const step = (mtu - firstHeader) & ~7;
    const laterStep = (mtu - laterHeader) & ~7;
    if (step <= 0 || laterStep <= 0) return Drop.mtuExceeded;
    const pieces = 1 + Math.ceil((length - firstHeader - step) / laterStep);
    if (!batch.hasRoom(pieces, length + pieces * MAX_HEADER)) return Drop.madeFull;
    const offset = ipv4FragmentOffset(view, from);
    const more = ipv4MoreFragments(view, from);
    // Of ours only: what asked not to be cut had an identification that need not be its own (RFC 6864 section 4.1).
    const id = ipv4DontFragment(view, from) ? this.#nextId() & 0xffff : view.getUint16(from + 4);
    for (let done = firstHeader; done < length; ) {
      const first = done === firstHeader;
      const header = first ? firstHeader : laterHeader;
      const size = Math.min(first ? step : laterStep, length - done);
      const to = batch.reserve(header + size);
      const v = batch.made.view;
      if (first) batch.made.bytes.set(bytes.subarray(from, from + header), to);
      else batch.made.bytes.set(header === MAX_HEADER ? this.#header : this.#header.subarray(0, header), to);
      batch.made.bytes.set(bytes.subarray(from + done, from + done + size), to + header);
      v.setUint8(to, 0x40 | (header / 4));
      v.setUint16(to + 2, header + size);
      v.setUint16(to + 4, id);
      const last = done + size === length && !more;
      v.setUint16(to + 6, (last ? 0 : MORE) | ((offset + done - firstHeader) / 8));
      v.setUint16(to + 10, 0);
      v.setUint16(to + 10, finishChecksum(sumWords(v, to, header, 0)));
      done += size;
      pushPiece(batch, row, to, header + size, next);
    }
    return Drop.none;
  }

  #cut6(batch: PacketBatch, row: number, mtu: number, next: Frame): number {
    const { bytes, view } = batch.region[row]!;
    const from = batch.offset[row]!;
    const length = batch.length[row]!;
    const header = IPV6_LEN + IPV6_FRAGMENT_LEN;
    const step = (mtu - header) & ~7;
    if (step <= 0) return Drop.mtuExceeded;
    const pieces = Math.ceil((length - IPV6_LEN) / step);
    if (!batch.hasRoom(pieces, length + pieces * header)) return Drop.madeFull;
    const id = this.#nextId();
    const protocol = ipv6NextHeader(view, from);
    for (let done = IPV6_LEN; done < length; ) {
      const size = Math.min(step, length - done);
      const to = batch.reserve(header + size);
      const v = batch.made.view;
      batch.made.bytes.set(bytes.subarray(from, from + IPV6_LEN), to);
      batch.made.bytes.set(bytes.subarray(from + done, from + done + size), to + header);
      v.setUint16(to + 4, IPV6_FRAGMENT_LEN + size);
      v.setUint8(to + 6, IPV6_FRAGMENT_HEADER);
      emitIpv6Fragment(v, to + IPV6_LEN, protocol, done - IPV6_LEN, done + size < length, id);
      done += size;
      pushPiece(batch, row, to, header + size, next);
    }
    return Drop.none;
  }

  #nextId(): number {
    this.#id = (this.#id + 1) >>> 0;
    return this.#id;
  }
}

function pushPiece(batch: PacketBatch, like: number, at: number, length: number, next: Frame): void {
  const row = batch.spareRow(like);
  batch.moveToMade(row, at, length);
  next.push(row);
}
