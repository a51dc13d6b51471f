/** A packet socket by batches: what it heard (packet-rx.ts), what it says (packet-tx.ts), and how its interface is. */
import { ReadablePoll } from '../internal/poll.ts';
import type { SocketNative as MmsgNative } from '../udp/syscalls.ts';
import { type Interface, isInterfaceUp, readInterface } from './interface.ts';
import { PacketReceiver } from './packet-rx.ts';
import { PacketSender } from './packet-tx.ts';
import type { EthernetSocket, FrameRows, GatheredFrames, Offloads, PacketCounters } from './shape.ts';
import type { FrameNative } from './syscalls.ts';

export class PacketSocket implements EthernetSocket {
  readonly counters: PacketCounters = { received: 0, receiveErrors: 0, sent: 0, sendLost: 0, otherVlan: 0 };
  /** Only of use with virtio_net headers. What the card does not do, the kernel does on the way to it. */
  readonly offloads: Offloads = { tcp: true, udp: true };
  readonly mac: Uint8Array;
  readonly vnetHeader: boolean;
  gone = false;
  readonly #frames: FrameNative;
  readonly #interface: Interface;
  readonly #receiver: PacketReceiver;
  readonly #sender: PacketSender;
  #fd: number;
  #poll: ReadablePoll | null = null;
  #callback: (() => void) | null = null;

  /** Takes over the bound descriptor. */
  constructor(frames: FrameNative, mmsg: MmsgNative, fd: number, found: Interface, vnetHeader: boolean, vlan: number) {
    this.#frames = frames;
    this.#fd = fd;
    this.#interface = found;
    this.mac = found.mac;
    this.vnetHeader = vnetHeader;
    this.#receiver = new PacketReceiver(mmsg, fd, vnetHeader, vlan, this.counters);
    this.#sender = new PacketSender(mmsg, fd, vnetHeader, vlan, this.counters);
  }

  get failed(): boolean {
    return this.#receiver.failed;
  }

  get index(): number {
    return this.#interface.index;
  }

  /** As the kernel has it now; as it was when it has none any more. */
  get mtu(): number {
    const found = this.#fd < 0 ? null : readInterface(this.#frames, this.#fd, this.#interface.name);
    return (found ?? this.#interface).mtu;
  }

  isUp(): boolean {
    if (this.#fd < 0 || this.gone) return false;
    const up = isInterfaceUp(this.#frames, this.#fd, this.#interface);
    if (up === null) this.#vanish();
    return up === true;
  }

  receive(into: FrameRows): number {
    into.count = 0;
    if (this.#fd < 0 || this.gone) return 0;
    const count = this.#receiver.receive(into);
    // Its interface went down, or away.
    if (this.#receiver.failed) this.isUp();
    if (this.#receiver.failed && !this.gone) this.#pollAnew();
    return count;
  }

  send(rows: FrameRows): number {
    return this.#fd < 0 || this.gone ? 0 : this.#sender.send(rows);
  }

  sendGathered(frames: GatheredFrames, fates: Uint8Array): void {
    if (this.#fd < 0 || this.gone) fates.fill(0, 0, frames.frames);
    else this.#sender.sendGathered(frames, fates);
  }

  wake(): void {
    this.#poll?.wake();
  }

  onReadable(callback: () => void): void {
    if (this.#poll !== null) throw new Error('the socket has a callback already');
    this.#callback = callback;
    if (this.#fd >= 0) this.#poll = new ReadablePoll(this.#frames.native, this.#fd, callback);
  }

  async close(): Promise<void> {
    if (this.#fd < 0) return;
    this.#poll?.close();
    this.#frames.calls.close(this.#fd);
    // The number may soon be somebody else's file.
    this.#fd = -1;
  }

  /** Whoever polls a socket with an error is not called again; the error has been read now. */
  #pollAnew(): void {
    if (this.#poll === null || this.#callback === null) return;
    this.#poll.close();
    this.#poll = new ReadablePoll(this.#frames.native, this.#fd, this.#callback);
  }

  #vanish(): void {
    this.gone = true;
    this.#poll?.close();
  }
}
