/**
 * The receiving half of a packet socket: one recvmmsg fills many slots. The kernel takes the tag of a VLAN off a frame and keeps it beside
 * (PACKET_AUXDATA): frames of another VLAN than ours end here, others come without their tag. With PACKET_VNET_HDR each frame begins
 * with a virtio_net header, which says which checksum is still to be made, and whether it is many segments in one.
 *
 *     | spare ... | virtio_net header, 10 | frame ... | spare |
 */
import { makeRegion } from '../udp/shape.ts';
import * as mmsg from '../udp/syscalls.ts';
import { type FrameRows, MAX_FRAME_BYTES, type PacketCounters, SPARE_BYTES, VNET_HEADER_BYTES } from './shape.ts';
import * as sys from './syscalls.ts';

const SLOTS = 128;
/** The frame begins on a word of its own. */
const FRAME_AT = 80;
const SLOT_BYTES = (FRAME_AT + MAX_FRAME_BYTES + SPARE_BYTES + 7) & ~7;
const CONTROL_ROOM = 64;
const IOVS_AT = SLOTS * mmsg.MMSGHDR_LEN;
const CONTROLS_AT = IOVS_AT + SLOTS * mmsg.IOVEC_LEN;
const ARENA_LEN = CONTROLS_AT + SLOTS * CONTROL_ROOM;
/** struct tpacket_auxdata, in bytes behind the cmsghdr: 0 status | 4 len | 8 snaplen | 12 mac | 14 net | 16 tci | 18 tpid. */
const AUX_TCI_AT = 16;
const AUX_LEN = 20;

export class PacketReceiver {
  /** The last call met an error other than "nothing there". */
  failed = false;
  readonly #native: mmsg.SocketNative;
  readonly #fd: number;
  readonly #headerBytes: number;
  readonly #vlan: number;
  readonly #counters: PacketCounters;
  /** Pages are touched only as far as frames reach, so most of this stays unbacked. */
  readonly #region = makeRegion(SLOTS * SLOT_BYTES);
  readonly #words: Uint32Array;
  readonly #headersAt: number;

  /** `vlan`: whose frames are taken; 0 for those without a tag. */
  constructor(native: mmsg.SocketNative, fd: number, vnetHeader: boolean, vlan: number, counters: PacketCounters) {
    this.#native = native;
    this.#fd = fd;
    this.#headerBytes = vnetHeader ? VNET_HEADER_BYTES : 0;
    this.#vlan = vlan;
    this.#counters = counters;
    const arena = new ArrayBuffer(ARENA_LEN);
    this.#words = new Uint32Array(arena);
    const base = native.addresses.of(arena);
    const data = native.addresses.of(this.#region.bytes.buffer);
    this.#headersAt = base;
    for (let i = 0; i < SLOTS; i++) {
      const header = i * mmsg.MMSGHDR_WORDS;
      const iov = (IOVS_AT + i * mmsg.IOVEC_LEN) / 4;
      mmsg.setLong(this.#words, header + mmsg.IOV, base + iov * 4);
      mmsg.setLong(this.#words, header + mmsg.IOV_COUNT, 1);
      mmsg.setLong(this.#words, header + mmsg.CONTROL, base + CONTROLS_AT + i * CONTROL_ROOM);
      mmsg.setLong(this.#words, iov, data + i * SLOT_BYTES + FRAME_AT - this.#headerBytes);
      mmsg.setLong(this.#words, iov + 2, this.#headerBytes + MAX_FRAME_BYTES);
    }
  }

  receive(into: FrameRows): number {
    into.count = 0;
    this.failed = false;
    const limit = Math.min(into.capacity, SLOTS);
    if (limit === 0) return 0;
    for (let i = 0; i < limit; i++) mmsg.setLong(this.#words, i * mmsg.MMSGHDR_WORDS + mmsg.CONTROL_LEN, CONTROL_ROOM);
    const count = this.#native.calls.recvmmsg(this.#fd, this.#headersAt, limit, 0, 0);
    if (count < 0) {
      const errno = this.#native.native.koffi.errno();
      this.failed = errno !== mmsg.errno.EAGAIN && errno !== mmsg.errno.EINTR;
      if (this.failed) this.#counters.receiveErrors++;
      return 0;
    }
    for (let i = 0; i < count; i++) this.#handOut(i, into);
    this.#counters.received += into.count;
    return into.count;
  }

  #handOut(i: number, into: FrameRows): void {
    const length = this.#words[i * mmsg.MMSGHDR_WORDS + mmsg.MSG_LEN]!;
    if (this.#vlanOf(i) !== this.#vlan) {
      this.#counters.otherVlan++;
      return;
    }
    const row = into.count++;
    into.region[row] = this.#region;
    into.offset[row] = i * SLOT_BYTES + FRAME_AT - this.#headerBytes;
    into.length[row] = length;
  }

  /** The VLAN of a frame, 0 without (a tag may carry a priority alone), -1 for a tag of another kind. */
  #vlanOf(i: number): number {
    const words = this.#words;
    if (words[i * mmsg.MMSGHDR_WORDS + mmsg.CONTROL_LEN]! < mmsg.CMSG_HEADER_LEN + AUX_LEN) return 0;
    const control = (CONTROLS_AT + i * CONTROL_ROOM) / 4;
    if (words[control + 2] !== sys.SOL_PACKET || words[control + 3] !== sys.PACKET_AUXDATA) return 0;
    const status = words[control + 4]!;
    if ((status & sys.TP_STATUS_VLAN_VALID) === 0) return 0;
    const tag = words[control + 4 + AUX_TCI_AT / 4]!;
    if ((status & sys.TP_STATUS_VLAN_TPID_VALID) !== 0 && tag >>> 16 !== sys.ETH_P_8021Q) return -1;
    return tag & 0xfff;
  }
}
