/**
 * Puts datagrams for us together, RFC 791 section 3.2, RFC 8200 section 4.5. All memory is fixed: 64 datagrams at a time, of one source at
 * most 8, each of at most 64 pieces; what does not come whole within 60 s (RFC 1122 section 3.3.2) is forgotten, looked at when the next
 * piece comes. A piece that overlaps another ends its datagram (RFC 5722, RFC 8900 section 3.7; here for IPv4 too); an exact copy is
 * ignored. A slot's 64 KiB are taken when it is first used and kept.
 */
import type { Millis } from '@vrouter/core/time.ts';
import { finishChecksum, sumWords } from '@vrouter/wire/checksum/checksum.ts';
import { ipv4FragmentOffset, ipv4MoreFragments } from '@vrouter/wire/ipv4/fragment.ts';
import { ipVersion, ipv4HeaderLen } from '@vrouter/wire/ipv4/ipv4.ts';
import { IPV6_FRAGMENT_LEN, ipv6FragmentOffset, ipv6MoreFragments } from '@vrouter/wire/ipv6/extensions.ts';
import { IPV6_LEN } from '@vrouter/wire/ipv6/ipv6.ts';
import type { PacketBatch } from '../../batch/packet-batch.ts';
import { type Counters, Work } from '../../graph/counters.ts';
import { Drop } from '../../graph/drops.ts';

export const REASSEMBLY_SLOTS = 64;
export const SLOTS_PER_SOURCE = 8;
export const REASSEMBLY_TIMEOUT_MS = 60_000;
const MAX_PIECES = 64;
const MAX_PACKET = 0xffff;
/** VRF, family, protocol, identification, addresses. */
const KEY_WORDS = 11;

/** The piece is kept and the row has ended, which is no drop. */
export const HELD = -1;

class Slot {
  /** VRF + 1, 0 while free. */
  readonly key = new Int32Array(KEY_WORDS);
  startedAt = 0;
  /** Why it can come to nothing any more: later pieces of it are dropped for that until its time is up. */
  dead: number = Drop.none;
  ingress = 0;
  pieces = 0;
  /** Starts and ends of the pieces held. */
  readonly starts = new Int32Array(MAX_PIECES);
  readonly ends = new Int32Array(MAX_PIECES);
  held = 0;
  /** Bytes of the whole payload, -1 while the last piece is missing. */
  total = -1;
  header = new Uint8Array(IPV6_LEN + 20);
  headerLength = 0;
  payload: Uint8Array | null = null;
}

export class Reassembly {
  readonly #counters: Counters;
  readonly #slots: Slot[];
  readonly #key: Int32Array;
  #inUse: number;

  constructor(counters: Counters) {
    this.#counters = counters;
    this.#slots = Array.from({ length: REASSEMBLY_SLOTS }, () => new Slot());
    this.#key = new Int32Array(KEY_WORDS);
    this.#inUse = 0;
  }

  /**
   * Takes the row's piece. `Drop.none`: the row is the whole datagram now. `HELD`: more is to come. Else why the piece is dropped. An IPv6
   * piece has its fragment header right behind the fixed one.
   */
  take(batch: PacketBatch, row: number, now: Millis): number {
    this.#expire(now);
    const { bytes, view } = batch.region[row]!;
    const at = batch.offset[row]!;
    const end = at + batch.length[row]!;
    const four = ipVersion(view, at) === 4;
    const extension = at + IPV6_LEN;
    const headerLength = four ? ipv4HeaderLen(view, at) : IPV6_LEN;
    const data = four ? at + headerLength : extension + IPV6_FRAGMENT_LEN;
    if (data >= end) return Drop.fragmentMalformed;
    const start = four ? ipv4FragmentOffset(view, at) : ipv6FragmentOffset(view, extension);
    const more = four ? ipv4MoreFragments(view, at) : ipv6MoreFragments(view, extension);
    const stop = start + end - data;
    if ((more && ((end - data) & 7) !== 0) || stop > MAX_PACKET - (four ? headerLength : 0))
      return Drop.fragmentMalformed;
    this.#setKey(batch.vrf[row]!, view, at, four);
    const slot = this.#find() ?? this.#open(now, batch.ingress[row]!);
    if (slot === null) return Drop.fragmentsFull;
    if (slot.dead !== Drop.none) return slot.dead;
    const judged = judge(slot, start, stop, more);
    if (judged !== Drop.none) {
      if (judged !== Drop.fragmentDuplicate) this.#kill(slot, judged);
      return judged;
    }
    slot.starts[slot.pieces] = start;
    slot.ends[slot.pieces++] = stop;
    slot.held += stop - start;
    if (!more) slot.total = stop;
    slot.payload!.set(bytes.subarray(data, end), start);
    if (start === 0) {
      slot.header.set(bytes.subarray(at, at + headerLength));
      slot.headerLength = headerLength;
      if (!four) slot.header[6] = bytes[extension]!;
    }
    return slot.held === slot.total ? this.#finish(batch, row, slot, four) : HELD;
  }

