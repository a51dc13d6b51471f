/**
 * What others do to the kernel's tables, as it tells of it: keys to look at again, or all of them where it tells of less than what is gone.
 * Our own changes are known by the number of the socket that asked for them, and passed over.
 */
import { ProblemError } from '@vrouter/core/problem.ts';
import type { ObjectKey } from '@vrouter/intent/model/objects.ts';
import type { Change } from '../contract/driver.ts';
import type { Addresses } from './forwarding/addresses.ts';
import type { Routes } from './forwarding/routes.ts';
import type { Kernel } from './kernel.ts';
import { parseAddress } from './netlink/address.ts';
import { type Message, messagesOf } from './netlink/answers.ts';
import { type LinkRow, parseLink } from './netlink/link.ts';
import { MessageFlag, MessageType } from './netlink/message.ts';
import { parseForwardingNews } from './netlink/netconf.ts';
import { readNews } from './netlink/nftables/news.ts';
import type { NetlinkSocket } from './netlink/requests.ts';
import { parseRoute } from './netlink/route.ts';
import { TABLE } from './nftables/shape.ts';

/** rtnetlink.h: RTNLGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE, _IPV4_NETCONF, _IPV6_NETCONF. */
export const ROUTING_GROUPS = [1, 5, 7, 9, 11, 24, 25] as const;

export interface NewsSocket extends NetlinkSocket {
  onReadable(callback: () => void): void;
  close(): void;
}

export interface Watched {
  readonly kernel: Kernel;
  readonly addresses: Addresses;
  readonly routes: Routes;
  /** Whether news are of what we ourselves have asked for. */
  isOwn(port: number): boolean;
}

/** Sockets of our own for news: of the groups `ROUTING_GROUPS`, and of NFNLGRP_NFTABLES. */
export interface NewsSockets {
  readonly routing: NewsSocket;
  readonly nftables: NewsSocket;
}

/** News until the signal aborts; the sockets are closed at the end. */
export async function* watchKernel(
  watched: Watched,
  sockets: NewsSockets,
  signal: AbortSignal,
): AsyncGenerator<Change> {
  let readable = Promise.withResolvers<void>();
  const wake = (): void => readable.resolve();
  signal.addEventListener('abort', wake, { once: true });
  if (signal.aborted) wake();
  for (const socket of [sockets.routing, sockets.nftables]) socket.onReadable(wake);
  try {
    for (;;) {
      await readable.promise;
      if (signal.aborted) return;
      readable = Promise.withResolvers<void>();
      const change = drain(watched, sockets);
      if (change !== null) yield change;
    }
  } finally {
    signal.removeEventListener('abort', wake);
    for (const socket of [sockets.routing, sockets.nftables]) socket.close();
  }
}

/** All that waits, as one change; null: nothing of ours. */
function drain(watched: Watched, { routing, nftables }: NewsSockets): Change | null {
  const keys = new Set<ObjectKey>();
  let all = readAll(routing, (datagram) => {
    let gone: string | null = null;
    for (const message of messagesOf(datagram))
      if (!watched.isOwn(message.port)) gone = newsOf(watched, message, keys) ?? gone;
    return gone;
  });
  all ??= readAll(nftables, (datagram) => {
    const { touchedBy } = readNews(datagram, TABLE);
    return [...touchedBy].every((port) => watched.isOwn(port))
      ? null
      : `somebody has changed the table ${TABLE} of nftables`;
  });
  if (all !== null) return { kind: 'all', reason: all };
  return keys.size === 0 ? null : { kind: 'keys', keys: [...keys] };
}

/** Everything that waits; the last text that `read` gives, or why something is lost. */
function readAll(socket: NewsSocket, read: (datagram: Uint8Array) => string | null): string | null {
  let all: string | null = null;
  for (;;) {
    try {
      const datagram = socket.receive();
      if (datagram === null) return all;
      all = read(datagram) ?? all;
    } catch (thrown) {
      if (!(thrown instanceof ProblemError)) throw thrown;
      all = thrown.message;
    }
  }
}

/** Adds the keys that a message is about; a text when more is gone than is told. */
function newsOf(watched: Watched, message: Message, keys: Set<ObjectKey>): string | null {
  switch (message.type) {
    case MessageType.newLink:
    case MessageType.deleteLink: {
      const row = parseLink(message);
      return row === null ? null : linkNews(watched.kernel, row, message.type === MessageType.deleteLink, keys);
    }
    case MessageType.newAddress:
    case MessageType.deleteAddress: {
      const row = parseAddress(message);
      const key = row === null ? null : watched.addresses.keyOf(row);
      if (key !== null) keys.add(key);
      return null;
    }
    case MessageType.newRoute:
    case MessageType.deleteRoute: {
      const row = parseRoute(message);
      const replaced = (message.flags & MessageFlag.replace) !== 0;
      const key = row === null ? null : watched.routes.heard(row, message.type === MessageType.deleteRoute, replaced);
      if (key !== null) keys.add(key);
      return null;
    }
    case MessageType.newNetconf: {
      const name = parseForwardingNews(message);
      if (name !== null) keys.add(`sysctl/*/${name}` as ObjectKey);
      return null;
    }
    default:
      return null;
  }
}

function linkNews({ links }: Kernel, row: LinkRow, gone: boolean, keys: Set<ObjectKey>): string | null {
  const before = links.at(row.index);
  const nameBefore = before === undefined ? null : links.nameOf(before);
  if (gone) links.remove(row.index);
  else links.put(row);
  const name = links.nameOf(row) ?? nameBefore;
  if (name === null) return null;
  // Of what stood on it the kernel tells only in part: IPv4 routes and WireGuard peers go in silence.
  if (gone) return `somebody has taken ${row.name} away`;
  if (before?.up === true && !row.up) return `somebody has taken ${row.name} down`;
  if (before === undefined || !looksSame(before, row))
    keys.add(`${row.kind === 'vrf' ? 'vrf' : 'link'}/${name}` as ObjectKey);
  return null;
}

/** As far as objects say it. */
function looksSame(a: LinkRow, b: LinkRow): boolean {
  return (
    a.name === b.name &&
    a.mtu === b.mtu &&
    a.up === b.up &&
    a.carrier === b.carrier &&
    a.master === b.master &&
    a.alias === b.alias &&
    Buffer.compare(a.mac, b.mac) === 0
  );
}
