/**
 * Told when an interface of this network namespace changes: up, down, a cable in or out, taken away. A cable that was out for a moment may
 * be one message that says it is in; the kernel's count of losses tells. First read rtnetlink(7).
 */
import { AddressBook } from '../internal/address.ts';
import { loadFunctions, loadNative } from '../internal/native.ts';
import { ReadablePoll } from '../internal/poll.ts';

const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOCKADDR_NL_LEN = 12;
const GROUPS_AT = 8;
const RTMGRP_LINK = 1;
const ANSWER_BYTES = 64 * 1024;
/** struct nlmsghdr: length, type, flags, sequence, port; then struct ifinfomsg: family, type, index, flags, change; then attributes. */
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const NLM_F_REQUEST = 1;
const NLMSG_LEN = 16;
const LINK_LEN = 32;
const INDEX_AT = 20;
/** Times that the carrier was lost, a 32-bit number (Linux 4.16). */
const IFLA_CARRIER_DOWN_COUNT = 48;
const ATTRIBUTE_LEN = 4;

interface WatchCalls {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  send(fd: number, bytes: number, length: number, flags: number): number;
  recv(fd: number, bytes: number, length: number, flags: number): number;
  close(fd: number): number;
}

export interface LinkWatch {
  /** No callback follows. Safe to call again. */
  close(): void;
}

/**
 * Calls back after changes of the interface with this index: whoever asks looks for himself how it is now. `lost`: the carrier has been
 * lost since the last call, however shortly. Null where the system does not tell.
 */
export function watchLink(index: number, callback: (lost: boolean) => void): LinkWatch | null {
  const native = process.platform === 'linux' ? loadNative() : null;
  const calls =
    native === null
      ? null
      : loadFunctions<WatchCalls>(native.self, {
          socket: ['int', ['int', 'int', 'int']],
          bind: ['int', ['int', 'uint64_t', 'uint']],
          send: ['long', ['int', 'uint64_t', 'ulong', 'int']],
          recv: ['long', ['int', 'uint64_t', 'ulong', 'int']],
          close: ['int', ['int']],
        });
  if (native === null || calls === null) return null;
  const addresses = new AddressBook(native);
  const fd = calls.socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return null;
  const sockaddr = new ArrayBuffer(SOCKADDR_NL_LEN);
  const view = new DataView(sockaddr);
  view.setUint16(0, AF_NETLINK, true);
  view.setUint32(GROUPS_AT, RTMGRP_LINK, true);
  if (calls.bind(fd, addresses.of(sockaddr), SOCKADDR_NL_LEN) < 0) {
    calls.close(fd);
    return null;
  }
  const news = new ArrayBuffer(ANSWER_BYTES);
  let open = true;
  const read = (): void => {
    if (!open) return;
    const before = losses;
    let told = 0;
    for (;;) {
      const length = calls.recv(fd, addresses.of(news), ANSWER_BYTES, 0);
      if (length <= 0) break;
      told++;
      losses = lossesOf(new DataView(news, 0, Math.min(length, ANSWER_BYTES)), index) ?? losses;
    }
    // Too much at once is an error of the socket (ENOBUFS), after which nobody polls it: news all the same.
    if (told === 0) {
      poll.close();
      poll = new ReadablePoll(native, fd, read);
      ask();
    }
    callback(before !== null && before !== losses);
  };
  let losses: number | null = null;
  const ask = (): void => {
    const request = new DataView(new ArrayBuffer(LINK_LEN));
    request.setUint32(0, LINK_LEN, true);
    request.setUint16(4, RTM_GETLINK, true);
    request.setUint16(6, NLM_F_REQUEST, true);
    request.setInt32(INDEX_AT, index, true);
    calls.send(fd, addresses.of(request.buffer as ArrayBuffer), LINK_LEN, 0);
  };
  // Its answer says how often the carrier has been lost so far.
  ask();
  let poll = new ReadablePoll(native, fd, read);
  return {
    close() {
      if (!open) return;
      open = false;
      poll.close();
      calls.close(fd);
    },
  };
}

/** How often the interface has lost its carrier, by the last of the messages that is about it; null when none is. */
export function lossesOf(messages: DataView, index: number): number | null {
  let found: number | null = null;
  for (let at = 0; at + NLMSG_LEN <= messages.byteLength; ) {
    const length = messages.getUint32(at, true);
    if (length < NLMSG_LEN || length > messages.byteLength - at) return found;
    const isLink = messages.getUint16(at + 4, true) === RTM_NEWLINK && length >= LINK_LEN;
    if (isLink && messages.getInt32(at + INDEX_AT, true) === index)
      found = carrierDownCount(messages, at + LINK_LEN, at + length) ?? found;
    at += (length + 3) & ~3;
  }
  return found;
}

function carrierDownCount(messages: DataView, from: number, end: number): number | null {
  for (let at = from; at + ATTRIBUTE_LEN <= end; ) {
    const length = messages.getUint16(at, true);
    if (length < ATTRIBUTE_LEN || length > end - at) return null;
    if (messages.getUint16(at + 2, true) === IFLA_CARRIER_DOWN_COUNT && length >= ATTRIBUTE_LEN + 4)
      return messages.getUint32(at + ATTRIBUTE_LEN, true);
    at += (length + 3) & ~3;
  }
  return null;
}