  #finish(batch: PacketBatch, row: number, slot: Slot, four: boolean): number {
    const length = slot.headerLength + slot.total;
    this.#close(slot);
    if (length > (four ? MAX_PACKET : MAX_PACKET + IPV6_LEN)) return Drop.fragmentMalformed;
    const to = batch.reserve(length);
    if (to < 0) return Drop.madeFull;
    const { bytes, view } = batch.made;
    for (let i = 0; i < slot.headerLength; i++) bytes[to + i] = slot.header[i]!;
    bytes.set(slot.payload!.subarray(0, slot.total), to + slot.headerLength);
    if (four) {
      view.setUint16(to + 2, length);
      view.setUint16(to + 6, 0);
      view.setUint16(to + 10, 0);
      view.setUint16(to + 10, finishChecksum(sumWords(view, to, slot.headerLength, 0)));
    } else view.setUint16(to + 4, slot.total);
    batch.moveToMade(row, to, length);
    this.#counters.did(Work.reassembled);
    return Drop.none;
  }

  #setKey(vrf: number, view: DataView, at: number, four: boolean): void {
    const key = this.#key;
    key.fill(0);
    key[0] = vrf + 1;
    key[1] = four ? 0x400 | view.getUint8(at + 9) : 0x600;
    key[2] = four ? view.getUint16(at + 4) : view.getInt32(at + IPV6_LEN + 4);
    // Sources first, so that those of one source share words 3 to 6.
    if (four) {
      key[3] = view.getInt32(at + 12);
      key[7] = view.getInt32(at + 16);
    } else for (let i = 0; i < 8; i++) key[3 + i] = view.getInt32(at + 8 + 4 * i);
  }

  #find(): Slot | null {
    for (let i = 0; i < REASSEMBLY_SLOTS; i++)
      if (sameWords(this.#slots[i]!.key, this.#key, 0, KEY_WORDS)) return this.#slots[i]!;
    return null;
  }

  #open(now: Millis, ingress: number): Slot | null {
    let free: Slot | null = null;
    let ofSource = 0;
    for (let i = 0; i < REASSEMBLY_SLOTS; i++) {
      const slot = this.#slots[i]!;
      if (slot.key[0] === 0) free ??= slot;
      else if (slot.key[0] === this.#key[0] && sameWords(slot.key, this.#key, 3, 7)) ofSource++;
    }
    if (free === null || ofSource >= SLOTS_PER_SOURCE) return null;
    free.payload ??= new Uint8Array(MAX_PACKET + 1);
    free.key.set(this.#key);
    free.startedAt = now;
    free.ingress = ingress;
    free.dead = Drop.none;
    free.pieces = 0;
    free.held = 0;
    free.total = -1;
    free.headerLength = 0;
    this.#inUse++;
    return free;
  }

  /** The pieces held so far are lost with the one that did not fit. */
  #kill(slot: Slot, reason: number): void {
    if (slot.pieces > 0) this.#counters.drop(reason, slot.ingress, slot.pieces);
    slot.dead = reason;
    slot.pieces = 0;
  }

  #close(slot: Slot): void {
    slot.key[0] = 0;
    this.#inUse--;
  }

  #expire(now: Millis): void {
    if (this.#inUse === 0) return;
    for (let i = 0; i < REASSEMBLY_SLOTS; i++) {
      const slot = this.#slots[i]!;
      if (slot.key[0] === 0 || now - slot.startedAt < REASSEMBLY_TIMEOUT_MS) continue;
      if (slot.pieces > 0) this.#counters.drop(Drop.fragmentTimeout, slot.ingress, slot.pieces);
      this.#close(slot);
    }
  }
}

/** Whether the piece fits to those that are held. */
function judge(slot: Slot, start: number, stop: number, more: boolean): number {
  for (let i = 0; i < slot.pieces; i++) {
    if (slot.starts[i] === start && slot.ends[i] === stop && more === (stop !== slot.total))
      return Drop.fragmentDuplicate;
    if (start < slot.ends[i]! && stop > slot.starts[i]!) return Drop.fragmentOverlap;
    if (!more && slot.ends[i]! > stop) return Drop.fragmentMalformed;
  }
  if (slot.total >= 0 && (!more || stop > slot.total)) return Drop.fragmentMalformed;
  return slot.pieces === MAX_PIECES ? Drop.fragmentsFull : Drop.none;
}

function sameWords(a: Int32Array, b: Int32Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (a[i] !== b[i]) return false;
  return true;
}
